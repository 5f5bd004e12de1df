"""Pairwise matching costs on sampled mask logits, in float32.

Sums over 12,544 points overflow in half precision (a mean logit of 6 is enough),
and one infinite cost ends the Hungarian algorithm, so callers pass float32.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Factors in [0.5, 1] whose product, 2**-64 at least, is far from underflow.
_FACTORS = 64


def class_cost(class_logits: Tensor, labels: Tensor) -> Tensor:
    """Return the negative probability of each target's category.

    Args:
        class_logits: ``(..., Q, K + 1)``, restricted to the sample's label space.
        labels: ``(N,)`` ``union_id``.

    Returns:
        ``(..., Q, N)``.
    """
    return -class_logits.softmax(-1)[..., labels]


def bce_cost(logits: Tensor, truth: Tensor) -> Tensor:
    """Average the binary cross-entropy of each (query, target) pair.

    ``t softplus(-x) + (1 - t) softplus(x) = softplus(x) - t x`` needs one softplus
    and one matrix product.

    Args:
        logits: ``(..., Q, P)``.
        truth: ``(N, P)`` in ``[0, 1]``.

    Returns:
        ``(..., Q, N)``.
    """
    positive = F.softplus(logits).mean(-1, keepdim=True)
    return positive - logits @ truth.T / logits.shape[-1]


def dice_cost(logits: Tensor, truth: Tensor) -> Tensor:
    """Compute the dice loss of each (query, target) pair.

    Args:
        logits: ``(..., Q, P)``.
        truth: ``(N, P)`` in ``[0, 1]``.

    Returns:
        ``(..., Q, N)``.
    """
    probs = logits.sigmoid()
    size = probs.sum(-1, keepdim=True) + truth.sum(-1)
    return 1 - (2 * (probs @ truth.T) + 1) / (size + 1)


def mask_costs(
    mask_embeds: Tensor,
    features: Tensor,
    truth: Tensor,
    *,
    known: Tensor | None = None,
    bce_weight: float,
    dice_weight: float,
    logits_at_once: int,
) -> Tensor:
    """Add up :func:`bce_cost` and :func:`dice_cost`, from embeddings and features.

    A logit is a dot product with the features of a point, so its sum over the points
    of a target is a dot product with the sum of their features, which all queries and
    stages share. The sums of probabilities are one matrix product.

    Args:
        mask_embeds: ``(..., Q, C)``.
        features: ``(P, C)`` mask features at the points.
        truth: ``(N, P)`` in ``[0, 1]``.
        known: ``(P,)`` bool, the points that count; None = all.
        bce_weight: factor of the cross-entropy.
        dice_weight: factor of the dice cost.
        logits_at_once: bound of the logits that are in memory.

    Returns:
        ``(..., Q, N)``.
    """
    num_points = len(features)
    rows = mask_embeds.flatten(0, -2)
    counted = torch.cat([truth, truth.new_ones(1, num_points)])
    if known is not None:
        # A logit of 0 for all queries alike, which no sum counts.
        features, counted = features * known.unsqueeze(1), counted * known
        truth = counted[:-1]
    sums = rows.new_zeros(len(counted), len(rows))
    softplus = rows.new_zeros(len(rows))
    at_once = _points_at_once(logits_at_once // len(rows))
    parts = zip(features.split(at_once), counted.split(at_once, 1), strict=True)
    for some, counted_part in parts:
        # Some points of all rows take four fifths of the time of all points of some.
        logits = some @ rows.T
        probs = logits.sigmoid()
        sums.addmm_(counted_part, probs)
        softplus += _softplus_sum_(logits, probs)
    overlap, size = sums.T.tensor_split([-1], dim=-1)
    logit_sums = rows @ (features.T @ truth.T)
    if known is not None:
        softplus = softplus - math.log(2) * (~known).sum()
        num_points = known.sum().clamp(min=1)
    bce = (softplus.unsqueeze(-1) - logit_sums) / num_points
    dice = 1 - (2 * overlap + 1) / (size + truth.sum(-1) + 1)
    costs = bce_weight * bce + dice_weight * dice
    return costs.unflatten(0, mask_embeds.shape[:-1])


def _points_at_once(bound: int) -> int:
    """Return the largest multiple of ``_FACTORS`` up to a bound; at least one."""
    return max(1, bound // _FACTORS) * _FACTORS


def _softplus_sum_(logits: Tensor, probs: Tensor) -> Tensor:
    """Sum ``softplus(x) = max(x, 0) - log(max(p, 1 - p))`` over the first dimension.

    One logarithm per product of many factors takes a third of softplus' time. The
    arguments are overwritten.
    """
    larger = probs.sub_(0.5).abs_().add_(0.5)  # max(p, 1 - p)
    factors = math.gcd(len(larger), _FACTORS)
    products = larger.unflatten(0, (-1, factors)).prod(1)
    return logits.clamp_(min=0).sum(0) - products.log().sum(0)
