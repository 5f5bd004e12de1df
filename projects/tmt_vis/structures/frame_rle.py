"""One frame's segmentation of one instance: the native JSON forms -> compressed RLE."""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco_mask

from .run_lengths import encode_counts

# pycocotools walks along every edge of a polygon, five steps to the pixel, wherever it
# lies: a vertex at 1e9 would cost gigabytes. Annotators do not leave the frame by more
# than a few pixels.
_POLYGON_REACH = 10


class FrameRLE(NamedTuple):
    """Compressed counts and their size: half the memory of the JSON object.

    Args:
        size: H, W in pixels; one tuple can serve all frames of a video.
        counts: Compressed COCO counts, as text.
    """

    size: tuple[int, int]
    counts: str


def compress_segmentation(segmentation: Any, *, height: int, width: int) -> bytes:
    """Turn any of the native forms into compressed RLE counts.

    Args:
        segmentation: ``{"size": [H, W], "counts": str | bytes | list[int]}``, a
            FrameRLE, or a list of polygons ``[x0, y0, x1, y1, ...]`` in pixels.
        height: H of the video, in pixels.
        width: W of the video, in pixels.

    Returns:
        Compressed counts as pycocotools writes them. The run lengths of counts that
        were compressed already are not looked at.

    Raises:
        ValueError: If the form is unknown or does not fit the video's size.
    """
    if isinstance(segmentation, FrameRLE):
        return compress_rle(segmentation._asdict(), height, width)
    if isinstance(segmentation, Mapping):
        return compress_rle(segmentation, height, width)
    if isinstance(segmentation, Sequence) and not isinstance(segmentation, str | bytes):
        return _compress_polygons(segmentation, height, width)
    raise ValueError(
        "a segmentation must be null, an RLE object or a list of polygons, got "
        f"{type(segmentation).__name__}"
    )


def is_size(size: Any, height: int, width: int) -> bool:
    """Tell whether an RLE's ``size`` is that of the video.

    12.0 is 12; true and "12" are no sizes.
    """
    return (
        isinstance(size, Sequence)
        and len(size) == 2
        and size[0] == height
        and size[1] == width
        and bool not in map(type, size)
    )


def empty_counts(height: int, width: int) -> bytes:
    """Return the compressed counts of a mask without any object pixel."""
    return encode_counts(np.array([height * width]))[0]


def compress_rle(rle: Any, height: int, width: int) -> bytes:
    """Turn a COCO RLE with any counts into compressed ones.

    Args:
        rle: ``{"size": [H, W], "counts": str | bytes | list[int]}``.
        height: H of the video, in pixels.
        width: W of the video, in pixels.

    Raises:
        ValueError: If it is none or of another size.
    """
    if not isinstance(rle, Mapping):
        raise ValueError(
            "a mask must be null or an RLE object with size and counts, got "
            f"{reprlib.repr(rle)}"
        )
    if "size" not in rle or "counts" not in rle:
        raise ValueError(
            f"an RLE needs the keys size and counts, got {reprlib.repr(sorted(rle))}"
        )
    size, counts = rle["size"], rle["counts"]
    if not is_size(size, height, width):
        raise ValueError(
            f"the RLE has size {reprlib.repr(_as_list(size))} but the video is "
            f"[height, width] = {[height, width]}"
        )
    if isinstance(counts, bytes):
        return counts
    if isinstance(counts, str):
        if not counts.isascii():
            raise ValueError("compressed counts must be ASCII text")
        return counts.encode("ascii")
    return _compress_runs(counts, height, width)


def _compress_runs(runs: Any, height: int, width: int) -> bytes:
    """Compress a list of run lengths, checked with Python's unlimited integers."""
    if not isinstance(runs, Sequence) or not all(type(run) is int for run in runs):
        raise ValueError(
            f"counts must be text or a list of integers, got {reprlib.repr(runs)}"
        )
    if sum(runs) != height * width or min(runs) < 0:
        raise ValueError(
            f"run lengths must be >= 0 and sum to height * width = {height * width}, "
            f"got a sum of {sum(runs)}"
        )
    return encode_counts(np.array(runs))[0]


def _compress_polygons(polygons: Sequence[Any], height: int, width: int) -> bytes:
    limit = _POLYGON_REACH * max(height, width)
    for polygon in polygons:
        if type(polygon) not in (list, tuple) or len(polygon) % 2:
            raise ValueError(
                "a polygon must be a list [x0, y0, x1, y1, ...] of even length, got "
                f"{reprlib.repr(polygon)}"
            )
        # Types first: NumPy reads "1" and true as numbers.
        numbers = set(map(type, polygon)) <= {int, float}
        if not numbers or not all(-limit <= value <= limit for value in polygon):
            raise ValueError(
                f"polygon coordinates must be numbers within {limit} pixels of the "
                f"frame's corner, got {reprlib.repr(polygon)}"
            )
    # Fewer than three points enclose nothing (pycocotools would read 4 numbers as a
    # box), so they contribute no pixel instead of an invented rectangle.
    areal = [list(polygon) for polygon in polygons if len(polygon) >= 6]
    if not areal:
        return empty_counts(height, width)
    return coco_mask.merge(coco_mask.frPyObjects(areal, height, width))["counts"]


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
