"""The default test suite, as ``make test`` runs it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

from . import ROOT
from .common import Options, Row, Spec, Target, compare
from .environment import allocator_settings

SPEC = Spec(
    name="suite/tests",
    reference="-",
    ours="pytest -n 2 --dist loadfile",
    target=Target(at_most=60),
    timeout=600,
)


def run(options: Options) -> Iterator[Row]:
    """Time the suite once; with ``quick`` one small folder of it."""
    folder = options.choose("tests/unit/files", "tests")
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", folder]
    environ = {**os.environ, **allocator_settings(), "OMP_NUM_THREADS": "1"}
    environ["PYTHONDONTWRITEBYTECODE"] = ""
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=SPEC.timeout - 20,
    )
    took = time.perf_counter() - start
    last = (done.stdout.strip().splitlines() or ["no output"])[-1]
    if done.returncode:
        raise RuntimeError(f"{folder} fails: {last}")
    yield compare(SPEC, [], [took], size=f"{folder}, 2 processes", agreement=last)
