"""Losses of IDOL against the formulas, element by element."""

import math

import pytest
import torch
from mmdet.models.losses import GIoULoss, MultiPosCrossEntropyLoss

from tmt_vis.losses import (
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
