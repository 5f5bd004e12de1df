"""Boxes as centre and size or as corners, and how much they overlap."""

import torch
from torch import Tensor


def to_corners(boxes: Tensor) -> Tensor:
    """Turn centre and size ``(..., 4)`` into x0, y0, x1, y1."""
    center, size = boxes.split(2, -1)
    half = size / 2
    return torch.cat([center - half, center + half], -1)


def to_centers(boxes: Tensor) -> Tensor:
    """Turn corners ``(..., 4)`` into the centre's x and y, width and height."""
    low, high = boxes.split(2, -1)
    return torch.cat([(low + high) / 2, high - low], -1)


def mask_boxes(masks: Tensor) -> Tensor:
    """Return the boxes around masks, without waiting for the device.

    Args:
        masks: ``(..., H, W)`` bool.

    Returns:
        ``(..., 4)`` int64 corners in pixels, x1 and y1 excluded; zeros without a pixel.
    """
    sides = []
    for hits in (masks.any(-2), masks.any(-1)):  # along x, along y
        length = hits.shape[-1]
        first = hits.int().argmax(-1)
        last = length - hits.flip(-1).int().argmax(-1)
        sides.append((first, torch.where(hits.any(-1), last, 0)))
    (x0, x1), (y0, y1) = sides
    return torch.stack([x0, y0, x1, y1], -1)


def box_overlaps(boxes: Tensor, others: Tensor | None = None) -> Tensor:
    """Compute the IoU of every pair of boxes; 0 where both are empty.

    Args:
        boxes: ``(..., n, 4)`` corners.
        others: ``(..., m, 4)``; None compares the boxes among themselves.

    Returns:
        ``(..., n, m)``.
    """
    others = boxes if others is None else others
    shared, union, _ = _measures(boxes[..., :, None, :], others[..., None, :, :])
    return _share(shared, union)


def box_gious(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Compute IoU and generalised IoU of every pair of boxes.

    Args:
        boxes: ``(..., n, 4)`` corners.
        others: ``(..., m, 4)``.

    Returns:
        Both ``(..., n, m)``.
    """
    return paired_gious(boxes[..., :, None, :], others[..., None, :, :])


def paired_gious(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Compute IoU and generalised IoU of boxes with their partners.

    Generalised IoU (Rezatofighi et al., CVPR 2019) subtracts the share of the smallest
    box around both that neither covers.

    Args:
        boxes: ``(..., 4)`` corners.
        others: the same, or broadcastable.

    Returns:
        Both ``(...)``.
    """
    shared, union, around = _measures(boxes, others)
    overlap = _share(shared, union)
    return overlap, overlap - _share(around - union, around)


def _measures(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the areas of intersection, union and the box around both."""
    low, high = boxes.split(2, -1)
    other_low, other_high = others.split(2, -1)
    inner = torch.minimum(high, other_high) - torch.maximum(low, other_low)
    outer = torch.maximum(high, other_high) - torch.minimum(low, other_low)
    shared = inner.clamp(min=0).prod(-1)
    areas = (high - low).clamp(min=0).prod(-1)
    union = areas + (other_high - other_low).clamp(min=0).prod(-1) - shared
    return shared, union, outer.clamp(min=0).prod(-1)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    return part / whole.clamp(min=torch.finfo(whole.dtype).tiny)
