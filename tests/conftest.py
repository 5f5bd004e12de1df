"""One thread per test process, and tools as importable modules."""

import gc
import importlib.util
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest

# Before torch is imported. Tests are many tiny tensors: a second OpenMP thread costs
# more in hand-over than it computes, and two suites on one machine slow each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_finish() -> None:
    """Spare the garbage collector what torch and mmdet have made: they stay anyway."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The checkout the tests run from."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def machine_described_once() -> Iterator[None]:
    """Ask compilers for their versions once and not in every Runner: 0.3 s each."""
    runner = sys.modules.get("mmengine.runner.runner")
    if runner is None:  # no collected test imports it
        yield
        return
    with mock.patch.object(runner, "collect_env", cache(runner.collect_env)):
        yield


@pytest.fixture(scope="session", autouse=True)
def configs_as_they_are() -> Iterator[None]:
    """Write configs into logs and checkpoints without yapf, which formats them.

    Measured: 0.5 s for each run, and more than 10 s with long temporary paths.
    """
    config = sys.modules.get("mmengine.config.config")
    if config is None:
        yield
        return
    with mock.patch.object(config, "FormatCode", lambda text, **_: (text, True)):
        yield


@pytest.fixture(scope="session", autouse=True)
def weights_initialised_in_silence() -> Iterator[None]:
    """Keep no protocol of which initialiser set which of 200 weights, for every model.

    Measured, a tiny detector: a third of the time that building it takes.
    """
    base = sys.modules.get("mmengine.model.base_module")
    if base is None:
        yield
        return
    with (
        mock.patch.object(base, "update_init_info"),
        mock.patch.object(sys.modules[base.initialize.__module__], "update_init_info"),
        mock.patch.object(base.BaseModule, "_dump_init_info"),
    ):
        yield


@pytest.fixture(scope="session")
def load_tool():
    """Import a script of tools/ by its name, without putting tools/ on sys.path.

    tools/test.py would hide the standard library's `test` there.
    """

    def load(name: str) -> ModuleType:
        path = ROOT / "tools" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"tools_{name}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
