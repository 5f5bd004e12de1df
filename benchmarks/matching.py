"""IDOL's one-to-many matching written out object by object, for comparing."""

import torch
from torch import Tensor

from tmt_vis.assigners import FrameBoxes


def written_costs(frame: FrameBoxes, stage: int) -> tuple[Tensor, Tensor]:
    """Compute costs and overlaps ``(Q, N)`` of one stage, object by object."""
    probs = frame.class_logits[stage].sigmoid()
    boxes = frame.boxes[stage]
    costs, overlaps = [], []
    inside_any = torch.zeros(len(boxes), dtype=torch.bool)
    for label, (cx, cy, w, h) in zip(frame.labels, frame.object_boxes, strict=True):
        p = probs[:, label]
        focal = 0.25 * (1 - p) ** 2 * -(p + 1e-8).log()
        focal = focal - 0.75 * p**2 * -(1 - p + 1e-8).log()
        x, y, width, height = boxes.unbind(1)
        inner_w = torch.minimum(x + width / 2, cx + w / 2)
        inner_w = (inner_w - torch.maximum(x - width / 2, cx - w / 2)).clamp(min=0)
        inner_h = torch.minimum(y + height / 2, cy + h / 2)
        inner_h = (inner_h - torch.maximum(y - height / 2, cy - h / 2)).clamp(min=0)
        outer_w = torch.maximum(x + width / 2, cx + w / 2)
        outer_w = outer_w - torch.minimum(x - width / 2, cx - w / 2)
        outer_h = torch.maximum(y + height / 2, cy + h / 2)
        outer_h = outer_h - torch.minimum(y - height / 2, cy - h / 2)
        union = width * height + w * h - inner_w * inner_h
        overlap = inner_w * inner_h / union
        around = outer_w * outer_h
        giou = overlap - (around - union) / around
        in_box = ((x - cx).abs() < w / 2) & ((y - cy).abs() < h / 2)
        in_center = ((x - cx).abs() < 2.5 / 32) & ((y - cy).abs() < 2.5 / 32)
        inside_any |= in_box | in_center
        costs.append(focal + 3 * (1 - giou) + 100.0 * ~(in_box & in_center))
        overlaps.append(overlap)
    costs = torch.stack(costs, 1) + 10000.0 * ~inside_any[:, None]
    return costs, torch.stack(overlaps, 1)


def written_match(
    cost: Tensor, overlap: Tensor, candidates: int = 10
) -> list[set[int]]:
    """Return the queries of each object, reading every decision from the device."""
    queries, objects = cost.shape
    matched = torch.zeros(queries, objects, dtype=torch.bool)
    best = overlap.topk(min(candidates, queries), dim=0)[0].sum(0)
    for index in range(objects):
        count = max(1, int(best[index].item()))
        taken = cost[:, index].topk(count, largest=False)[1]
        matched[taken, index] = True
    _settle(matched, cost)
    raised = cost.double()
    while True:
        without = (~matched.any(0)).nonzero().flatten().tolist()
        if not without or matched.any(1).all():
            break
        raised[matched.any(1)] += 1e5
        for index in without:
            matched[raised[:, index].argmin(), index] = True
        _settle(matched, cost)
    for index in (~matched.any(0)).nonzero().flatten().tolist():
        owners = matched.float().argmax(1)
        several = [q for q in range(queries) if matched[:, owners[q]].sum() > 1]
        if several:
            query = min(several, key=lambda q: cost[q, index].item())  # noqa: B023
            matched[query] = False
            matched[query, index] = True
    return [set(column.nonzero().flatten().tolist()) for column in matched.T]


def _settle(matched: Tensor, cost: Tensor) -> None:
    for query in (matched.sum(1) > 1).nonzero().flatten().tolist():
        matched[query] = False
        matched[query, cost[query].argmin()] = True


def written_assignment(frames: list[FrameBoxes]) -> list[list[list[set[int]]]]:
    """Match all stages of all frames: queries by frame, stage and object."""
    return [
        [
            written_match(*written_costs(frame, stage))
            for stage in range(len(frame.boxes))
        ]
        for frame in frames
    ]
