"""Shapes of labelling tools -> compressed run lengths of a whole frame."""

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask

from tmt_vis.structures import compress_segmentation

Points = np.ndarray  # (n, 2) x, y in pixels


def fill_polygon(points: Points, *, height: int, width: int) -> bytes:
    """Fill one polygon, as pycocotools does for every COCO polygon.

    Raises:
        ValueError: If a point lies absurdly far outside of the frame.
    """
    polygon = np.asarray(points, dtype=float).ravel().tolist()
    return compress_segmentation([polygon], height=height, width=width)


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Points:
    """Return the corners of a box."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=float)


def rotated(points: Points, degrees: float) -> Points:
    """Turn points around the middle of their box, clockwise on the screen."""
    if not degrees:
        return points
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (points - middle) @ turn + middle


def fill_ellipse(
    centre: Sequence[float],
    radii: Sequence[float],
    degrees: float = 0,
    *,
    height: int,
    width: int,
) -> bytes:
    """Fill an ellipse: the pixels whose centres lie in it.

    Args:
        centre: x, y in pixels.
        radii: Along x and y before it is turned.
        degrees: How far it is turned around its centre, clockwise on the screen.
        height: Of the frame.
        width: Of the frame.

    Returns:
        Compressed counts.
    """
    y, x = np.ogrid[:height, :width]
    dx, dy = x + 0.5 - centre[0], y + 0.5 - centre[1]
    if degrees:
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        dx, dy = cos * dx + sin * dy, cos * dy - sin * dx
    with np.errstate(over="ignore"):  # far away is outside
        inside = (dx / max(radii[0], 1e-9)) ** 2 + (dy / max(radii[1], 1e-9)) ** 2 <= 1
    return encode(inside)


def place_crop(
    crop: np.ndarray, *, left: int, top: int, height: int, width: int
) -> np.ndarray:
    """Put a (h, w) mask into an empty frame; what lies outside is cut off.

    Returns:
        (H, W) bool.
    """
    frame = np.zeros((height, width), dtype=bool)
    y0, x0 = max(top, 0), max(left, 0)
    y1 = min(top + crop.shape[0], height)
    x1 = min(left + crop.shape[1], width)
    if y1 > y0 and x1 > x0:
        frame[y0:y1, x0:x1] = crop[y0 - top : y1 - top, x0 - left : x1 - left]
    return frame


def encode(mask: np.ndarray) -> bytes:
    """Compress a (H, W) bool mask."""
    return coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"]


def unite(parts: Sequence[bytes], *, height: int, width: int) -> bytes:
    """Return the union of several masks of one frame."""
    if len(parts) == 1:
        return parts[0]
    size = [height, width]
    return coco_mask.merge([dict(size=size, counts=c) for c in parts])["counts"]
