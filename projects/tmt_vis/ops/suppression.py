"""Overlaps of masks, and greedy suppression of duplicates."""

import numpy as np
from torch import Tensor

_EPS = 1e-6


def mask_overlaps(masks: Tensor) -> Tensor:
    """Compute the IoU of every pair of masks.

    Both counts are raised by 1e-6, so two empty masks overlap entirely, as in IDOL.

    Args:
        masks: ``(n, h, w)`` bool.

    Returns:
        ``(n, n)`` float32.
    """
    flat = masks.flatten(1).float()
    shared = flat @ flat.T  # exact: counts of less than 2**24 pixels
    areas = shared.diagonal()
    union = areas[:, None] + areas - shared
    return (shared + _EPS) / (union + _EPS)


def keep_best(scores: np.ndarray, overlaps: np.ndarray, threshold: float) -> np.ndarray:
    """Suppress what overlaps with something better that is kept (greedy NMS).

    Args:
        scores: ``(n,)``.
        overlaps: ``(n, n)`` IoU.
        threshold: larger overlaps are suppressed.

    Returns:
        Indices of what is kept, best score first; ties in their order.
    """
    order = np.argsort(-scores, kind="stable")
    alive = np.ones(len(order), dtype=bool)
    kept = []
    for index in order.tolist():
        if alive[index]:
            kept.append(index)
            alive &= overlaps[index] <= threshold
    return np.array(kept, dtype=np.int64)
