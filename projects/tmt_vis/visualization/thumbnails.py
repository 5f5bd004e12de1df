"""Frames with their tracks, small enough for many of them on a page."""

from collections.abc import Sequence

import cv2
import numpy as np

from .draw import TrackLabel, draw_tracks

# A pixel of a thumbnail belongs to an object that covers a quarter of it: with half,
# thin objects would vanish.
_COVERED = 0.25


def thumbnail(
    image: np.ndarray, masks: np.ndarray, labels: Sequence[TrackLabel], *, width: int
) -> np.ndarray:
    """Draw tracks over a frame of about the width of a cell.

    The frame is shrunk before its tags are written, so that they stay legible; a small
    frame is enlarged by a whole number.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: (N, H, W) bool, True = object.
        labels: N labels.
        width: Width of the cell in pixels.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    if image.shape[1] > width:
        size = (width, max(1, round(image.shape[0] * width / image.shape[1])))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        small = np.zeros((len(masks), *image.shape[:2]), dtype=bool)
        for index, mask in enumerate(masks):
            share = cv2.resize(
                mask.astype(np.float32), size, interpolation=cv2.INTER_AREA
            )
            small[index] = share >= _COVERED
        masks = small
    zoom = max(1, round(width / image.shape[1]))
    return draw_tracks(image, masks, labels, zoom=zoom)
