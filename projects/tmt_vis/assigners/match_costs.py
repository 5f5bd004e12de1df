"""Pairwise matching costs on sampled mask logits, in float32.

Sums over 12,544 points overflow in half precision (a mean logit of 6 is enough),
and one infinite cost ends the Hungarian algorithm, so callers pass float32.
"""

import torch.nn.functional as F
from torch import Tensor


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
