"""Peak memory of a piece of code, in a process of its own."""

import ctypes
import multiprocessing
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_bytes(setup: Callable[[], Any], work: Callable[[Any], Any]) -> int:
    """Return the peak resident memory of ``work`` above what ``setup`` has left.

    The process is forked, so nothing may have used several threads before: make models
    in ``setup``.

    Args:
        setup: makes the argument of ``work``.
        work: what is measured.

    Raises:
        RuntimeError: if the process fails.
    """
    return in_child(lambda: _measure(setup, work))


def in_child(function: Callable[[], Any], *, timeout: float | None = None) -> Any:
    """Run a function in a forked process and return its result.

    Args:
        function: whose result can be pickled.
        timeout: seconds; None waits for ever.

    Raises:
        RuntimeError: with the traceback, if it raises or dies.
        TimeoutError: if it does not end in time; it is killed.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(function, theirs))
    process.start()
    theirs.close()
    try:
        if not ours.poll(timeout):
            raise TimeoutError(f"gave up after {timeout:.0f} s")
        succeeded, result = ours.recv()
    except EOFError:
        process.join()
        code = process.exitcode
        why = "out of memory?" if code == -9 else "crashed"
        raise RuntimeError(f"the process ended with code {code} ({why})") from None
    finally:
        if process.is_alive() and not ours.poll(0):
            process.kill()
        process.join()
    if not succeeded:
        raise RuntimeError(result)
    return result


def _run(function: Callable[[], Any], pipe: Connection) -> None:
    # Whoever stops the run stops what it has started, too.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        pipe.send((True, function()))
    except Exception:
        pipe.send((False, traceback.format_exc()))


def _measure(setup: Callable[[], Any], work: Callable[[Any], Any]) -> int:
    argument = setup()
    # What the set-up has freed but the allocator keeps would hide what work needs.
    ctypes.CDLL(None).malloc_trim(0)
    _CLEAR.write_text("5")  # resets the high-water mark
    before = _resident("VmRSS")
    work(argument)
    return max(0, _resident("VmHWM") - before)


def _resident(key: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{_STATUS} has no {key}; peak memory needs Linux")
