"""SIGTERM (Slurm, spot machines) as a request that training answers by saving."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size

from tmt_vis.command_line import Terminated

_PR_SET_PDEATHSIG = 1


class StopRequest:
    """Whether the process was asked to end, and how soon it does.

    Args:
        at_once: raise `Terminated` where the signal arrives. Otherwise it is noted, for
            `agreed`: a training step that is cut in two cannot be saved.
    """

    def __init__(self) -> None:
        self.at_once = False
        self.received: str | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM for a request as long as the block lasts."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Python lets the main thread only set handlers
            return
        before = signal.signal(signal.SIGTERM, self._receive)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.received = signal.Signals(number).name
        if self.at_once:
            raise Terminated(f"ended by {self.received}")

    def agreed(self) -> bool:
        """Tell, the same on all ranks, whether one of them was asked to end.

        The launcher signals ranks one after the other, so that one may be an iteration
        ahead of the other, which would wait for it for ever. With several ranks this is
        one reduction of a number per call.
        """
        if get_world_size() == 1:
            return self.received is not None
        asked = torch.tensor(int(self.received is not None))
        all_reduce(asked, "max")
        if asked.item() and self.received is None:
            self.received = "SIGTERM on another rank"
        return bool(asked.item())


def end_with_parent() -> None:
    """Get SIGTERM when the process that started this one dies (Linux).

    A launcher that is killed takes no rank with it: they would go on training, in a
    folder where the next job already writes.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died in between
        os.kill(os.getpid(), signal.SIGTERM)


class SignalProofWorkers:
    """Let data workers outlive the SIGTERM that Slurm sends to every process of a job.

    Otherwise they die while the main process is in the middle of its last step, and
    take it with them. That of the main process ends them, as always.

    Args:
        initialise: what a worker does besides when it starts.
    """

    def __init__(self, initialise: Callable[[int], Any] | None) -> None:
        self.initialise = initialise

    def __call__(self, worker: int) -> None:
        """Prepare a worker.

        Args:
            worker: its number.
        """
        if hasattr(signal, "sigwaitinfo"):  # Linux; it tells who sent a signal
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            threading.Thread(target=_end_for_parent, daemon=True).start()
        if self.initialise is not None:
            self.initialise(worker)


def _end_for_parent() -> None:
    parent = os.getppid()
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)
