"""Videos of validations: which tracks, in which colours, how many, and where."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from helpers.full_disk import full_disk
from mmdet.engine.hooks.utils import trigger_visualization_hook
from mmdet.registry import HOOKS
from mmengine.config import Config
from mmengine.structures import InstanceData

from tmt_vis.structures import ClipDataSample, TubeRLE
from tmt_vis.visualization import clip_visualization_hook as module
from tmt_vis.visualization.clip_visualization_hook import ClipVisualizationHook

SIZE, FRAMES = (60, 80), 3


def make_runner(folder):
    space = SimpleNamespace(names=("cat", "dog", "cow"))
    taxonomy = SimpleNamespace(label_spaces=dict(pets=space))
    head = SimpleNamespace(vocabulary=SimpleNamespace(taxonomy=taxonomy))
    warnings = []
    return SimpleNamespace(
        model=SimpleNamespace(head=head),
        work_dir=str(folder),
        timestamp="now",
        iter=400,
        logger=SimpleNamespace(warning=warnings.append),
        warnings=warnings,
    )


def make_sample(name="a/b", dataset="barn"):
    """The upper half belongs to query 5 (dog, then cat), the lower to query 2."""
    masks = np.zeros((FRAMES, *SIZE), bool)
    masks[:, :30] = True
    upper, lower = (TubeRLE.from_masks(part) for part in (masks, ~masks))
    facts = dict(video_name=name, dataset=dataset, label_space="pets", ori_shape=SIZE)
    sample = ClipDataSample(metainfo=facts)
    sample.pred_tracks = InstanceData(
        scores=torch.tensor([0.4, 0.9, 0.2]),
        labels=torch.tensor([0, 1, 2]),
        queries=torch.tensor([5, 5, 2]),
    )
    sample.pred_tracks.tubes = [upper, upper, lower]
    return sample


def make_batch(*samples):
    """Blue videos of half the size, as the loader has them: BGR."""
    clip = torch.zeros(FRAMES, 3, SIZE[0] // 2, SIZE[1] // 2, dtype=torch.uint8)
    clip[:, 0] = 200
    return dict(inputs=[clip] * len(samples)), list(samples)


def drawn(hook, runner, *samples, test=False):
    batch, outputs = make_batch(*samples)
    step = hook.after_test_iter if test else hook.after_val_iter
    step(runner, 0, batch, outputs)


def files(folder):
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*.mp4"))


def test_a_validation_becomes_a_video_of_each_clip(tmp_path):
    runner, hook = make_runner(tmp_path), ClipVisualizationHook(draw=True)
    drawn(hook, runner, make_sample(), make_sample("c", "wood"))
    folder = "now/vis_video/iter_400"
    assert files(tmp_path) == [f"{folder}/barn/a_b.mp4", f"{folder}/wood/c.mp4"]
    capture = cv2.VideoCapture(str(tmp_path / folder / "wood" / "c.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    blue, green, red = capture.read()[1][-20, 20].tolist()  # nothing is drawn there
    assert blue > 150 and green < 60 and red < 60


def test_a_query_is_shown_once_with_its_best_category(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        module, "draw_video", lambda images, *rest: seen.append(rest) or images
    )
    hook = ClipVisualizationHook(draw=True, score_thr=0.3)
    sample = make_sample()
    drawn(hook, make_runner(tmp_path), sample)
    ((tubes, labels),) = seen
    assert tubes == sample.pred_tracks.tubes[:1]
    assert [label.text for label in labels] == ["1 dog 0.90"]


@pytest.mark.parametrize(("max_iou", "shown"), [(None, 2), (0.9, 1)])
def test_doubles_are_left_out_on_request(max_iou, shown, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        module, "draw_video", lambda images, *rest: seen.append(rest) or images
    )
    sample = make_sample()
    sample.pred_tracks.queries[0] = 4  # another query on the upper half
    hook = ClipVisualizationHook(draw=True, max_iou=max_iou)
    drawn(hook, make_runner(tmp_path), sample)
    ((_, labels),) = seen
    assert [x.text for x in labels] == ["1 dog 0.90", "2 cat 0.40"][:shown]


def test_some_videos_of_every_dataset_and_pass(tmp_path):
    runner, hook = make_runner(tmp_path), ClipVisualizationHook(draw=True, max_videos=1)
    for name in ("x", "y"):
        drawn(hook, runner, make_sample(name), make_sample(name, "wood"))
    assert [f[-10:] for f in files(tmp_path)] == ["barn/x.mp4", "wood/x.mp4"]
    hook.before_val_epoch(runner)
    drawn(hook, runner, make_sample("z"))
    assert any(f.endswith("barn/z.mp4") for f in files(tmp_path))


def test_nothing_is_drawn_unless_asked_for(tmp_path):
    drawn(ClipVisualizationHook(), make_runner(tmp_path), make_sample())
    assert not files(tmp_path)


def test_a_full_disk_costs_the_video_only(tmp_path):
    runner, hook = make_runner(tmp_path), ClipVisualizationHook(draw=True)
    with full_disk(0):
        drawn(hook, runner, make_sample())
    assert not files(tmp_path)
    (warning,) = runner.warnings
    assert "a video was not drawn" in warning


def test_mmdets_show_dir_switches_it_on(tmp_path, repo_root):
    cfg = Config.fromfile(repo_root / "configs/_base_/default_runtime.py")
    args = SimpleNamespace(show=False, show_dir="look")
    hook = HOOKS.build(
        trigger_visualization_hook(cfg, args).default_hooks["visualization"]
    )
    drawn(hook, make_runner(tmp_path), make_sample(), test=True)
    assert files(tmp_path) == ["now/look/barn/a_b.mp4"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(show=True), "write them with --show-dir"),
        (dict(max_videos=0), "max_videos >= 1 or None"),
        (dict(max_iou=2), r"max_iou is an IoU in \[0, 1\] or None, got 2"),
        (dict(fps=0), "fps > 0, got 10 and 0"),
    ],
)
def test_wrong_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        ClipVisualizationHook(**wrong)
