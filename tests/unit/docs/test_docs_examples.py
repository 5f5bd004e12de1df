"""The example of an own dataset in docs/datasets.md works as it stands."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.config_family import CONFIGS, ROOT, present
from mmdet.registry import DATASETS, EVALUATOR
from mmengine.config import Config
from mmengine.registry import DefaultScope

from tmt_vis.taxonomy import Taxonomy


def _example(title: str) -> str:
    text = (ROOT / "docs" / "datasets.md").read_text()
    pattern = rf"<!-- example: {title} -->\n```\w+\n(.*?)```"
    return re.search(pattern, text, re.S)[1]


@pytest.fixture
def ranch(tmp_path, monkeypatch) -> Config:
    """Write what the page tells the reader to write; return the config."""
    folder = tmp_path / "data" / "ranch"
    folder.mkdir(parents=True)
    for name in ("train.json", "val.json"):
        (folder / name).write_text(_example("annotations"))
    (folder / "label_space.json").write_text(_example("label space"))
    (video,) = json.loads(_example("annotations"))["videos"]
    for frame in video["file_names"]:
        path = folder / "frames" / frame
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.zeros((video["height"], video["width"], 3), np.uint8)
        assert cv2.imwrite(str(path), image)
    text = _example("config").replace('_base_ = "./', f'_base_ = "{CONFIGS}/tmt_vis/')
    (tmp_path / "child.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    return Config.fromfile(Path("child.py"))


def test_the_example_dataset_is_read(ranch):
    with DefaultScope.overwrite_default_scope("mmdet"):
        clip = DATASETS.build(ranch.train_dataloader.dataset)[0]
        video = DATASETS.build(ranch.val_dataloader.dataset)[0]
        (metric,) = EVALUATOR.build(ranch.val_evaluator).metrics
    truth = clip["data_samples"].gt_instances
    assert truth.labels.tolist() == [1, 2]  # slots of hen and tractor
    assert truth.present.tolist() == [[True, False], [False, True]]
    assert video["data_samples"].dataset == "ranch" and len(video["inputs"]) == 2
    assert len(metric.annotations.ground_truth[1]) == 2


def test_the_example_config_is_consistent(ranch):
    (space,) = ranch.model.head.taxonomy.label_spaces
    taxonomy = Taxonomy.from_label_spaces([space])
    assert taxonomy.names == ("collie", "hen", "tractor")
    assert ranch.model.head.test_cfg.max_per_video.ranch == 10
    assert present(ranch.train_dataloader.sampler.ratios) == {"ranch": 1.0}
    assert ranch.test_dataloader == ranch.val_dataloader
    joint = Taxonomy.from_label_spaces(["ytvis19", space])
    assert joint.names[joint.slot_to_union("ranch")[0]] == "dog"
