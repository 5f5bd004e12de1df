"""Mask losses on sampled points, per row (Mask2Former, Eq. 7; rows are frames)."""

import torch.nn.functional as F
from torch import Tensor


def point_bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Average the binary cross-entropy over the points of each row.

    Args:
        logits: ``(R, P)``.
        targets: ``(R, P)`` in ``[0, 1]``.

    Returns:
        ``(R,)``.
    """
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)


def point_dice(logits: Tensor, targets: Tensor) -> Tensor:
    """Compute the dice loss of each row, with 1 added to both sides.

    Args:
        logits: ``(R, P)``.
        targets: ``(R, P)`` in ``[0, 1]``.

    Returns:
        ``(R,)``.
    """
    probs = logits.sigmoid()
    overlap = 2 * (probs * targets).sum(1)
    return 1 - (overlap + 1) / (probs.sum(1) + targets.sum(1) + 1)
