"""Losses of detectors with one sigmoid per category: classes, boxes, masks."""

import torch
import torch.nn.functional as F
from torch import Tensor

from tmt_vis.ops import paired_gious, to_corners


def focal_loss(
    logits: Tensor, targets: Tensor, *, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Compute the sigmoid focal loss of every element (arXiv:1708.02002, Eq. 5).

    Args:
        logits: of any shape.
        targets: the same shape, 0 or 1.
        alpha: weight of positive elements; ``1 - alpha`` that of negative ones.
        gamma: how fast easy elements lose weight.

    Returns:
        The same shape.
    """
    targets = targets.to(logits.dtype)
    probs = logits.sigmoid()
    cross_entropy = F.binary_cross_entropy_with_logits(
        logits, targets, reduction="none"
    )
    wrong = torch.where(targets > 0.5, 1 - probs, probs)
    weight = torch.where(targets > 0.5, alpha, 1 - alpha)
    return weight * wrong**gamma * cross_entropy


def box_losses(boxes: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the L1 and the GIoU loss of every box.

    Args:
        boxes: ``(n, 4)`` centre and size, relative to the frame.
        targets: ``(n, 4)``.

    Returns:
        Both ``(n,)``.
    """
    _, gious = paired_gious(to_corners(boxes), to_corners(targets))
    return (boxes - targets).abs().sum(-1), 1 - gious


def mask_focal_loss(
    logits: Tensor, targets: Tensor, known: Tensor | None = None
) -> Tensor:
    """Average the focal loss over the pixels of each mask.

    Args:
        logits: ``(n, P)``.
        targets: ``(n, P)`` in {0, 1}.
        known: ``(n, P)`` bool, the pixels that count; None = all.

    Returns:
        ``(n,)``; 0 where no pixel counts.
    """
    loss = focal_loss(logits, targets)
    if known is None:
        return loss.mean(1)
    return torch.where(known, loss, 0).sum(1) / known.sum(1).clamp(min=1)
