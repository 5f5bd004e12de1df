"""Made-up objects over time: ellipses that drift, with holes and absences."""

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask


def ellipses(
    count: int, frames: int, size: tuple[int, int], *, seed: int = 0
) -> np.ndarray:
    """Draw moving ellipses, ``(N, T, H, W)`` bool; most are there most of the time."""
    rng = np.random.default_rng(seed)
    height, width = size
    rows, columns = np.ogrid[:height, :width]
    masks = np.zeros((count, frames, height, width), dtype=bool)
    for n in range(count):
        middle = rng.uniform(0.2, 0.8, 2) * size
        radii = rng.uniform(0.06, 0.25, 2) * height
        speed = rng.uniform(-0.3, 0.3, 2) * size / frames
        for t in np.flatnonzero(rng.random(frames) < 0.9):
            y, x = middle + t * speed
            distance = ((rows - y) / radii[0]) ** 2 + ((columns - x) / radii[1]) ** 2
            # A slow wave: edges that are no ellipse, about two runs per column.
            masks[n, t] = distance < 1 + 0.3 * np.sin(rows * 12 / height + n)
    return masks


def per_frame_rles(masks: np.ndarray) -> list[dict[str, Any] | None]:
    """Encode ``(T, H, W)`` as result files do, None where there is nothing."""
    rles = []
    for mask in masks:
        rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        entry = dict(size=rle["size"], counts=rle["counts"].decode())
        rles.append(entry if mask.any() else None)
    return rles


def shifted(masks: np.ndarray, *, seed: int) -> np.ndarray:
    """Move every object a little: what a model might have found of it."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-6, 7, (len(masks), 2))
    return np.stack([np.roll(m, s, (1, 2)) for m, s in zip(masks, steps, strict=True)])
