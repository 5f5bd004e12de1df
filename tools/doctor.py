"""Say what is installed, what will not work, and how to mend it.

    python tools/doctor.py

Works when the rest does not: every import of a third-party package is part of a check.
Exit code 1 if something is broken; a warning does not change it.
"""

import argparse
import importlib
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

# Import name -> distributions that provide it, each with the version that was tested.
DISTRIBUTIONS: dict[str, dict[str, str | None]] = {
    "torch": {"torch": "2.12.1"},
    "torchvision": {"torchvision": "0.27.1"},
    "mmengine": {"mmengine": "0.10.7", "onedl-mmengine": None},
    "mmcv": {"mmcv": "2.1.0", "mmcv-lite": "2.1.0", "onedl-mmcv": None},
    "mmdet": {"mmdet": "3.3.0", "onedl-mmdetection": None},
}
# A checkout, or what a wheel holds of it.
_ROOT = Path(__file__).resolve().parents[1]
_IN_CHECKOUT = (_ROOT / "requirements").is_dir()
INSTALL = (
    "pip install -r requirements/mminstall.txt"
    if _IN_CHECKOUT
    else 'pip install "tmt-vis[mmlab]"'
)
PROVIDER = (
    "pip install ./projects/mmcv_ext"
    if _IN_CHECKOUT
    else f"pip install {_ROOT / 'mmcv_ext'}"
)
# From here on a tensor's memory stays with the process; see docs/installation.md.
GOOD_MMAP_THRESHOLD = 2**28
MALLOC_SETTINGS = (
    "MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=34359738368 "
    "MALLOC_TOP_PAD_=268435456"
)


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Args:
        topic: what was looked at.
        status: "ok", "warning" or "broken".
        detail: what was found.
        remedy: what to do about it; empty if ok.
    """

    topic: str
    status: str
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.status:<8} {self.topic:<16} {self.detail}"
        return f"{line}\n{'':<25} -> {self.remedy}" if self.remedy else line


def check_python(version: tuple[int, int]) -> Finding:
    """Check the interpreter's (major, minor)."""
    detail = ".".join(map(str, version))
    if (3, 10) <= version < (3, 13):
        return Finding("python", "ok", detail)
    return Finding("python", "broken", detail, "use Python 3.10, 3.11 or 3.12")


def installed_distributions() -> dict[str, str]:
    """Return name -> version of the distributions that `check_distribution` knows."""
    found = {}
    for name in {name for choices in DISTRIBUTIONS.values() for name in choices}:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def check_distribution(import_name: str, installed: Mapping[str, str]) -> Finding:
    """Check that exactly one distribution provides an import, in a tested version."""
    choices = DISTRIBUTIONS[import_name]
    found = {name: installed[name] for name in choices if name in installed}
    detail = ", ".join(f"{name} {version}" for name, version in found.items())
    if not found:
        return Finding(import_name, "broken", "not installed", INSTALL)
    if len(found) > 1:
        remedy = (
            f"they overwrite each other's files: pip uninstall {' '.join(found)}, "
            "then install one of them"
        )
        return Finding(import_name, "broken", detail, remedy)
    (name, version), tested = *found.items(), choices[next(iter(found))]
    if tested and version.split("+")[0] != tested:
        return Finding(import_name, "warning", detail, f"tested with {name} {tested}")
    return Finding(import_name, "ok", detail)


def check_torchvision() -> Finding:
    """Call an operator: a torchvision built for another torch imports, then fails."""
    topic = "torch pair"
    try:
        import torch
        import torchvision

        boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        torchvision.ops.nms(boxes, torch.ones(1), 0.5)
    except Exception as error:
        remedy = f"torch and torchvision must be built for each other: {INSTALL}"
        return Finding(topic, "broken", _one_line(error), remedy)
    return Finding(topic, "ok", "torchvision runs on this torch")


def check_opencv() -> Finding:
    """Import cv2, which needs system libraries a container may lack."""
    try:
        import cv2
    except ImportError as error:
        remedy = "pip uninstall opencv-python; pip install opencv-python-headless"
        return Finding("opencv", "broken", _one_line(error), remedy)
    return Finding("opencv", "ok", cv2.__version__)


def find_mmcv_ops() -> str | None:
    """Return the file Python would import as `mmcv._ext`, None if there is none."""
    spec = importlib.util.find_spec("mmcv")
    if spec is None or not spec.submodule_search_locations:
        return None
    found = importlib.machinery.PathFinder.find_spec(
        "mmcv._ext", spec.submodule_search_locations
    )
    return found.origin if found else None


def check_mmcv_ops(origin: str | None) -> Finding:
    """Say which operators mmcv runs on, given the file of `mmcv._ext`."""
    if origin is None:
        return Finding("mmcv operators", "broken", "no mmcv._ext", PROVIDER)
    if origin.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)):
        return Finding("mmcv operators", "ok", f"compiled ({Path(origin).name})")
    return Finding("mmcv operators", "ok", "mmcv-ext-torch (PyTorch, no compiler)")


def check_import(module: str, remedy: str) -> Finding:
    """Import a module for real: version guards and missing operators show here."""
    try:
        importlib.import_module(module)
    except Exception as error:
        return Finding(f"import {module}", "broken", _one_line(error), remedy)
    return Finding(f"import {module}", "ok", "works")


def check_mim(has_pkg_resources: bool) -> Finding:
    """Check that `mim` can start; it imports pkg_resources."""
    if has_pkg_resources:
        return Finding("mim", "ok", "pkg_resources is there")
    remedy = "pip install 'setuptools<82', or use tools/train.py, which needs no mim"
    return Finding("mim", "warning", "no pkg_resources", remedy)


def check_gpu() -> Finding:
    """Say which accelerators torch sees."""
    try:
        import torch

        count = torch.cuda.device_count()
        names = [torch.cuda.get_device_name(index) for index in range(count)]
    except Exception as error:
        return Finding("gpu", "broken", _one_line(error), INSTALL)
    return Finding("gpu", "ok", ", ".join(names) or "none; runs on the CPU")


def check_allocator(environ: Mapping[str, str]) -> Finding:
    """Check that large CPU tensors are not returned to the kernel after every use."""
    preload = environ.get("LD_PRELOAD", "")
    for library in ("tcmalloc", "jemalloc"):
        if library in preload:
            return Finding("allocator", "ok", library)
    threshold = environ.get("MALLOC_MMAP_THRESHOLD_", "")
    if threshold.isdigit() and int(threshold) >= GOOD_MMAP_THRESHOLD:
        return Finding("allocator", "ok", f"MALLOC_MMAP_THRESHOLD_={threshold}")
    detail = "glibc defaults; elementwise CPU operations on 100 MB were 6x slower"
    return Finding("allocator", "warning", detail, f"export {MALLOC_SETTINGS}")


def check_threads(environ: Mapping[str, str], cores: int) -> Finding:
    """Check that OpenMP does not start more threads than there are cores."""
    wanted = environ.get("OMP_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > cores:
        detail = f"OMP_NUM_THREADS={wanted} on {cores} cores: threads wait in turns"
        return Finding("threads", "warning", detail, f"export OMP_NUM_THREADS={cores}")
    detail = f"OMP_NUM_THREADS={wanted}" if wanted else f"all {cores} cores"
    return Finding("threads", "ok", detail)


def check_bfloat16(cpuinfo: str) -> Finding:
    """Look for bfloat16 among the instructions of the CPU.

    Args:
        cpuinfo: content of ``/proc/cpuinfo``; empty where there is none.
    """
    topic, flags = "bfloat16 (CPU)", set(cpuinfo.split())
    found = sorted(flags & {"avx512_bf16", "amx_bf16", "bf16"})
    if found or not cpuinfo:
        return Finding(topic, "ok", ", ".join(found) or "cannot tell")
    # Not a fault of the installation, and GPUs have their own.
    return Finding(topic, "ok", "no instructions; on this CPU, --amp is slower")


def check_text_embeddings() -> Finding:
    """Count the files of text embeddings in the folders that are searched."""
    topic = "text embeddings"
    try:
        from tmt_vis.text import default_folders

        folders = [Path(folder) for folder in default_folders()]
    except Exception as error:
        return Finding(topic, "broken", _one_line(error), "pip install -e .")
    return count_embeddings(folders)


def count_embeddings(folders: list[Path]) -> Finding:
    """Report how many embedding files lie in some folders."""
    files = [path for folder in folders for path in folder.glob("*.npz")]
    if files:
        names = ", ".join(sorted(path.stem for path in files))
        return Finding("text embeddings", "ok", f"{len(files)} file(s): {names}")
    looked = ", ".join(map(str, folders))
    remedy = "python tools/text_embeddings.py --help; HashTextEncoder needs no file"
    return Finding("text embeddings", "warning", f"no file in {looked}", remedy)


def check_installed(folder: str, package: str = "tmt_vis") -> Finding:
    """Import the package from another folder, as mim and torchrun do."""
    topic = f"{package} package"
    command = [sys.executable, "-c", f"import {package}; print({package}.__file__)"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode == 0:
        return Finding(topic, "ok", result.stdout.strip().splitlines()[-1])
    lines = result.stderr.strip().splitlines() or ["no message"]
    return Finding(topic, "broken", lines[-1], "pip install -e . in the repository")


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


def examine() -> list[Finding]:
    """Run all checks."""
    installed = installed_distributions()
    other_folder = tempfile.gettempdir()
    checks: list[Callable[[], Finding]] = [
        lambda: check_python(sys.version_info[:2]),
        *(
            lambda name=name: check_distribution(name, installed)
            for name in DISTRIBUTIONS
        ),
        check_torchvision,
        check_opencv,
        lambda: check_mmcv_ops(find_mmcv_ops()),
        lambda: check_import("mmdet.models", f"{INSTALL}; {PROVIDER}"),
        lambda: check_import("mmdet.datasets", INSTALL),
        lambda: check_mim(importlib.util.find_spec("pkg_resources") is not None),
        check_gpu,
        lambda: check_allocator(os.environ),
        lambda: check_threads(os.environ, os.cpu_count() or 1),
        lambda: check_bfloat16(_read(Path("/proc/cpuinfo"))),
        lambda: check_installed(other_folder),
        check_text_embeddings,
    ]
    return [check() for check in checks]


def main(argv: Sequence[str] | None = None) -> int:
    """Print every finding; returns the exit code."""
    formatter = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=formatter).parse_args(
        argv
    )
    findings = examine()
    for finding in findings:
        print(finding)
    return int(any(finding.status == "broken" for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
