"""What was not annotated one by one teaches nothing: no gradient, no cost."""

from dataclasses import replace

import pytest
import torch

from tmt_vis.assigners import TaxoHungarianAssigner
from tmt_vis.losses import SetCriterion, StagePredictions
from tmt_vis.ops import PointSampler
from tmt_vis.structures import ClipTargets

WEIGHTS = dict(cls=2.0, mask=5.0, dice=5.0, taxo=0.5)
# Wide enough apart that a bilinear sample reads one of the two halves only.
POINTS = PointSampler(num_points=256, importance_ratio=0.0)
LEFT, RIGHT = slice(0, 8), slice(8, 16)


def scene(**target):
    """Query 0 lies on the object, left above; 1 in the right half; 2 left below."""
    features = torch.zeros(1, 2, 3, 16, 16)
    features[:, :, 0, :8, LEFT] = 1
    features[:, :, 1, :, RIGHT] = 1
    features[:, :, 2, 8:, LEFT] = 1
    embeds = torch.full((2, 1, 3, 3), -6.0) + 12 * torch.eye(3)
    generator = torch.Generator().manual_seed(0)
    masks = torch.zeros(1, 2, 16, 16, dtype=torch.bool)
    masks[..., :8, LEFT] = True
    logits = torch.randn(2, 1, 3, 5, generator=generator)
    logits[..., 1, 2] = 9.0  # query 1 is sure of category 2
    return (
        StagePredictions(
            class_logits=logits.requires_grad_(),
            mask_embeds=embeds.requires_grad_(),
            mask_features=features.requires_grad_(),
        ),
        ClipTargets(torch.tensor([1]), masks, seed=3, **target),
    )


def right_half():
    crowds = torch.zeros(2, 16, 16, dtype=torch.bool)
    crowds[..., RIGHT] = True
    return crowds


def category(index):
    return torch.arange(4) == index


MATCH = [torch.zeros(2, 1, dtype=torch.long)]


def losses_of(predictions, target, rows="frame"):
    criterion = SetCriterion(loss_weights=WEIGHTS, points=POINTS)
    return criterion.stage_losses(predictions, [target], MATCH, rows=rows)


@pytest.mark.parametrize(
    "target, silent",
    [
        ({}, []),
        (dict(crowds=right_half()), [1]),
        (dict(incomplete=category(2)), [1]),
        (dict(incomplete=category(1)), []),
    ],
)
def test_queries_that_may_be_right_do_not_learn_no_object(target, silent):
    predictions, target = scene(**target)
    losses_of(predictions, target).classes.sum().backward()
    quiet = (predictions.class_logits.grad[:, 0] == 0).all(-1)  # (S, Q)
    assert quiet.nonzero()[:, 1].tolist() == silent * 2


def test_a_matched_query_in_a_crowd_still_learns_its_object():
    predictions, target = scene(crowds=torch.ones(2, 16, 16, dtype=torch.bool))
    losses_of(predictions, target).classes.sum().backward()
    quiet = (predictions.class_logits.grad[:, 0] == 0).all(-1)
    assert quiet.tolist() == [[False, True, True]] * 2


def test_the_class_loss_is_the_mean_over_the_others():
    predictions, target = scene(crowds=right_half())
    kept = [0, 2]
    fewer = replace(
        predictions,
        class_logits=predictions.class_logits[:, :, kept],
        mask_embeds=predictions.mask_embeds[:, :, kept],
    )
    torch.testing.assert_close(
        losses_of(predictions, target).classes,
        losses_of(fewer, replace(target, crowds=None)).classes,
    )


@pytest.mark.parametrize("rows", ["frame", "tube"])
def test_masks_are_not_compared_in_a_crowd(rows):
    for crowds, learns in ((None, True), (right_half(), False)):
        predictions, target = scene(crowds=crowds)
        losses = losses_of(predictions, target, rows)
        (losses.bce.sum() + losses.dice.sum()).backward()
        gradient = predictions.mask_features.grad
        assert gradient[..., :7, :7].ne(0).any(), "outside of the crowd"
        assert gradient[..., 9:].ne(0).any() == learns


def test_an_annotated_object_inside_a_crowd_is_compared():
    predictions, target = scene(crowds=torch.ones(2, 16, 16, dtype=torch.bool))
    losses_of(predictions, target).bce.sum().backward()
    gradient = predictions.mask_features.grad
    assert gradient[..., :7, :7].ne(0).any() and gradient[..., 9:].eq(0).all()


def test_costs_are_those_of_the_points_outside():
    """What a mask covers in the crowd changes no cost; elsewhere it does."""
    predictions, target = scene(crowds=right_half())

    def costs(features, target):
        assigner = TaxoHungarianAssigner()
        return assigner.costs(
            predictions.class_logits,
            predictions.mask_embeds,
            features,
            [target],
            POINTS,
        )[0]

    features = predictions.mask_features.detach()
    inside, outside = features.clone(), features.clone()
    inside[..., 9:] += 0.7
    outside[..., 9:, :7] += 0.7
    same = costs(features, target)
    torch.testing.assert_close(costs(inside, target), same)
    assert (costs(outside, target) - same).abs().max() > 0.1
    plain = replace(target, crowds=None)
    assert (costs(inside, plain) - costs(features, plain)).abs().max() > 0.1


def test_costs_with_an_empty_crowd_are_the_plain_ones():
    predictions, target = scene()
    empty = replace(target, crowds=torch.zeros(2, 16, 16, dtype=torch.bool))
    assigner = TaxoHungarianAssigner()
    plain, same = (
        assigner.costs(
            predictions.class_logits,
            predictions.mask_embeds,
            predictions.mask_features,
            [t],
            POINTS,
        )[0]
        for t in (target, empty)
    )
    torch.testing.assert_close(plain, same)


def test_parts_of_a_clip_keep_their_frames_of_the_crowd():
    _, target = scene(crowds=right_half())
    target.crowds[0] = False
    first, second = (target.part(None, slice(t, t + 1)) for t in range(2))
    assert not first.crowds.any() and second.crowds.any()
    assert first.crowds.shape == (1, 16, 16) and first.masks.shape == (1, 1, 16, 16)
