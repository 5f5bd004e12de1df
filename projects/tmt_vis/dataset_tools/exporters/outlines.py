"""Masks as one polygon each, which is all that a tracked shape can be in most tools.

Corners lie on the edges of pixels: pixel (0, 0) covers 0 to 1 in both directions. A
mask of several parts or with holes is one path all the same: a cut of no width leads
from the path to every further part and back along the same line.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from tmt_vis.structures import compress_segmentation

Polygon = np.ndarray  # (n, 2) float64 x, y in pixels

# Pixels by which a simplified outline may leave the exact one, tried in this order.
_TOLERANCES = (4.0, 3.0, 2.0, 1.5, 1.0, 0.75, 0.5, 0.0)
_SMOOTH = 1.0


def outline(mask: np.ndarray, *, min_iou: float) -> Polygon:
    """Draw around a mask with as few corners as the bound allows.

    Args:
        mask: (H, W) bool with at least one pixel.
        min_iou: Least IoU of the filled polygon and the mask, in [0, 1].

    Returns:
        The corners; filled by :func:`filled`, they are the mask up to ``min_iou``.
    """
    contours = _pixel_edges(mask)
    target = _encoded(mask)
    for tolerance in _TOLERANCES:
        simple = [_simplified(contour, tolerance) for contour in contours]
        path = _joined([c for c in simple if len(c) > 2 or len(simple) == 1])
        if len(path) > 2 and iou(path, target) >= min_iou:
            return path
    return _joined(contours)


def followed(start: Polygon, mask: np.ndarray) -> list[Polygon]:
    """Propose where the corners of an outline are on a later mask of the object.

    Args:
        start: (n, 2), the outline.
        mask: (H, W) bool with at least one pixel.

    Returns:
        (n, 2) each: the outline moved as it is, and its corners placed on the new
        outline.
    """
    rows, columns = np.nonzero(mask)
    centre = np.array([columns.mean(), rows.mean()]) + 0.5
    # Without its stairs, so that both paths have the same length in every direction.
    contours = [_simplified(c, _SMOOTH) for c in _pixel_edges(mask)]
    path = _joined([c for c in contours if len(c) > 2])
    moved = start + (centre - _centroid(start))
    proposals = [moved] if len(path) < 3 else [moved, _resampled(path, start)]
    # Rounded here, so that what is measured is what is written.
    return [proposal.round(2) for proposal in proposals]


def _centroid(polygon: Polygon) -> np.ndarray:
    """Return the centre of the area inside of a polygon."""
    x, y = polygon[:, 0], polygon[:, 1]
    after_x, after_y = np.roll(x, -1), np.roll(y, -1)
    cross = x * after_y - after_x * y
    area = cross.sum()
    if abs(area) < 1e-9:
        return polygon.mean(axis=0)
    sums = ((x + after_x) * cross).sum(), ((y + after_y) * cross).sum()
    return np.array(sums) / (3 * area)


def _resampled(polygon: Polygon, like: Polygon) -> Polygon:
    """Place the corners of one outline on another one of nearly the same shape.

    Both paths are walked at the same pace; where to start on the second one is chosen
    so that the corners move as little as possible once both are centred.

    Args:
        polygon: (m, 2), the outline to be described.
        like: (n, 2), the outline whose corners are wanted.

    Returns:
        (n, 2) points on ``polygon``.
    """
    pace = _pace(like)
    shape = like - like.mean(axis=0)
    starts = np.linspace(0, 1, 64, endpoint=False)
    candidates = [_walked(polygon, (pace + start) % 1) for start in starts]
    moved = [np.square(c - c.mean(axis=0) - shape).sum() for c in candidates]
    return candidates[int(np.argmin(moved))]


def filled(polygon: Polygon, size: tuple[int, int]) -> dict:
    """Fill a polygon as COCO does; give its RLE."""
    flat = np.asarray(polygon, dtype=float).ravel().tolist()
    counts = compress_segmentation([flat], height=size[0], width=size[1])
    return {"size": list(size), "counts": counts}


def iou(polygon: Polygon, target: dict) -> float:
    """Return the IoU of a filled polygon and an RLE."""
    drawn = filled(polygon, tuple(target["size"]))
    return float(coco_mask.iou([drawn], [target], [False])[0, 0])


def _encoded(mask: np.ndarray) -> dict:
    return coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))


def _pixel_edges(mask: np.ndarray) -> list[Polygon]:
    """Trace all borders along the edges of pixels, the longest first.

    OpenCV walks through the centres of border pixels. In an image of twice the size,
    the centres on either side of an edge halve to the edge itself.
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    crop = mask[top : rows[-1] + 1, left : columns[-1] + 1].astype(np.uint8)
    double = crop.repeat(2, axis=0).repeat(2, axis=1)
    found, _ = cv2.findContours(double, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    paths = [_corners((points[:, 0] + 1) // 2) for points in found]
    paths.sort(key=len, reverse=True)
    return [path + np.array([left, top], dtype=float) for path in paths]


def _corners(points: np.ndarray) -> np.ndarray:
    """Drop repeated points and those inside of a straight line."""
    points = points[(points != np.roll(points, 1, axis=0)).any(1)]
    before = points - np.roll(points, 1, axis=0)
    after = np.roll(points, -1, axis=0) - points
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    back = (before * after).sum(1) < 0
    return points[turns | back].astype(float)


def _simplified(contour: Polygon, tolerance: float) -> Polygon:
    if not tolerance:
        return contour
    points = contour.astype(np.float32)[:, None]
    return cv2.approxPolyDP(points, tolerance, True)[:, 0].astype(float)


def _joined(contours: Sequence[Polygon]) -> Polygon:
    """Make one path of all contours."""
    if not contours:
        return np.zeros((0, 2))
    path = contours[0]
    for contour in contours[1:]:
        gaps = np.square(path[:, None] - contour[None]).sum(-1)
        i, j = np.unravel_index(np.argmin(gaps), gaps.shape)
        loop = np.concatenate([contour[j:], contour[: j + 1]])
        path = np.concatenate([path[: i + 1], loop, path[i:]])
    return path


def _pace(polygon: Polygon) -> np.ndarray:
    """Return (n,) the share of the path that lies before each corner."""
    steps = np.linalg.norm(np.roll(polygon, -1, axis=0) - polygon, axis=1)
    ends = np.cumsum(steps)
    return np.concatenate([[0.0], ends[:-1]]) / max(ends[-1], 1e-9)


def _walked(polygon: Polygon, shares: np.ndarray) -> Polygon:
    """Return the points at given shares of a path."""
    closed = np.concatenate([polygon, polygon[:1]])
    at = np.append(_pace(polygon), 1.0)
    return np.stack([np.interp(shares, at, closed[:, k]) for k in (0, 1)], axis=1)
