"""Mask losses on sampled points, per row (Mask2Former, Eq. 7; rows are frames)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def point_bce(logits: Tensor, targets: Tensor, known: Tensor | None = None) -> Tensor:
    """Average the binary cross-entropy over the points of each row.

    Args:
        logits: ``(R, P)``.
        targets: ``(R, P)`` in ``[0, 1]``.
        known: ``(R, P)`` bool, the points that count; None = all.

    Returns:
        ``(R,)``; 0 where no point counts.
    """
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    if known is None:
        return loss.mean(1)
    return torch.where(known, loss, 0).sum(1) / known.sum(1).clamp(min=1)


def point_dice(logits: Tensor, targets: Tensor, known: Tensor | None = None) -> Tensor:
    """Compute the dice loss of each row, with 1 added to both sides.

    Args:
        logits: ``(R, P)``.
        targets: ``(R, P)`` in ``[0, 1]``.
        known: ``(R, P)`` bool, the points that count; None = all.

    Returns:
        ``(R,)``; 0 where no point counts.
    """
    probs = logits.sigmoid()
    if known is not None:
        probs, targets = torch.where(known, probs, 0), torch.where(known, targets, 0)
    overlap = 2 * (probs * targets).sum(1)
    return 1 - (overlap + 1) / (probs.sum(1) + targets.sum(1) + 1)
