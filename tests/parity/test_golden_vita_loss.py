"""VITA's training losses equal those of the released code, on a golden kit."""

from types import SimpleNamespace

import pytest
import torch
from helpers import golden_kit, golden_run
from helpers.golden_arrays import check
from mmengine.structures import InstanceData

from tmt_vis.structures import ClipDataSample

pytestmark = pytest.mark.slow
KIT = "vita_r50_loss"
CONFIG = "vita/vita_r50_8xb1-150k_ovis"
SIZE, FRAMES, LAYERS, CLIPS = (70, 100), 6, 3, 2


def sample(variant, size):
    made = ClipDataSample(metainfo=dict(label_space="ovis"))
    masks = torch.zeros(2, FRAMES, *size, dtype=torch.bool)
    height, width = SIZE
    boxes = golden_kit.moving_boxes(FRAMES, variant, size=SIZE)
    masks[..., :height, :width] = boxes
    labels = torch.tensor(golden_kit.LABELS)
    made.gt_instances = InstanceData(labels=labels, masks=masks)
    return made


@pytest.fixture(scope="module")
def run():
    """Compute all losses, and remember what goes through the parts."""
    model = golden_run.load_kit(KIT, CONFIG, "ovis").train()
    head, seen = model.head, SimpleNamespace(assigned=[])
    numbers = golden_kit.golden(KIT)["meta/t"]
    clips = torch.cat([golden_kit.clip_of(row, size=SIZE) for row in numbers])
    samples = [sample(v, clips.shape[-2:]) for v in "BA"]

    def spy(owner, name, keep):
        original = getattr(owner, name)

        def call(*args, **kwargs):
            out = original(*args, **kwargs)
            keep(out)
            return out

        setattr(owner, name, call)

    spy(head.assigner, "assign", seen.assigned.append)
    spy(head, "video_predictions", lambda out: setattr(seen, "stages", out))
    spy(head.video.frame_embed, "forward", lambda out: setattr(seen, "frames", out))
    spy(head.video.video_embed, "forward", lambda out: setattr(seen, "videos", out))
    with torch.no_grad():
        seen.losses = model.loss(clips, samples)
    seen.head = head
    return seen


def stage_losses(run, part, name):
    """Return the unweighted losses of all stages, (S,)."""
    prefixes = [f"{part}.d{i}." for i in range(9)] + [f"{part}."]
    names = [f"{prefix}loss_{name}" for prefix in prefixes]
    values = [run.losses[name] for name in names if name in run.losses]
    return torch.stack(values) / run.head.criterion.loss_weights[name]


@pytest.mark.parametrize("part", ["frame", "video"])
def test_losses(run, part):
    for ours, theirs in (("cls", "ce"), ("mask", "mask"), ("dice", "dice")):
        check(KIT, f"{part}/loss_{theirs}", stage_losses(run, part, ours))


def test_similarity_and_sum(run):
    assert len(run.losses) == 40
    check(KIT, "video/loss_sim", run.losses["video.loss_sim"].view(1) / 0.5)
    check(KIT, "total_weighted", sum(run.losses.values()).view(1))


def test_matches_of_frames(run):
    frames, _ = run.assigned
    rows = torch.full((10, CLIPS * FRAMES, 2), -1)
    for number, match in enumerate(frames):
        rows[:, number, : match.shape[1]] = match
    check(KIT, "frame/query_of_gt", rows)


def test_matches_of_clips(run):
    _, clips = run.assigned
    by_layer = torch.stack([clip.view(3, LAYERS, 2) for clip in clips], 2)
    check(KIT, "video/query_of_gt", by_layer.flatten(1, 2))


def test_predictions(run):
    stages = run.stages
    logits = stages.class_logits.unflatten(0, (3, LAYERS))
    check(KIT, "video/class_logits_sample", logits[..., ::10, :])
    last = stages.mask_embeds.unflatten(0, (3, LAYERS))[-1]
    masks = torch.einsum("lbqc,btchw->lbqthw", last, stages.mask_features)
    check(KIT, "video/mask_logits_sample", masks[:, :, ::20, :, ::6, ::8])
    frames = run.frames.unflatten(0, (LAYERS, CLIPS))
    check(KIT, "video/sim_frame_sample", frames[..., ::25, ::16])
    videos = run.videos.unflatten(0, (LAYERS, CLIPS))
    check(KIT, "video/sim_clip_sample", videos[..., ::10, ::16])
