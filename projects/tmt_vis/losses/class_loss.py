"""Classification loss over the categories of the joint taxonomy."""

import torch
import torch.nn.functional as F
from torch import Tensor


def restrict_logits(
    logits: Tensor, class_keep: Tensor, *, no_object: bool = True
) -> Tensor:
    """Remove the categories that a sample's label space does not annotate.

    A removed category has probability exactly 0 and gradient exactly 0, so a sample
    is neither positive nor negative evidence for it. "No object", the last column,
    is always kept.

    Args:
        logits: ``(..., B, Q, K + 1)``, or ``(..., B, Q, K)``.
        class_keep: ``(B, K)`` bool, True = in the label space of the sample.
        no_object: whether the last column is "no object"; it is not where every
            category has a sigmoid of its own.

    Returns:
        float32 logits of the same shape.
    """
    logits = logits.float()
    blocked = F.pad(~class_keep, (0, int(no_object)), value=False).unsqueeze(-2)
    return logits.masked_fill(blocked, torch.finfo(logits.dtype).min)


def class_loss(
    logits: Tensor,
    target_classes: Tensor,
    *,
    no_object_weight: float,
    norm: Tensor,
    left_out: Tensor | None = None,
) -> Tensor:
    """Sum the weighted cross-entropy of each stage and divide by the norm.

    Args:
        logits: ``(S, B, Q, K + 1)``, restricted to the label spaces.
        target_classes: ``(S, B, Q)`` int64, ``K`` = no object.
        no_object_weight: weight of unmatched queries (0.1 in Mask2Former).
        norm: scalar or ``(S,)``, the sum of the weights of a stage (averaged over
            processes).
        left_out: ``(S, B, Q)`` bool, queries that pay nothing; None = none.

    Returns:
        ``(S,)``.
    """
    num_classes = logits.shape[-1] - 1
    loss = F.cross_entropy(
        logits.flatten(0, 2), target_classes.flatten(), reduction="none"
    ).view_as(target_classes)
    weight = torch.where(target_classes == num_classes, no_object_weight, 1.0)
    if left_out is not None:
        weight = weight.masked_fill(left_out, 0)
    return (loss * weight).sum((1, 2)) / norm
