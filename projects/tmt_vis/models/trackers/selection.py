"""Which queries of a frame are detections."""

import numpy as np
import torch
from torch import Tensor

from tmt_vis.ops import box_overlaps, keep_best


class Selection:
    """Keep the confident queries of one frame, without duplicates of a class.

    One-to-many matching lets several queries find the same object, so their boxes are
    suppressed per class. The best query stays even if it is not confident.

    Args:
        threshold: the best class has to be above it.
        box_nms: a box with a larger IoU with a better one of its class is dropped.

    Raises:
        ValueError: if one of them is out of range.
    """

    def __init__(self, *, threshold: float = 0.1, box_nms: float = 0.9) -> None:
        for name, value in dict(threshold=threshold, box_nms=box_nms).items():
            if not 0 <= value <= 1:
                raise ValueError(
                    f"{name} must be in [0, 1], got {value}; IDOL uses 0.1 for the "
                    "scores and 0.9 for the overlaps"
                )
        self.threshold, self.box_nms = threshold, box_nms

    @torch.no_grad()
    def __call__(self, probs: Tensor, boxes: Tensor) -> np.ndarray:
        """Select, with one copy to the host.

        Args:
            probs: ``(Q, K)`` class probabilities.
            boxes: ``(Q, 4)`` corners.

        Returns:
            ``(n,)`` int64 queries, best first; n >= 1.
        """
        scores, labels = probs.float().max(1)
        table = torch.cat([scores[:, None], labels[:, None], boxes.float()], 1).cpu()
        scores = table[:, 0].numpy()
        chosen = np.flatnonzero(scores > self.threshold)
        if not len(chosen):
            return scores.argmax(keepdims=True)
        labels, boxes = table[chosen, 1], table[chosen, 2:]
        overlaps = box_overlaps(boxes) * (labels[:, None] == labels)
        return chosen[keep_best(scores[chosen], overlaps.numpy(), self.box_nms)]
