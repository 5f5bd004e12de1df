"""The instances of one frame after a transform changed their masks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

_PER_INSTANCE = ("gt_bboxes_labels", "gt_instances_ids", "gt_ignore_flags")
INSTANCE_KEYS = ("gt_masks", "gt_bboxes", *_PER_INSTANCE)


def wrap_masks(masks: np.ndarray) -> BitmapMasks:
    """Wrap (n, h, w) uint8 masks without a copy.

    The constructor copies what it is given: 14 MB for 15 masks of 720x1280.
    """
    wrapped = BitmapMasks([], *masks.shape[1:])
    wrapped.masks = masks
    return wrapped


def with_masks(frame: Mapping[str, Any], masks: np.ndarray) -> dict[str, Any]:
    """Give the instances of a frame new masks; the ones without a pixel are absent.

    Args:
        frame: Per-instance values of LoadClipAnnotations for one frame, n instances.
        masks: (n, h, w) uint8, in the frame's order.

    Returns:
        All keys of ``INSTANCE_KEYS`` for the instances still shown; boxes are tight.
    """
    rows, columns = masks.any(axis=2), masks.any(axis=1)
    shown = rows.any(axis=1)
    return dict(
        gt_masks=wrap_masks(masks if shown.all() else masks[shown]),
        gt_bboxes=HorizontalBoxes(_tight_boxes(rows[shown], columns[shown])),
        **{key: frame[key][shown] for key in _PER_INSTANCE},
    )


def update_clip(results: dict[str, Any], frame_number: int, masks: np.ndarray) -> None:
    """Put :func:`with_masks` of one frame into the lists of a clip.

    Args:
        results: The clip; its lists are changed.
        frame_number: Position in the clip.
        masks: (n, h, w) uint8.
    """
    frame = {key: results[key][frame_number] for key in _PER_INSTANCE}
    for key, value in with_masks(frame, masks).items():
        results[key][frame_number] = value


def _tight_boxes(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return (n, 4) float32 x1 y1 x2 y2 of (n, h) rows and (n, w) columns in use."""
    top, left = rows.argmax(axis=1), columns.argmax(axis=1)
    bottom = rows.shape[1] - rows[:, ::-1].argmax(axis=1)
    right = columns.shape[1] - columns[:, ::-1].argmax(axis=1)
    return np.stack([left, top, right, bottom], axis=1).astype(np.float32)
