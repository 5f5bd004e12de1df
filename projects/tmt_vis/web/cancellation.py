"""Stop a prediction between two layers, not only between two frames."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

_current = threading.local()


class Cancelled(Exception):
    """The visitor no longer wants the result."""


class Cancellation:
    """Tells one thread to stop; another thread calls :meth:`cancel`."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next check."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise if somebody asked.

        Raises:
            Cancelled: Then.
        """
        if self.is_cancelled:
            raise Cancelled


@contextmanager
def cancellable(cancellation: Cancellation) -> Iterator[None]:
    """Let models that are watched check ``cancellation`` in this thread."""
    _current.cancellation = cancellation
    try:
        yield
    finally:
        del _current.cancellation


def watch(model: nn.Module) -> None:
    """Make every layer of a model check for a cancellation before it computes.

    A window of 36 frames takes seconds on a CPU, one layer a fraction of one. Threads
    that share the model are stopped one by one, each by its own cancellation.
    """
    for module in model.modules():
        module.register_forward_pre_hook(_check)


def _check(*_: Any) -> None:
    cancellation = getattr(_current, "cancellation", None)
    if cancellation is not None:
        cancellation.check()
