"""glibc's allocator: keep the memory of large tensors instead of returning it."""

import os
import subprocess
import sys
from collections.abc import Iterator

from .common import Options, Row, Spec, compare
from .environment import allocator_settings

SPEC = Spec(
    name="advice/allocator",
    reference="glibc's defaults",
    ours="the MALLOC settings of the Makefile",
)
_PROGRAM = """
import sys, time, torch
x = torch.ones(int(sys.argv[1]))
for _ in range(2):
    x + 1
start = time.perf_counter()
for _ in range(int(sys.argv[2])):
    x + 1
print((time.perf_counter() - start) / int(sys.argv[2]))
"""


def seconds(numbers: int, repeats: int, *, pinned: bool) -> float:
    """Time an elementwise operation in a new process: settings are read at start."""
    settings = allocator_settings()
    environ = {k: v for k, v in os.environ.items() if k not in settings}
    if pinned:
        environ |= settings
    command = [sys.executable, "-c", _PROGRAM, str(numbers), str(repeats)]
    done = subprocess.run(
        command, env=environ, check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def run(options: Options) -> Iterator[Row]:
    """Compare in turns, each time in a process of its own."""
    numbers, repeats = options.choose((10_000, 2), (25_000_000, 20))
    pairs = options.choose(1, max(1, options.pairs))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(pairs):
        for column, pinned in zip(times, (False, True), strict=True):
            column.append(seconds(numbers, repeats, pinned=pinned))
    size = f"x + 1 of {numbers * 4 / 1e6:.3g} MB"
    yield compare(SPEC, *times, size=size, note="each time in a new process")
