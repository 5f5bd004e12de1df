"""Every benchmark can be imported and says what it compares; some are run."""

import subprocess
import sys

import pytest

from benchmarks import __main__ as cli
from benchmarks import registry
from benchmarks.common import Options, Skipped, Spec

TINY = Options.quick(pairs=1, warmups=1)
GPU = [name for name in registry.NAMES if name.endswith("gpu")]


@pytest.mark.parametrize("name", registry.NAMES)
def test_every_benchmark_says_what_it_compares(name):
    spec = registry.load(name).SPEC
    assert isinstance(spec, Spec) and spec.name == name
    assert spec.reference and spec.ours
    assert spec.target or name.startswith("advice/")
    assert spec.device == ("cuda" if name in GPU else "cpu")


def test_every_file_is_registered(repo_root):
    files = {file.stem for file in (repo_root / "benchmarks").glob("*_*.py")}
    named = {name.replace("/", "_") for name in registry.NAMES}
    assert files - named == {"__init__", "__main__", "train_counts", "video_hosts"}
    with pytest.raises(KeyError, match="no benchmark 'eval/ap'"):
        registry.load("eval/ap")


@pytest.mark.parametrize(
    "name",
    [
        "eval/tube_iou",
        "eval/ap_from_json",
        "infer/mask_decode",
        "data/mixture",
        "infer/many_videos",
    ],
)
def test_tiny_runs(name):
    rows = list(registry.load(name).run(TINY))
    assert rows and all(row.b.median >= 0 and row.size for row in rows)


@pytest.mark.parametrize("name", GPU)
def test_gpu_benchmarks_skip_without_a_gpu(name, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(Skipped, match="needs a CUDA device"):
        next(registry.load(name).run(TINY))


def test_a_gpu_benchmark_runs_on_a_cpu():
    rows = list(
        registry.load("infer/video_t36_gpu").run(
            Options.quick(pairs=1, warmups=1, device="cpu")
        )
    )
    assert [row.size.endswith("per frame") for row in rows] == [False, True]
    assert "probabilities differ" in rows[0].agreement
    assert "of the floor of" in rows[0].note and "FLOP/s, measured" in rows[0].note


@pytest.mark.slow
@pytest.mark.parametrize("name", GPU)
def test_all_gpu_benchmarks_run_on_a_cpu(name):
    options = Options.quick(pairs=1, warmups=1, device="cpu")
    rows = list(registry.load(name).run(options))
    assert rows and all(
        "of the floor of" in row.note for row in rows if "per frame" not in row.size
    )


def test_the_command_line_names_them_all():
    command = [sys.executable, "-m", "benchmarks", "--list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert listed.stdout.split() == list(registry.NAMES)
    with pytest.raises(SystemExit):
        cli.parse_args(["--quick", "--docs", "page.md"])
    unknown = subprocess.run([*command[:-1], "eval/ap"], capture_output=True, text=True)
    assert unknown.returncode == 2 and "no benchmark eval/ap" in unknown.stderr
