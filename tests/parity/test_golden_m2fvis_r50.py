"""The baseline computes what detectron2's Mask2Former-VIS R50 computes.

The reference weights go through the converter; the numbers they must lead to are in
tests/fixtures/golden. See docs/checkpoints.md for how the kit was made.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import golden_kit, golden_run
from mmengine.structures import InstanceData

from tmt_vis.models import features, query_decoder
from tmt_vis.structures import ClipDataSample

KIT = "m2fvis_r50"
FRAMES = 3
TOLERANCE = 1e-4
LAST = 9


def gap(ours, name):
    """Return the largest difference from an array of the kit."""
    theirs = golden_kit.golden(KIT)[name]
    ours = np.asarray(ours)
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max()


def mean_std(x):
    """Return mean and standard deviation over all axes but the first, (N, 2)."""
    flat = x.flatten(1)
    return torch.stack([flat.mean(1), flat.std(1, correction=0)], -1)


@pytest.fixture(scope="module")
def run():
    """Convert, load strictly, and run the kit's clip up to the decoder."""
    config = "mask2former_vis/mask2former-vis_r50_8xb2-8k_ytvis21"
    model = golden_run.load_kit(KIT, config, "ytvis21")
    first = int(golden_kit.golden(KIT)["meta/t0"])
    return golden_run.run_trunk(model, golden_kit.frames(FRAMES, first))


@pytest.fixture(scope="module")
def stages(run):
    return decode(run)


def decode(run):
    """Decode the clip: class logits (10, Q, K + 1), masks (10, Q, T, H, W)."""
    out = golden_run.decode(run)
    return SimpleNamespace(class_logits=out.class_logits[:, 0], masks=out.masks[:, 0])


def test_backbone(run):
    steps = {2: (16, 6, 10), 3: (32, 3, 5), 4: (32, 2, 3), 5: (32, 1, 1)}
    for level, (stage, (c, y, x)) in zip(run.levels, steps.items(), strict=True):
        sample = level[:, ::c, ::y, ::x]
        assert gap(sample, f"backbone/res{stage}_sample") < TOLERANCE
        assert gap(mean_std(level), f"backbone/res{stage}_mean_std") < TOLERANCE


def test_pixel_decoder(run):
    for index, level in enumerate(run.pixels.levels):
        step = 2**index
        sample = level[:, ::16, ::step, ::step]
        assert gap(sample, f"pixel_decoder/memory{index}_sample") < TOLERANCE
        assert gap(mean_std(level), f"pixel_decoder/memory{index}_mean_std") < TOLERANCE
    features = run.pixels.mask_features
    name = "pixel_decoder/mask_features"
    assert gap(features[:, ::8, ::3, ::3], f"{name}_sample") < TOLERANCE
    assert gap(mean_std(features), f"{name}_mean_std") < TOLERANCE


def test_ten_stages(stages):
    assert gap(stages.class_logits, "stages/class_logits") < TOLERANCE
    last, middle = stages.masks[LAST], stages.masks[4]
    assert gap(last[:, :, ::3, ::3], "last/mask_logits_sample") < TOLERANCE
    assert gap(middle[:, :, ::6, ::6], "aux4/mask_logits_sample") < TOLERANCE
    moments = torch.stack([mean_std(masks) for masks in stages.masks])
    assert gap(moments, "stages/mask_mean_std") < TOLERANCE
    pixels = stages.masks[0, 0].numel()
    share = (stages.masks > 0).flatten(2).float().mean(-1)
    assert gap(share, "stages/mask_fg_fraction") <= 3 / pixels


def sample(variant=None):
    made = ClipDataSample()
    if variant:
        made.gt_instances = InstanceData(
            labels=torch.tensor(golden_kit.LABELS),
            masks=golden_kit.moving_boxes(FRAMES, variant),
        )
    size = golden_kit.SIZE
    made.set_metainfo(
        dict(
            label_space="ytvis21",
            img_shape=size,
            ori_shape=size,
            batch_input_shape=size,
        )
    )
    return made


@torch.no_grad()
def losses(run, variant, monkeypatch):
    """Return unweighted losses (10,) by name, matches (10, N), costs (10, Q, N)."""
    head, seen = run.model.head, {}

    def spy(name):
        original = getattr(head.supervision.assigner, name)

        def call(*args, **kwargs):
            seen[name] = original(*args, **kwargs)
            return seen[name]

        monkeypatch.setattr(head.supervision.assigner, name, call)

    spy("assign")
    spy("clip_costs")
    named = head.loss(run.pixels, [sample(variant)])
    by_stage = {}
    for name in ("cls", "mask", "dice"):
        values = [named[f"d{i}.loss_{name}"] for i in range(LAST)]
        stacked = torch.stack([*values, named[f"loss_{name}"]])
        by_stage[name] = stacked / head.supervision.criterion.loss_weights[name]
    return by_stage, seen["assign"][0], seen["clip_costs"]


@pytest.mark.parametrize("variant", ["A", "B"])
def test_losses_and_assignments(run, variant, monkeypatch):
    by_stage, matches, costs = losses(run, variant, monkeypatch)
    name = f"loss{variant}"
    assert gap(matches, f"{name}/hungarian_query_of_gt") == 0
    # Sums of terms up to 50; the reference differs from itself by 5e-5.
    assert gap(costs, f"{name}/matching_cost") < 5 * TOLERANCE
    for ours, theirs in (("cls", "ce"), ("mask", "mask"), ("dice", "dice")):
        assert gap(by_stage[ours], f"{name}/loss_{theirs}") < TOLERANCE


def test_tracks(run):
    (predicted,) = run.model.predict(run.clip, [sample()])
    tracks = predicted.pred_tracks
    assert gap(tracks.scores, "final/scores") < 1e-5
    assert gap(tracks.labels, "final/labels") == 0
    assert gap(tracks.queries, "final/query") == 0
    areas = np.stack([tube.frame_areas() for tube in tracks.tubes])
    assert gap(areas, "final/mask_area") <= 10


def reverse_levels(monkeypatch, run):
    levels = run.features.levels[::-1]
    changed = features.ClipFeatures(run.features.mask_features, levels)
    monkeypatch.setattr(run, "features", changed)


def drop_time_encoding(monkeypatch, run):
    frame = run.model.head.query_decoder._position(1, (3, 5), torch.device("cpu"))
    level, *others = run.features.levels
    changed = features.FeatureLevel(level.tokens, frame.repeat(1, FRAMES, 1), (3, 5))
    clips = features.ClipFeatures(run.features.mask_features, (changed, *others))
    monkeypatch.setattr(run, "features", clips)


def move_mask_threshold(monkeypatch, run):
    keep = query_decoder.keep_from_mask_logits
    monkeypatch.setattr(
        query_decoder, "keep_from_mask_logits", lambda logits: keep(logits - 0.1)
    )


@pytest.mark.parametrize(
    "mutate", [reverse_levels, drop_time_encoding, move_mask_threshold]
)
def test_the_kit_sees_a_changed_decoder(run, mutate, monkeypatch):
    mutate(monkeypatch, run)
    assert gap(decode(run).class_logits, "stages/class_logits") > 100 * TOLERANCE


def test_the_kit_sees_another_bce_normaliser(run, monkeypatch):
    monkeypatch.setattr(run.model.head.supervision.criterion, "mmdet_bce_scale", True)
    by_stage, _, _ = losses(run, "A", monkeypatch)
    assert gap(by_stage["mask"] / FRAMES, "lossA/loss_mask") < TOLERANCE
    assert gap(by_stage["mask"], "lossA/loss_mask") > 1
