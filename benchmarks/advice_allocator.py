"""glibc's allocator: keep the memory of large tensors instead of returning it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from .common import Options, Row, Spec, compare
from .environment import allocator_settings

SPEC = Spec(
    name="advice/allocator",
    reference="glibc's defaults",
    ours="the MALLOC settings of the Makefile",
)
# Times an elementwise operation whenever it is asked to.
_PROGRAM = """
import sys, time, torch
numbers, repeats = map(int, sys.argv[1:])
x = torch.ones(numbers)
for _ in range(2):
    x + 1
for _ in sys.stdin:
    start = time.perf_counter()
    for _ in range(repeats):
        x + 1
    print((time.perf_counter() - start) / repeats, flush=True)
"""


@contextmanager
def timer(numbers: int, repeats: int, *, pinned: bool) -> Iterator[subprocess.Popen]:
    """Start a process with one of the allocators: settings are read at the start."""
    settings = allocator_settings()
    environ = {k: v for k, v in os.environ.items() if k not in settings}
    if pinned:
        environ |= settings
    command = [sys.executable, "-c", _PROGRAM, str(numbers), str(repeats)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environ, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        yield process
        process.stdin.close()


def ask(process: subprocess.Popen) -> float:
    """Return the seconds of one operation.

    Raises:
        RuntimeError: with what it printed, if the process has failed.
    """
    print("now", file=process.stdin, flush=True)
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the timer failed: {process.stderr.read().strip()}")
    return float(line)


def run(options: Options) -> Iterator[Row]:
    """Compare in turns, each side in a process of its own."""
    numbers, repeats = options.choose((10_000, 2), (25_000_000, 20))
    times: tuple[list[float], list[float]] = ([], [])
    with ExitStack() as stack:
        sides = [
            stack.enter_context(timer(numbers, repeats, pinned=pinned))
            for pinned in (False, True)
        ]
        for _ in range(options.pairs):
            for side, column in zip(sides, times, strict=True):
                column.append(ask(side))
    size = f"x + 1 of {numbers * 4 / 1e6:.3g} MB"
    yield compare(SPEC, *times, size=size, note="a process for each side")
