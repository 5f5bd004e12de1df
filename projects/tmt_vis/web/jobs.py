"""Work in a thread of its own: its progress, its result, and how to stop it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .cancellation import Cancellation, Cancelled, cancellable

T = TypeVar("T")
_WAIT = 0.1  # seconds between two looks at whether a place is free


@dataclass(frozen=True)
class Progress:
    """How far the work is.

    Args:
        phase: What is being done, e.g. ``Finding objects``.
        done: Frames that are finished.
        total: Frames to expect; None if unknown.
        rate: Frames per second since the phase began; None before the first one.
    """

    phase: str
    done: int = 0
    total: int | None = None
    rate: float | None = None


class Job(Generic[T]):
    """Run ``work`` in a thread, at most as many at a time as there are places.

    Args:
        work: Gets the job, to report to, and returns the result.
        places: One is taken while the work is done.

    Attributes:
        progress: The latest.
        result: What the work returned; None until then.
        error: What it raised, cancellations excepted.
    """

    def __init__(
        self, work: Callable[["Job[T]"], T], *, places: threading.Semaphore
    ) -> None:
        self.progress = Progress("Waiting for other visitors' videos")
        self.result: T | None = None
        self.error: Exception | None = None
        self.cancellation = Cancellation()
        self._phase_start = time.monotonic()
        self._work, self._places = work, places
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the thread is alive; for a moment after a cancellation it is."""
        return self._thread.is_alive()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked it to stop."""
        return self.cancellation.is_cancelled

    def cancel(self) -> None:
        """Ask the work to stop; do not wait for it."""
        self.cancellation.cancel()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def begin(self, phase: str, total: int | None = None) -> None:
        """Report that another phase of the work begins."""
        self.cancellation.check()
        self._phase_start = time.monotonic()
        self.progress = Progress(phase, 0, total)

    def count(self, done: int, total: int | None) -> None:
        """Report finished frames; stops the work if it is not wanted any more.

        Raises:
            Cancelled: Then.
        """
        self.cancellation.check()
        seconds = max(time.monotonic() - self._phase_start, 1e-6)
        self.progress = Progress(self.progress.phase, done, total, done / seconds)

    def _run(self) -> None:
        try:
            while not self._places.acquire(timeout=_WAIT):
                self.cancellation.check()
            try:
                with cancellable(self.cancellation):
                    self.cancellation.check()
                    self.result = self._work(self)
            finally:
                self._places.release()
        except Cancelled:
            pass
        except Exception as error:  # told to the visitor, see `describe`
            self.error = error
