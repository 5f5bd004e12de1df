"""IDOL's losses, matchings and contrastive pairs are those of VNext's IDOL on OVIS."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import golden_kit
from helpers.config_family import load
from helpers.golden_arrays import check, mean_std
from mmdet.registry import MODELS
from mmengine.structures import InstanceData

from tmt_vis.checkpoints import SourceCheckpoint, convert
from tmt_vis.models.features import FrameLevels
from tmt_vis.structures import ClipDataSample

KIT = "idol_r50_loss"
IMAGE, PADDED = (70, 110), (96, 128)
VARIANTS = "BAB"
STAGES, QUERIES = 6, 300

pytestmark = pytest.mark.slow


def sample_of(variant, frames):
    """Make the objects of a pair at the padded size."""
    masks = golden_kit.moving_boxes(3, variant, size=IMAGE)[:, frames.tolist()]
    gap = (0, PADDED[1] - IMAGE[1], 0, PADDED[0] - IMAGE[0])
    sample = ClipDataSample(
        metainfo=dict(label_space="ovis", img_shape=IMAGE, clip_seed=0)
    )
    sample.gt_instances = InstanceData(
        labels=torch.tensor(golden_kit.LABELS),
        masks=torch.nn.functional.pad(masks, gap),
    )
    return sample


@pytest.fixture(scope="module")
def run():
    """Convert, load strictly, and compute the losses of the three pairs."""
    model = MODELS.build(load("idol/idol_r50_8xb2-12k_ovis").model).eval()
    source = SourceCheckpoint(golden_kit.reference_weights(KIT))
    model.load_state_dict(convert(source, source_labels="ovis").state_dict)
    head, seen = model.head, SimpleNamespace()
    parts = head.pair_losses
    parts.contrast.negatives = "first"
    pairs = golden_kit.golden(KIT)["meta/pairs"]
    numbers, frames = pairs[..., 0], pairs[..., 1]
    clip = golden_kit.clip_of(numbers.flatten(), size=IMAGE)
    _spy(parts.assigner, "assign", seen)
    _spy(parts, "contrast", seen)
    _spy(parts, "criterion", seen)
    with torch.no_grad():
        levels = head.pixel_features(model.backbone(clip[0]), clip[0])
        assert isinstance(levels, FrameLevels)
        samples = [sample_of(*pair) for pair in zip(VARIANTS, frames, strict=True)]
        losses = head.loss(levels, samples)
    return SimpleNamespace(losses=losses, seen=seen)


def _spy(owner, name, seen):
    """Keep what is passed to a part of the head, and what it returns."""
    original = getattr(owner, name)

    def called(*args):
        result = original(*args)
        setattr(seen, name, SimpleNamespace(args=args, result=result))
        return result

    called.norms = getattr(original, "norms", None)
    setattr(owner, name, called)


def test_predictions(run):
    logits, boxes, masks, _, pairs = run.seen.criterion.args
    check(KIT, "key/class_logits_sample", logits[:, :, ::20])
    check(KIT, "key/boxes_sample", boxes[:, :, ::10])
    last = pairs.stage == STAGES - 1
    moments = [mean_std(masks[last & (pairs.frame == b)], 0) for b in range(3)]
    check(KIT, "key/mask_logits_mean_std", torch.stack(moments))


def test_matches(run):
    found = run.seen.assign.result[::2]
    objects = np.stack([match.objects for (match,) in found], 1)
    check(KIT, "match/gt_of_query", objects)
    best = np.full((STAGES, 3, 2), -1)
    for pair, (match,) in enumerate(found):
        best[:, pair, : match.best.shape[1]] = match.best
    check(KIT, "match/best_query", best)


def test_contrastive_pairs(run):
    masks = {
        name: np.zeros((3, 2, QUERIES), bool)
        for name in ("reid/positive", "reid/not_negative")
    }
    for pair, match in enumerate(run.seen.contrast.args[2]):
        masks["reid/positive"][pair, : len(match.key)] = match.positives
        masks["reid/not_negative"][pair, : len(match.key)] = match.near
    for name, array in masks.items():
        assert np.array_equal(golden_kit.golden(KIT)[name], array), name


def test_losses(run):
    names = dict(ce="cls", bbox="bbox", giou="giou", mask="mask", dice="dice")
    weights = dict(ce=2, bbox=5, giou=2, mask=2, dice=5)
    prefixes = [f"d{stage + 1}." for stage in range(STAGES - 1)] + [""]
    for theirs, ours in names.items():
        values = [run.losses[f"{prefix}loss_{ours}"] for prefix in prefixes]
        check(KIT, f"loss/{theirs}", torch.stack(values) / weights[theirs])
    check(KIT, "loss/reid", run.losses["loss_reid"].view(1) / 2)
    check(KIT, "loss/reid_aux", run.losses["loss_reid_aux"].view(1) / 3)
    check(KIT, "total_weighted", sum(run.losses.values()).view(1))
