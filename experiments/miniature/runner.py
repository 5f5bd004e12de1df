"""Work through a list of runs, several at a time, within a budget."""

import fcntl
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .runs import Run, write_config

POLL_SECONDS = 1.0
# As in the Makefile: without them glibc gives every large tensor back to the kernel.
_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "34359738368",
    "MALLOC_TOP_PAD_": "268435456",
}


@dataclass
class Outcome:
    """What a call of :func:`work_through` did."""

    finished: list[Run] = field(default_factory=list)
    failed: list[Run] = field(default_factory=list)
    left: list[Run] = field(default_factory=list)


@dataclass
class _Active:
    run: Run
    process: subprocess.Popen
    start: float


def work_through(
    runs: Sequence[Run], *, root: Path, jobs: int, budget: float
) -> Outcome:
    """Do the runs that are not done yet, in order.

    An interrupted run goes on from its newest checkpoint when it is asked for again.

    Args:
        runs: the runs.
        root: folder of the experiment; only one process at a time may work in it.
        jobs: runs at a time, one thread each.
        budget: seconds after which no run is started; nor is one that would, by the
            duration of the others, not be finished by then.

    Returns:
        Which runs were finished, which failed and which were not started.
    """
    outcome = Outcome(left=[run for run in runs if not run.done])
    total, start = len(runs), time.monotonic()
    durations: list[float] = []
    active: list[_Active] = []
    with _only_process(root):
        try:
            while outcome.left or active:
                while outcome.left and len(active) < jobs:
                    expected = statistics.median(durations) if durations else 0
                    if time.monotonic() - start + expected > budget:
                        break
                    active.append(_launch(outcome.left.pop(0), root))
                if not active:
                    break
                time.sleep(POLL_SECONDS)
                for job in [job for job in active if job.process.poll() is not None]:
                    active.remove(job)
                    durations.append(time.monotonic() - job.start)
                    _record(job, outcome, total - len(outcome.left) - len(active))
                _show_progress(active, total - len(outcome.left) - len(active), total)
        finally:
            for job in active:
                job.process.terminate()
    return outcome


@contextmanager
def _only_process(root: Path) -> Iterator[None]:
    """Refuse to work beside another process, which would do the same runs.

    Raises:
        RuntimeError: if there is one.
    """
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError(
                f"another process works in {root}; wait for it or choose another --root"
            ) from error
        yield


def worker_environment() -> dict[str, str]:
    """Return the environment of a run: one thread, allocator settings."""
    return os.environ | {"OMP_NUM_THREADS": "1", **_ALLOCATOR}


def worker_command(run: Run) -> list[str]:
    """Return the command that does a run."""
    return [sys.executable, "-m", "experiments.miniature.worker", str(run.folder)]


def _launch(run: Run, root: Path) -> _Active:
    write_config(run, root)
    with open(run.folder / "output.log", "a") as log:
        process = subprocess.Popen(
            worker_command(run),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=worker_environment(),
        )
    return _Active(run, process, time.monotonic())


def _record(job: _Active, outcome: Outcome, number: int) -> None:
    """Print the line of a run that ended."""
    run, seconds = job.run, time.monotonic() - job.start
    name = f"{run.setting.name} seed {run.seed}"
    if run.done:
        outcome.finished.append(run)
        aps = {
            dataset: 100 * (report["summary"]["AP"] or 0)
            for dataset, report in run.metrics()["datasets"].items()
        }
        text = "  ".join(f"{dataset} {ap:4.1f}" for dataset, ap in aps.items())
        print(f"\r[{number}] {name:<28} {seconds:4.0f} s   AP  {text}", flush=True)
        return
    outcome.failed.append(run)
    log = run.folder / "output.log"
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    print(f"\r{name} failed ({job.process.returncode}); log: {log}\n{tail}", flush=True)


def _show_progress(active: Sequence[_Active], done: int, total: int) -> None:
    """Keep one line up to date on a terminal."""
    if not sys.stdout.isatty():
        return
    steps = ", ".join(f"{j.run.setting.name} {last_step(j.run.folder)}" for j in active)
    print(f"\r{done}/{total} done; {steps}"[:110].ljust(110), end="", flush=True)


def last_step(folder: Path) -> int:
    """Return the last iteration that a training logged, 0 before the first.

    Args:
        folder: of the training.
    """
    files = sorted(folder.glob("*/vis_data/scalars.json"))
    if not files:
        return 0
    lines = files[-1].read_text().splitlines()
    return json.loads(lines[-1])["step"] if lines else 0
