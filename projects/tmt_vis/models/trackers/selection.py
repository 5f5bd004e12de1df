"""Which queries of a frame are detections."""

import numpy as np
import torch
from torch import Tensor

from tmt_vis.ops import box_overlaps, keep_best


@torch.no_grad()
def select_detections(
    probs: Tensor, boxes: Tensor, *, threshold: float, box_nms: float
) -> np.ndarray:
    """Keep the confident queries of one frame, without duplicates of a class.

    One-to-many matching lets several queries find the same object, so their boxes are
    suppressed per class. The best query stays even if it is not confident.

    Args:
        probs: ``(Q, K)`` class probabilities.
        boxes: ``(Q, 4)`` corners.
        threshold: the best class has to be above it.
        box_nms: a box with a larger IoU with a better one of its class is dropped.

    Returns:
        ``(n,)`` int64 queries, best first; n >= 1.
    """
    scores, labels = probs.float().max(1)
    table = torch.cat([scores[:, None], labels[:, None], boxes.float()], 1).cpu()
    scores = table[:, 0].numpy()
    chosen = np.flatnonzero(scores > threshold)
    if not len(chosen):
        return scores.argmax(keepdims=True)
    labels, boxes = table[chosen, 1], table[chosen, 2:]
    overlaps = box_overlaps(boxes) * (labels[:, None] == labels)
    return chosen[keep_best(scores[chosen], overlaps.numpy(), box_nms)]
