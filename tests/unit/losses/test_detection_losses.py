"""Losses of IDOL against the formulas, element by element."""

import math

import numpy as np
import pytest
import torch
from mmdet.models.losses import GIoULoss, MultiPosCrossEntropyLoss

from tmt_vis.losses import (
    DetectionCriterion,
    DetectionTargets,
    MatchedPairs,
    box_losses,
    contrastive_losses,
    focal_loss,
    mask_focal_loss,
)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_focal_loss_by_hand():
    logits, targets = 2 * drawn(5, 3), torch.eye(5, 3)
    losses = focal_loss(logits, targets)
    for x, target, loss in zip(
        logits.flatten(), targets.flatten(), losses.flatten(), strict=True
    ):
        p = 1 / (1 + math.exp(-x))
        positive = -0.25 * (1 - p) ** 2 * math.log(p)
        negative = -0.75 * p**2 * math.log(1 - p)
        assert loss.item() == pytest.approx(positive if target else negative, rel=1e-4)
    whole = mask_focal_loss(logits.T, targets.T.bool())
    assert torch.allclose(whole, losses.mean(0))


def test_a_removed_category_costs_nothing():
    lowest = torch.finfo(torch.float32).min
    logits = torch.tensor([0.3, lowest], requires_grad=True)
    losses = focal_loss(logits, torch.zeros(2))
    losses.sum().backward()
    assert losses[1] == 0 and logits.grad[1] == 0 and logits.grad[0] > 0


def test_box_losses_equal_mmdet():
    boxes = 0.2 + 0.5 * drawn(6, 4).sigmoid()
    targets = 0.2 + 0.5 * drawn(6, 4, seed=1).sigmoid()
    l1, giou = box_losses(boxes, targets)
    corners = [
        torch.cat([x[:, :2] - x[:, 2:] / 2, x[:, :2] + x[:, 2:] / 2], 1)
        for x in (boxes, targets)
    ]
    expected = GIoULoss(reduction="none")(*corners)
    assert torch.allclose(giou, expected, atol=1e-5)
    assert torch.allclose(l1, (boxes - targets).abs().sum(1))


def pairs(seed):
    positives = torch.zeros(3, 12, dtype=torch.bool)
    positives[0, :3] = positives[1, 3:4] = positives[2, 4:9] = True
    close = positives.clone()
    close[:, 9] = True  # neither positive nor negative
    return drawn(3, 6, seed=seed), drawn(12, 6, seed=seed + 1), positives, ~close


def test_contrastive_losses_pair_by_pair():
    queries, embeds, positives, negatives = pairs(2)
    compared = negatives.clone()
    compared[:, ::2] = False
    losses, squares = contrastive_losses(
        queries, embeds, positives, negatives, compared
    )
    for index, v in enumerate(queries.double()):
        plus = embeds[positives[index]].double()
        total = sum(
            torch.exp(v @ n - v @ p)
            for p in plus
            for n in embeds[negatives[index]].double()
        )
        assert losses[index].item() == pytest.approx(math.log1p(total), rel=1e-5)
        terms = [
            (torch.cosine_similarity(v, k.double(), dim=0) - y) ** 2
            for y, kind in ((1, positives), (0, compared))
            for k in embeds[kind[index]]
        ]
        assert squares[index].item() == pytest.approx(
            (sum(terms) / len(terms)).item(), rel=1e-5
        )


def test_contrastive_loss_equals_mmdet():
    queries, embeds, positives, _ = pairs(5)
    ours, _ = contrastive_losses(queries, embeds, positives, ~positives, ~positives)
    theirs = MultiPosCrossEntropyLoss(reduction="none")(
        queries @ embeds.T, positives.float()
    )
    assert torch.allclose(ours, theirs, rtol=1e-5)


def test_contrastive_losses_without_partners():
    queries, embeds, positives, negatives = pairs(8)
    queries.requires_grad_()
    nothing = torch.zeros_like(positives)
    for plus, minus in ((nothing, negatives), (positives, nothing), (nothing, nothing)):
        loss, squares = contrastive_losses(queries, embeds, plus, minus, nothing)
        assert (loss == 0).all() and squares.isfinite().all()
        (gradient,) = torch.autograd.grad((loss + squares).sum(), queries)
        assert gradient.isfinite().all()
    large = 1e4 * queries.detach()
    losses, _ = contrastive_losses(large, embeds, positives, negatives, nothing)
    assert losses.isfinite().all()


def detection_batch(**unknown):
    """Make one frame of 16x16 with two objects, four queries and one stage."""
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[0, :8, :8] = masks[1, 8:, 8:] = True
    boxes = torch.tensor([[0.25, 0.25, 0.5, 0.5], [0.75, 0.75, 0.5, 0.5]])
    target = DetectionTargets(torch.tensor([0, 2]), boxes, masks, **unknown)
    objects = np.array([[0, 1, -1, -1]])
    pairs = MatchedPairs.of([objects], [2], torch.device("cpu"))
    beside = torch.tensor([[0.7, 0.2, 0.2, 0.2], [0.3, 0.3, 0.2, 0.2]])
    predicted = torch.cat([boxes, beside])[None, None]
    return target, pairs, predicted


def test_criterion_by_hand():
    target, pairs, boxes = detection_batch()
    logits, masks = drawn(1, 1, 4, 3), drawn(2, 4, 4, seed=1)
    losses = DetectionCriterion(dict(mask=3.0))(logits, boxes, masks, [target], pairs)
    truth = torch.zeros(4, 3)
    truth[0, 0] = truth[1, 2] = 1
    expected = 2 * focal_loss(logits[0, 0], truth).sum() / 2
    assert torch.allclose(losses["loss_cls"], expected)
    cells = target.masks[:, 2::4, 2::4]
    expected = 3 * mask_focal_loss(masks.flatten(1), cells.flatten(1).float()).sum() / 2
    assert torch.allclose(losses["loss_mask"], expected)
    assert losses["loss_bbox"] == 0 and losses["loss_giou"].abs() < 1e-6
    with pytest.raises(ValueError, match="must be among"):
        DetectionCriterion(dict(box=1.0))


def test_categories_with_objects_left_out_teach_nothing():
    incomplete = torch.tensor([False, True, True])
    target, pairs, boxes = detection_batch(incomplete=incomplete)
    logits = drawn(1, 1, 4, 3).requires_grad_()
    losses = DetectionCriterion()(logits, boxes, drawn(2, 4, 4), [target], pairs)
    losses["loss_cls"].backward()
    learns = logits.grad[0, 0] != 0
    assert learns.tolist() == [
        [True, False, False],
        [True, False, True],  # it is matched
        [True, False, False],
        [True, False, False],
    ]


def test_crowds_teach_nothing():
    crowds = torch.zeros(16, 16, dtype=torch.bool)
    crowds[:8] = True  # query 2 and the first object lie in it, query 3 does as well
    target, pairs, boxes = detection_batch(crowds=crowds)
    boxes[0, 0, 3, 1] = 0.6  # now query 3 does not
    logits, masks = drawn(1, 1, 4, 3).requires_grad_(), drawn(2, 4, 4).requires_grad_()
    losses = DetectionCriterion()(logits, boxes, masks, [target], pairs)
    sum(losses.values()).backward()
    assert (logits.grad[0, 0] != 0).any(-1).tolist() == [True, True, False, True]
    known = masks.grad != 0
    assert known[0, :2, :2].all() and not known[0, :2, 2:].any()  # on itself only
    assert known[:, 2:].all() and not known[1, :2].any()
