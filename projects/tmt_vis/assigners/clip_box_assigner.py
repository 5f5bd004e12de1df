"""One query per object of a clip, by its class and its boxes in all frames."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmdet.registry import TASK_UTILS
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from tmt_vis.ops import paired_gious, to_corners

_ALPHA, _GAMMA = 0.25, 2.0  # of the focal loss


class ClipBoxes(NamedTuple):
    """The matching problems of one clip.

    Args:
        logits: ``(S, Q, K)``.
        boxes: ``(S, T, Q, 4)`` centre and size.
        labels: ``(N,)`` int64 rows of the classifier.
        true_boxes: ``(N, T, 4)``.
        shown: ``(N, T)`` bool, the frames that count.
    """

    logits: Tensor
    boxes: Tensor
    labels: Tensor
    true_boxes: Tensor
    shown: Tensor


@TASK_UTILS.register_module()
class ClipBoxAssigner:
    """Hungarian matching of every stage (VMT's matcher).

    The cost of a pair is the focal cost of its category, the Euclidean distance of its
    boxes in all frames as one vector, and the mean of their negative GIoU. Frames that
    do not show the object do not count.

    Args:
        class_weight: of the focal cost.
        box_weight: of the distance.
        giou_weight: of the GIoU.
    """

    def __init__(
        self,
        *,
        class_weight: float = 1.0,
        box_weight: float = 5.0,
        giou_weight: float = 2.0,
    ) -> None:
        self.class_weight = class_weight
        self.box_weight = box_weight
        self.giou_weight = giou_weight

    @torch.no_grad()
    def assign(self, clips: Sequence[ClipBoxes]) -> list[NDArray[np.int64]]:
        """Match all stages of all clips.

        Returns:
            Per clip ``(S, Q)``, the object of each query, -1 = none.
        """
        costs = [self.costs(clip).cpu().numpy() for clip in clips]
        return [_matched(cost) for cost in costs]

    def costs(self, clip: ClipBoxes) -> Tensor:
        """Return the cost of every pair, ``(S, Q, N)`` float32."""
        probs = clip.logits.float().sigmoid()[..., clip.labels]
        negative = (1 - _ALPHA) * probs**_GAMMA * -(1 - probs + 1e-8).log()
        positive = _ALPHA * (1 - probs) ** _GAMMA * -(probs + 1e-8).log()
        boxes = clip.boxes.float().transpose(1, 2).unsqueeze(2)  # (S, Q, 1, T, 4)
        truth = clip.true_boxes.float()
        seen = clip.shown.float()  # (N, T)
        gaps = (boxes - truth).square().sum(-1)  # (S, Q, N, T)
        corners = to_corners(boxes), to_corners(truth)
        _, gious = paired_gious(*torch.broadcast_tensors(*corners))
        share = seen / seen.sum(1, keepdim=True).clamp(min=1)
        return (
            self.class_weight * (positive - negative)
            + self.box_weight * (gaps * seen).sum(-1).sqrt()
            - self.giou_weight * (gious * share).sum(-1)
        )


def _matched(costs: NDArray[np.float32]) -> NDArray[np.int64]:
    """Match each stage by itself; numbers that are none are worst."""
    table = np.full(costs.shape[:2], -1, dtype=np.int64)
    for row, cost in zip(table, costs, strict=True):
        worst = np.float32(1e6)
        cost = np.nan_to_num(cost, nan=worst, posinf=worst, neginf=-worst)
        queries, objects = linear_sum_assignment(cost)
        row[queries] = objects
    return table
