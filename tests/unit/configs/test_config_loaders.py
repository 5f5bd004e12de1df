"""Loaders and evaluators of configs run on miniature files of the official layouts."""

import pytest
from helpers.config_family import ABLATIONS, MAIN, load
from helpers.mini_vis import (
    coco_json,
    moving_video,
    native_json,
    write_frames,
    write_json,
)
from mmdet.registry import EVALUATOR
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

FROM_YTVIS19 = ABLATIONS + "tmt-vis_r50_8xb2-6k_ytvis19-to-"
SWIN_YTVIS21 = "tmt_vis/tmt-vis_swin-l-p4-w12-384-in21k_8xb2-16k_ytvis21-ovis-uvo"
TMT_MINVIS = "tmt_vis/tmt-minvis_r50_8xb4-16k_ytvis19-ovis-uvo"
WITH_COCO = MAIN + "-coco-to-all"
LENGTH = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """One video of three frames per dataset and split, where the configs expect it."""
    root = tmp_path_factory.mktemp("official")
    videos = [moving_video(7, LENGTH)]
    cfg = load(MAIN)
    coco = load(WITH_COCO).image_sets.coco
    for entry in (*cfg.train_sets.values(), *cfg.val_sets.values(), coco):
        folder = root / entry.data_root
        write_frames(folder / entry.data_prefix.img, videos)
        (folder / entry.ann_file).parent.mkdir(parents=True, exist_ok=True)
        file = coco_json(videos) if entry is coco else native_json(videos)
        write_json(folder, file, entry.ann_file)
    return root


@pytest.fixture
def here(data, monkeypatch):
    """Configs name files relative to the repository; stand where the data are."""
    monkeypatch.chdir(data)
    with DefaultScope.overwrite_default_scope("mmdet"):
        yield


def _items(loader_cfg, count: int) -> list[dict]:
    cfg = Config(dict(loader_cfg, num_workers=0, persistent_workers=False))
    batches = iter(Runner.build_dataloader(cfg, seed=0))
    return [
        dict(inputs=inputs, sample=sample)
        for batch in (next(batches) for _ in range(count))
        for inputs, sample in zip(batch["inputs"], batch["data_samples"], strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "datasets", "length"),
    [
        (MAIN, {"ytvis19", "ovis", "uvo"}, 2),
        (FROM_YTVIS19 + "all", {"ytvis19"}, 2),
        (SWIN_YTVIS21, {"ytvis21", "ovis", "uvo"}, 2),
        (TMT_MINVIS, {"ytvis19", "ovis", "uvo"}, 1),
    ],
)
def test_training_clips(here, name, datasets, length):
    items = _items(load(name).train_dataloader, 3)
    assert {item["sample"].dataset for item in items} == datasets
    for item in items:
        frames, channels, height, width = item["inputs"].shape
        assert (frames, channels) == (length, 3)
        assert (height, width) in {(360, 540), (480, 720)}
        assert item["sample"].gt_instances.masks.shape[1:] == (length, height, width)


def test_pairs_of_idol(here):
    for name, data in (
        ("tmt_vis/tmt-vis-idol_r50_8xb4-16k_ytvis19-ovis-uvo", "ytvis19 ovis uvo"),
        ("idol/idol_r50_8xb4-59k_coco-to-ytvis19", "coco"),
    ):
        items = _items(load(name).train_dataloader, 3)
        assert {item["sample"].dataset for item in items} == set(data.split())
        for item in items:
            assert len(item["inputs"]) == 2
            frames = item["sample"].frame_ids
            assert frames[0] < frames[1] or data == "coco"
            large = item["sample"].dataset == "ovis"
            assert max(item["inputs"].shape[2:]) <= (1333 if large else 768)


@pytest.mark.parametrize(
    ("name", "datasets", "short_side"),
    [
        (FROM_YTVIS19 + "all", ["ytvis19", "ovis", "uvo"], 360),
        (FROM_YTVIS19 + "ovis", ["ovis"], 360),
        (SWIN_YTVIS21, ["ovis", "uvo", "ytvis21"], 480),
    ],
)
def test_validation_videos_and_their_metrics(here, name, datasets, short_side):
    cfg = load(name)
    items = _items(cfg.val_dataloader, len(datasets))
    assert [item["sample"].dataset for item in items] == datasets
    for item in items:
        assert item["inputs"].shape == (LENGTH, 3, short_side, short_side * 3 // 2)
    evaluator = EVALUATOR.build(cfg.val_evaluator)
    assert {metric.dataset for metric in evaluator.metrics} == set(datasets)


def test_pseudo_clips_of_coco_in_the_mix(here):
    items = _items(load(WITH_COCO).train_dataloader, 4)
    names = {item["sample"].dataset for item in items}
    assert names == {"ytvis19", "ovis", "uvo", "coco"}
    (image,) = [item for item in items if item["sample"].dataset == "coco"][:1]
    assert image["inputs"].shape[:2] == (2, 3)
    assert min(image["inputs"].shape[2:]) in (360, 480)
    assert image["sample"].frame_ids == [0, 0]
    assert not (image["inputs"][0] == image["inputs"][1]).all()


def test_official_validation_sets_withhold_their_annotations(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = load("tmt_vis/tmt-vis_r50_8xb2-6k_ytvis19")
    metric = cfg.val_evaluator.metrics.ytvis19
    path = tmp_path / metric.ann_file
    path.parent.mkdir(parents=True)
    file = native_json([moving_video(7, LENGTH)])
    del file["annotations"]
    write_json(tmp_path, file, metric.ann_file)
    (built,) = EVALUATOR.build(cfg.val_evaluator).metrics
    assert built.annotations.ground_truth is None
