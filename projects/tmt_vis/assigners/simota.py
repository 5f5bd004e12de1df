"""One-to-many matching of boxes and objects with a dynamic number of queries."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmdet.registry import TASK_UTILS
from numpy.typing import NDArray
from torch import Tensor

from tmt_vis.ops import box_gious, to_corners

# Stands in for a cost that is not finite, as in TaxoHungarianAssigner.
_HUGE_COST = 1e6
_OUTSIDE = 1e4  # the centre of the box is near no object at all
_ELSEWHERE = 100.0  # it is not near this one
_EPS = 1e-8


class FrameBoxes(NamedTuple):
    """What is matched in one frame.

    Args:
        class_logits: ``(S, Q, K)`` before the sigmoid, of S decoder stages.
        boxes: ``(S, Q, 4)`` centre and size, relative to the frame.
        labels: ``(N,)`` int64 of the objects.
        object_boxes: ``(N, 4)`` centre and size.
        candidates: numbers of queries whose overlaps decide how many an object gets;
            each makes a matching of its own.
    """

    class_logits: Tensor
    boxes: Tensor
    labels: Tensor
    object_boxes: Tensor
    candidates: tuple[int, ...] = (10,)


class QueryMatches(NamedTuple):
    """A matching of one frame, on the host.

    Args:
        objects: ``(S, Q)`` int64 object of each query, -1 = none.
        best: ``(S, N)`` int64 cheapest query of each object, -1 = it has none.
    """

    objects: NDArray[np.int64]
    best: NDArray[np.int64]


@TASK_UTILS.register_module()
class QuerySimOTAAssigner:
    """Give every object the few queries that fit it best, as IDOL does.

    An object gets as many queries as the overlaps of its best candidates add up to,
    at least one; a query wanted by several belongs to the cheapest. Objects that are
    left without a query then take one nobody has. The cost is focal classification
    cost + ``iou_weight * (1 - GIoU)``, plus penalties for boxes whose centre is not in
    and around the centre of the object (SimOTA, YOLOX, arXiv:2107.08430).

    Costs and overlaps of all frames reach the host in one copy. mmdet's
    ``SimOTAAssigner`` works on anchors in pixels and may leave an object without a
    match.

    Args:
        iou_weight: factor of ``1 - GIoU``.
        center_radius: half side of the square around an object's centre, relative to
            the frame in x and y alike.
        alpha: of the focal cost.
        gamma: of the focal cost.

    Raises:
        ValueError: if the radius or ``alpha`` is out of range.
    """

    def __init__(
        self,
        *,
        iou_weight: float = 3.0,
        center_radius: float = 2.5 / 32,
        alpha: float = 0.25,
        gamma: float = 2.0,
    ) -> None:
        if center_radius <= 0:
            raise ValueError(
                f"center_radius must be > 0, got {center_radius}; it is relative to "
                "the frame, IDOL uses 2.5 / 32"
            )
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got {alpha}; IDOL uses 0.25")
        self.iou_weight = iou_weight
        self.center_radius = center_radius
        self.alpha, self.gamma = alpha, gamma

    @torch.no_grad()
    def assign(self, frames: Sequence[FrameBoxes]) -> list[list[QueryMatches]]:
        """Match all stages of some frames.

        Args:
            frames: what is matched.

        Returns:
            For each frame a matching per number of candidates.
        """
        with torch.autocast(frames[0].boxes.device.type, enabled=False):
            tables = [self.costs(frame) for frame in frames]  # (2, S, Q, N) each
        flat = torch.cat([table.flatten() for table in tables]).cpu().numpy()
        parts = np.split(flat, np.cumsum([table.numel() for table in tables])[:-1])
        matches = []
        for frame, table, part in zip(frames, tables, parts, strict=True):
            costs, overlaps = part.reshape(table.shape)
            costs = np.where(np.isfinite(costs), costs, _HUGE_COST)
            overlaps = np.nan_to_num(overlaps).clip(0, 1)
            matches.append(
                [_match_stages(costs, overlaps, count) for count in frame.candidates]
            )
        return matches

    def costs(self, frame: FrameBoxes) -> Tensor:
        """Return costs and overlaps of all pairs, ``(2, S, Q, N)``."""
        boxes = frame.boxes.float()
        ours, theirs = to_corners(boxes), to_corners(frame.object_boxes.float())
        overlaps, gious = box_gious(ours, theirs)
        probs = frame.class_logits.float().sigmoid()[..., frame.labels]
        positive = self.alpha * (1 - probs) ** self.gamma * -(probs + _EPS).log()
        negative = (1 - self.alpha) * probs**self.gamma * -(1 - probs + _EPS).log()
        inside, near = self._places(boxes[..., None, :2], theirs, frame.object_boxes)
        somewhere = (inside | near).any(-1, keepdim=True)
        costs = positive - negative + self.iou_weight * (1 - gious)
        costs = costs + _ELSEWHERE * ~(inside & near) + _OUTSIDE * ~somewhere
        return torch.stack([costs, overlaps])

    def _places(
        self, centers: Tensor, corners: Tensor, object_boxes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tell which centres ``(S, Q, 1, 2)`` are in, and in the middle of, objects."""
        inside = (centers > corners[:, :2]) & (centers < corners[:, 2:])
        near = (centers - object_boxes[:, :2]).abs() < self.center_radius
        return inside.all(-1), near.all(-1)


def _match_stages(
    costs: NDArray[np.float32], overlaps: NDArray[np.float32], candidates: int
) -> QueryMatches:
    """Match ``(S, Q, N)``."""
    objects = np.full(costs.shape[:2], -1)
    best = np.full((len(costs), costs.shape[2]), -1)
    if costs.shape[2]:
        for stage, cost in enumerate(costs):
            matched = match_queries(cost, overlaps[stage], candidates)
            owners = matched.argmax(1)
            objects[stage] = np.where(matched.any(1), owners, -1)
            cheapest = np.where(matched, cost, np.inf).argmin(0)
            best[stage] = np.where(matched.any(0), cheapest, -1)
    return QueryMatches(objects, best)


def match_queries(
    cost: NDArray[np.float32], overlap: NDArray[np.float32], candidates: int
) -> NDArray[np.bool_]:
    """Match the queries of one frame.

    Args:
        cost: ``(Q, N)``, N >= 1.
        overlap: ``(Q, N)`` IoU.
        candidates: queries whose overlaps are added up; all if there are fewer.

    Returns:
        ``(Q, N)`` bool, at most one object per query. Every object has a query if
        there are at least as many queries as objects.
    """
    queries, objects = cost.shape
    first = max(0, queries - candidates)
    sums = (
        np.partition(overlap, first, axis=0)[first:].sum(0) if first else overlap.sum(0)
    )
    counts = sums.astype(np.int64).clip(1, queries)
    order = cost.argsort(0, kind="stable")[: counts.max()]
    matched = np.zeros((queries, objects), dtype=bool)
    wanted = np.arange(len(order))[:, None] < counts
    np.put_along_axis(matched, order, wanted, axis=0)
    _settle(matched, cost)
    if not matched.any(0).all():
        _repair(matched, cost)
    return matched


def _settle(matched: NDArray[np.bool_], cost: NDArray[np.float32]) -> None:
    """Leave each query that several objects took to the cheapest object."""
    (shared,) = np.nonzero(matched.sum(1) > 1)
    matched[shared] = False
    matched[shared, cost[shared].argmin(1)] = True


def _repair(matched: NDArray[np.bool_], cost: NDArray[np.float32]) -> None:
    """Give objects without a query the cheapest one that is free.

    The released code raises the costs of taken queries by 1e5 and looks for shared
    queries in the new matching but at the old counts, so that a query could belong to
    two objects. Where no query is free, an object with several gives one away; the
    released code would not end.
    """
    while not matched.any(0).all():
        (free,) = np.nonzero(~matched.any(1))
        if not len(free):
            break
        (without,) = np.nonzero(~matched.any(0))
        matched[free[cost[np.ix_(free, without)].argmin(0)], without] = True
        _settle(matched, cost)
    for index in np.flatnonzero(~matched.any(0)):
        several = matched.sum(0)[matched.argmax(1)] > 1
        if not several.any():
            return
        query = np.where(several, cost[:, index], np.inf).argmin()
        matched[query] = False
        matched[query, index] = True
