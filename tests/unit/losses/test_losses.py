"""Each loss term on cases worked out by hand, and the plan that names them."""

import math

import pytest
import torch

from tmt_vis.losses import (
    SetCriterion,
    StageKind,
    StagePredictions,
    TaxonomyLossPlan,
    class_loss,
    compilation_loss,
    plan_stages,
    point_bce,
    point_dice,
    restrict_logits,
    target_classes,
)
from tmt_vis.ops import PointSampler
from tmt_vis.structures import ClipTargets

WEIGHTS = dict(cls=2.0, mask=5.0, dice=5.0, taxo=0.5)


def test_mask_losses_by_hand():
    logits, truth = torch.zeros(1, 4), torch.tensor([[1.0, 1.0, 0.0, 0.0]])
    assert point_bce(logits, truth).item() == pytest.approx(math.log(2))
    # sum(p t) = 1, sum(p) = 2, sum(t) = 2
    assert point_dice(logits, truth).item() == pytest.approx(1 - 3 / 5)


def test_restricted_category_has_no_probability_and_no_gradient():
    logits = torch.randn(1, 2, 3, 5, requires_grad=True)
    keep = torch.tensor([[True, False, True, True], [False, True, True, True]])
    restricted = restrict_logits(logits, keep)
    assert restricted.softmax(-1)[0, 0, :, 1].eq(0).all()
    classes = torch.full((1, 2, 3), 4)
    loss = class_loss(restricted, classes, no_object_weight=0.1, norm=torch.tensor(1.0))
    loss.sum().backward()
    assert logits.grad[0, 0, :, 1].eq(0).all() and logits.grad[0, 1, :, 0].eq(0).all()
    assert logits.grad[0, 0, :, 0].ne(0).all()
    assert logits.grad[..., 4].ne(0).all(), "no object is never restricted"


def test_class_loss_is_the_weighted_mean_of_torch():
    torch.manual_seed(0)
    logits, classes = torch.randn(2, 1, 4, 4), torch.tensor([[[0, 3, 3, 1]]] * 2)
    weight = torch.tensor([1.0, 1.0, 1.0, 0.1])
    expected = torch.nn.functional.cross_entropy(
        logits[0, 0], classes[0, 0], weight=weight
    )
    norm = weight[classes[0, 0]].sum()
    loss = class_loss(logits, classes, no_object_weight=0.1, norm=norm)
    torch.testing.assert_close(loss[0], expected)


def test_compilation_loss_ignores_foreign_categories():
    scores = torch.tensor([[0.0, 50.0, 0.0]], requires_grad=True)
    present = torch.tensor([[True, False, False]])
    keep = torch.tensor([[True, False, True]])
    loss = compilation_loss(scores, present, keep)
    assert loss.item() == pytest.approx(math.log(2))
    loss.backward()
    assert scores.grad[0, 1] == 0 and scores.grad[0, 0] < 0 < scores.grad[0, 2]


def test_target_classes_skips_unmatched_targets():
    targets = [ClipTargets(torch.tensor([7, 3]), torch.zeros(2, 1, 2, 2) > 0)]
    matches = [torch.tensor([[1, -1], [0, 2]])]
    classes = target_classes(torch.Size([2, 1, 3, 11]), targets, matches)
    assert classes.tolist() == [[[10, 7, 10]], [[7, 10, 3]]]


def _criterion(**kwargs):
    points = PointSampler(num_points=64)
    return SetCriterion(loss_weights=WEIGHTS, points=points, **kwargs)


def _case(frames=2, instances=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 1, 4, 6, generator=generator)
    predictions = StagePredictions(
        class_logits=logits.requires_grad_(),
        mask_embeds=torch.randn(2, 1, 4, 8, generator=generator).requires_grad_(),
        mask_features=torch.randn(1, frames, 8, 6, 6, generator=generator),
    )
    masks = torch.rand(instances, frames, 24, 24, generator=generator) > 0.5
    target = ClipTargets(torch.arange(instances), masks, seed=5)
    matches = torch.arange(instances).expand(2, -1)
    stages = plan_stages(1, (), TaxonomyLossPlan())
    return predictions, [target], [matches], stages


def test_criterion_names_and_weights():
    predictions, targets, matches, stages = _case()
    losses = _criterion()(predictions, targets, matches, stages)
    assert set(losses) == {
        f"{prefix}loss_{term}"
        for prefix in ("d0.", "")
        for term in ("cls", "mask", "dice")
    }
    doubled = dict(WEIGHTS, mask=10.0)
    other = SetCriterion(loss_weights=doubled, points=PointSampler(num_points=64))
    again = other(predictions, targets, matches, stages)
    torch.testing.assert_close(again["loss_mask"], 2 * losses["loss_mask"])
    torch.testing.assert_close(again["loss_dice"], losses["loss_dice"])


@pytest.mark.parametrize("frames", [1, 3])
def test_bce_grows_with_frames_once_and_mmdets_twice(frames):
    """Identical frames: the reference's BCE is T times one frame's, mmdet's T**2."""
    predictions, targets, matches, stages = _case(frames=1)
    sampler = PointSampler(num_points=4096, importance_ratio=0.0)

    def run(count, **kwargs):
        repeated = StagePredictions(
            predictions.class_logits,
            predictions.mask_embeds,
            predictions.mask_features.expand(-1, count, -1, -1, -1),
        )
        masks = targets[0].masks.expand(-1, count, -1, -1)
        target = ClipTargets(targets[0].labels, masks, seed=1)
        criterion = SetCriterion(loss_weights=WEIGHTS, points=sampler, **kwargs)
        return criterion(repeated, [target], matches, stages)

    one, many = run(1), run(frames)
    assert (many["loss_mask"] / one["loss_mask"]).item() == pytest.approx(
        frames, rel=0.03
    )
    assert (many["loss_dice"] / one["loss_dice"]).item() == pytest.approx(
        frames, rel=0.03
    )
    mmdet = run(frames, mmdet_bce_scale=True)
    torch.testing.assert_close(mmdet["loss_mask"], frames * many["loss_mask"])


def test_clip_without_instances_keeps_the_graph():
    predictions, _, _, stages = _case()
    empty = ClipTargets(torch.zeros(0, dtype=torch.long), torch.zeros(0, 2, 24, 24) > 0)
    losses = _criterion()(
        predictions, [empty], [torch.zeros(2, 0, dtype=torch.long)], stages
    )
    assert losses["loss_mask"] == 0 and losses["loss_cls"] > 0
    sum(losses.values()).backward()
    assert predictions.mask_embeds.grad.eq(0).all()


def test_loss_does_not_depend_on_the_other_clips_of_the_batch():
    predictions, targets, matches, stages = _case()
    alone = _criterion()(predictions, targets, matches, stages)
    torch.rand(3)
    again = _criterion()(predictions, targets, matches, stages)
    assert {k: v.item() for k, v in alone.items()} == {
        k: v.item() for k, v in again.items()
    }


def test_loss_weights_are_checked():
    with pytest.raises(ValueError, match="loss_weights must have the keys"):
        SetCriterion(loss_weights=dict(cls=2.0))


# ------------------------------------------------------------------ stage plan


def _plan(injected=(0, 1, 2), **taxo):
    return plan_stages(3, injected, TaxonomyLossPlan(**taxo))


def test_baseline_plan_is_mask2former():
    stages = _plan(injected=())
    assert [s.class_name for s in stages] == [
        "d0.loss_cls",
        "d1.loss_cls",
        "d2.loss_cls",
        "loss_cls",
    ]
    assert stages[0].kind is StageKind.INITIAL and all(s.masks for s in stages)


def test_taxonomy_loss_takes_the_place_of_the_first_class_loss():
    first = _plan()[0]
    assert (first.kind, first.class_name) == (StageKind.INJECTED, "d0.loss_taxo")
    assert first.class_weight == "taxo" and first.masks and first.own_assignment
    assert not _plan(assign="final")[0].own_assignment
    assert _plan(enabled=False)[0].class_name is None


def test_extra_taxonomy_loss_keeps_the_first_class_loss():
    initial, extra = _plan(target="extra")[:2]
    assert initial.class_name == "d0.loss_cls" and initial.masks
    assert extra.class_name == "d0.loss_taxo" and not extra.masks


def test_taxonomy_loss_at_all_injections():
    names = [s.class_name for s in _plan(layers="all")]
    assert names == [
        "d0.loss_taxo",
        "d1.loss_cls",
        "d1.loss_taxo",
        "d2.loss_cls",
        "d2.loss_taxo",
        "loss_cls",
    ]
    once = [s.class_name for s in _plan(injected=(0,), layers="all")]
    assert once.count("d0.loss_taxo") == 1 and "d1.loss_taxo" not in once


@pytest.mark.parametrize("injected", [(), (0,), (0, 1, 2)])
@pytest.mark.parametrize("target", ["replace_aux0", "extra"])
@pytest.mark.parametrize("layers", ["first", "all"])
def test_every_loss_name_is_unique_and_the_last_stage_is_final(
    injected, target, layers
):
    stages = _plan(injected=injected, target=target, layers=layers)
    names = [s.class_name for s in stages if s.class_name]
    prefixes = [s.prefix for s in stages if s.masks]
    assert len(set(names)) == len(names) and len(set(prefixes)) == len(prefixes)
    assert stages[-1].prefix == "" and stages[-1].own_assignment


@pytest.mark.parametrize("field", ["target", "layers", "assign"])
def test_plan_rejects_unknown_choices(field):
    with pytest.raises(ValueError, match=f"{field} must be one of"):
        TaxonomyLossPlan(**{field: "sometimes"})
