"""The frames in which a tracked polygon is written down; tools fill in the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pycocotools import mask as coco_mask

from .outlines import Polygon, followed, iou, outline

# Gaps between two keyframes that are tried, the longest first.
_GAPS = (16, 8, 4, 2)

Frames = Sequence[Mapping[str, Any] | None]  # T COCO RLEs, None where absent


@dataclass(frozen=True, eq=False)
class Keyframe:
    """One written shape of a track.

    Args:
        frame: Number of the frame, from 0.
        polygon: Its corners.
        moves: The corners move evenly to those of the next keyframe, which has as many.
            Otherwise the next keyframe is that of the next frame, or the object leaves.
    """

    frame: int
    polygon: Polygon
    moves: bool = False


@dataclass(frozen=True)
class Outlined:
    """A track as polygons.

    Args:
        keyframes: In order of the frames.
        num_masks: Frames that show the object.
        least_iou: Smallest IoU of a frame's polygon and its mask.
    """

    keyframes: tuple[Keyframe, ...]
    num_masks: int
    least_iou: float


def outlined(frames: Frames, *, min_iou: float) -> Outlined:
    """Describe a track by as few keyframes as the bound allows.

    From a keyframe on, the longest gap is taken over which corners that move evenly
    stay within the bound in every frame. Where there is none, the next frame is a
    keyframe with corners of its own.

    Args:
        frames: The masks of the track.
        min_iou: Least IoU of every frame's polygon and mask, in [0, 1].
    """
    shown = [t for t, frame in enumerate(frames) if frame is not None]
    found: list[Keyframe] = []
    ious: list[float] = []
    start = None  # a polygon that ends one gap and may begin the next
    t = shown[0] if shown else len(frames)
    while t < len(frames):
        if frames[t] is None:
            t, start = t + 1, None
            continue
        if start is None:
            start = outline(coco_mask.decode(frames[t]).astype(bool), min_iou=min_iou)
            ious.append(iou(start, frames[t]))
        gap, end, between = _longest_gap(frames, t, start, min_iou)
        found.append(Keyframe(t, start, moves=end is not None))
        ious += between
        start, t = end, t + gap
    return Outlined(tuple(found), len(shown), min(ious, default=1.0))


def at_frame(first: Keyframe, last: Keyframe, frame: int) -> Polygon:
    """Return the corners between two keyframes."""
    share = (frame - first.frame) / (last.frame - first.frame)
    return first.polygon + share * (last.polygon - first.polygon)


def _longest_gap(
    frames: Frames, t: int, start: Polygon, min_iou: float
) -> tuple[int, Polygon | None, list[float]]:
    """Return the gap, the polygon at its end and the IoU of its frames.

    A gap of 1 has no polygon: the next frame gets its own.
    """
    for gap in _GAPS:
        inside = frames[t + 1 : t + gap + 1]
        if len(inside) < gap or any(frame is None for frame in inside):
            continue
        target = coco_mask.decode(inside[-1]).astype(bool)
        for end in followed(start, target):
            pair = Keyframe(t, start), Keyframe(t + gap, end)
            ious = _ious(pair, inside, min_iou)
            if ious is not None:
                return gap, end, ious
    return 1, None, []


def _ious(
    pair: tuple[Keyframe, Keyframe], inside: Frames, min_iou: float
) -> list[float] | None:
    """Return the IoU of the frames behind the first keyframe; None beyond the bound."""
    found = []
    for frame, rle in enumerate(inside, pair[0].frame + 1):
        found.append(iou(at_frame(*pair, frame), rle))
        if found[-1] < min_iou:
            return None
    return found
