"""Train jointly, validate per dataset, stop anywhere, go on: the same run."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from helpers.tiny_run import Killed, make_sprites, run_cfg
from mmengine.runner import Runner

from tmt_vis.taxonomy import Taxonomy

ITERS = 5
_RUNS = itertools.count()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_sprites(tmp_path_factory.mktemp("sprites"))


def _train(cfg) -> Runner:
    # A name per run: mmengine keeps one message hub, logger and visualizer per name.
    cfg.experiment_name = f"{Path(cfg.work_dir).name}_{next(_RUNS)}"
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def _curve(work_dir: Path) -> dict[int, float]:
    lines = [
        json.loads(line)
        for path in sorted(work_dir.glob("*/vis_data/scalars.json"))
        for line in path.read_text().splitlines()
    ]
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


@pytest.fixture(scope="module")
def unbroken(data, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp("unbroken")
    cfg = run_cfg(data, work_dir, iters=ITERS)
    # Drawing changes nothing: the runs that are compared with this one do not draw.
    cfg.default_hooks.visualization.update(draw=True, score_thr=0.0, max_videos=1)
    return work_dir, _train(cfg)


def test_validation_reports_every_dataset(unbroken):
    work_dir, _ = unbroken
    scalars = next(work_dir.glob("*/vis_data/scalars.json")).read_text()
    last = json.loads(scalars.splitlines()[-1])
    assert {"ytvis19/AP", "ovis/AP", "mean/AP", "ovis/AR10", "ovis/taxo_recall"} <= set(
        last
    )


def test_validation_draws_a_video_of_every_dataset(unbroken):
    work_dir, _ = unbroken
    drawn = work_dir.glob(f"*/vis_video/iter_{ITERS}/*/*.mp4")
    assert sorted(path.parent.name for path in drawn) == ["ovis", "ytvis19"]


def test_checkpoint_loads_weights_only_and_knows_its_taxonomy(unbroken):
    work_dir, runner = unbroken
    saved = torch.load(work_dir / f"iter_{ITERS}.pth", weights_only=True)
    key = "head.vocabulary.taxonomy_json"
    stored = json.loads(bytes(saved["state_dict"][key].tolist()))
    ours = Taxonomy.from_dict(stored)
    assert ours.fingerprint == runner.model.head.vocabulary.taxonomy.fingerprint


@pytest.mark.parametrize("stop", [2, 3])
def test_killed_and_resumed_equals_unbroken(data, tmp_path, unbroken, stop):
    """Checkpoints are written every two iterations; the kill may fall between."""
    reference_dir, reference = unbroken
    cfg = run_cfg(data, tmp_path, iters=ITERS)
    cfg.custom_hooks.append(dict(type="KillHook", at=stop))
    with pytest.raises(Killed):
        _train(cfg)
    resumed = run_cfg(data, tmp_path, iters=ITERS)
    resumed.resume = True
    runner = _train(resumed)
    assert _curve(tmp_path) == _curve(reference_dir)
    for key, value in reference.model.state_dict().items():
        assert torch.equal(value, runner.model.state_dict()[key]), key
