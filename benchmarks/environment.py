"""Where numbers were measured, and the allocator they need."""

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from . import ROOT
from .common import Options, Skipped

_MALLOC = re.compile(r"^(MALLOC_\w+_) \?= (\d+)$", re.M)
_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}
_PACKAGES = ("torch", "torchvision", "mmengine", "mmcv", "mmcv-lite", "mmdet", "numpy")


def allocator_settings() -> dict[str, str]:
    """Return the settings of glibc's allocator that the Makefile exports."""
    return dict(_MALLOC.findall((ROOT / "Makefile").read_text()))


def ensure_allocator() -> None:
    """Start this program again with a pinned allocator if it is not pinned.

    glibc reads its settings when a process starts. Without them page faults are
    measured: one 100 MB elementwise operation took 71 ms instead of 12 ms.
    """
    missing = {k: v for k, v in allocator_settings().items() if k not in os.environ}
    if missing and sys.platform == "linux":
        command = [sys.executable, "-m", "benchmarks", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **missing})


def describe() -> dict[str, Any]:
    """Return machine, threads, allocator, versions and commit."""
    import torch

    return dict(
        cpu=_cpu(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        load_average=round(os.getloadavg()[0], 2),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        allocator={k: os.environ.get(k) for k in allocator_settings()},
        versions=_versions(),
        commit=_commit(),
    )


def require_bfloat16(options: Options) -> None:
    """Refuse to time bfloat16 on a CPU without instructions for it.

    Raises:
        Skipped: if there are none and sizes are not tiny: one frame of 384x640 then
            takes three times as long as in float32, which says nothing of the code.
    """
    flags = set(_cpuinfo().split())
    if flags and not options.tiny and not flags & _BFLOAT16_FLAGS:
        raise Skipped("this CPU has no bfloat16 instructions")


def _cpu() -> str:
    found = re.search(r"model name\s*: (.+)", _cpuinfo())
    return found[1] if found else platform.processor()


def _cpuinfo() -> str:
    info = Path("/proc/cpuinfo")
    return info.read_text() if info.exists() else ""


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    """Return the short commit, with a plus if files differ from it."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    commit = git("rev-parse", "--short", "HEAD")
    changed = git("status", "--porcelain", "--", "projects")
    return f"{commit or 'unknown'}{'+' if changed else ''}"
