"""What the reader does not look at, but people do: frame files and boxes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tmt_vis.annotations import VideoEntry

from .. import segmentation
from ..errors import FrameError
from ..findings import Findings
from ..frame_files import image_size
from ..transforms import LoadClipFrames
from .pieces import Part

# Boxes are often made from polygons, and are wider or narrower by up to a pixel.
_BOX_TOLERANCE = 1.0


class FrameChecker:
    """Look at the frame files of videos.

    Args:
        root: What ``file_names`` are relative to.
        decode: Decode every frame as training does, instead of reading headers; finds
            truncated files.
        errors: Takes missing and unreadable frames and other sizes.
        warnings: Takes frames listed twice.
    """

    def __init__(
        self, root: Path, *, decode: bool, errors: Findings, warnings: Findings
    ) -> None:
        self._root = root
        self._load = LoadClipFrames() if decode else None
        self._errors = errors
        self._warnings = warnings

    def check(self, video: VideoEntry) -> None:
        """Check the frames of one video; memory is that of one frame."""
        seen: set[str] = set()
        for name in video.file_names:
            if name in seen:
                self._warnings.add("frame listed twice in one video", name)
                continue
            seen.add(name)
            self._check_frame(self._root / name, video)

    def _check_frame(self, path: Path, video: VideoEntry) -> None:
        expected = (video.height, video.width)
        try:
            size = image_size(path)
            if size == expected and self._load is not None:
                self._load.transform(
                    dict(
                        img_path=[str(path)],
                        ori_shape=expected,
                        video_name=video.name,
                    )
                )
        except FrameError as error:
            kind = "unreadable frame" if path.exists() else "missing frame"
            self._errors.add(kind, str(error) if path.exists() else str(path))
            return
        if size != expected:
            self._errors.add(
                "frame of another size",
                f"{path}: {size[0]}x{size[1]} (height x width), the annotation file "
                f"says {expected[0]}x{expected[1]}",
            )


def check_boxes(part: Part, warnings: Findings) -> None:
    """Compare the ``bboxes`` of a video's entries with their masks.

    Nothing here reads them; other tools do.
    """
    video = part.video
    size = dict(height=video.height, width=video.width)
    boxes_of = {entry["id"]: entry.get("bboxes") for entry in part.annotations}
    if not any(boxes_of.values()):
        return
    for source_id, boxes in boxes_of.items():
        if boxes and (not isinstance(boxes, list) or len(boxes) < video.length):
            where = f"annotation id={source_id} (video_id={video.video_id})"
            warnings.add("bboxes without one entry per frame", where)
    for t in range(video.length):
        objects = part.index.frame(0, t).instances
        tight = segmentation.boxes([i.counts for i in objects], **size)
        for instance, corners in zip(objects, tight.tolist(), strict=True):
            boxes = boxes_of.get(instance.source_id)
            box = boxes[t] if isinstance(boxes, list) and t < len(boxes) else None
            if box is None:
                continue
            where = (
                f"annotation id={instance.source_id} (video_id={video.video_id}, "
                f"frame {t}): {str(box)[:60]}"
            )
            if not _is_box(box):
                what = "box that is not [x, y, width, height] of finite numbers"
                warnings.add(what, where)
            elif not _encloses(box, corners):
                shown = [round(c, 1) for c in corners]
                warnings.add(
                    "box that does not enclose its mask",
                    f"{where}, mask from {shown[:2]} to {shown[2:]}",
                )


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(side, int | float) and math.isfinite(side) for side in box)
        and min(box[2:]) >= 0
    )


def _encloses(box: Sequence[float], corners: Sequence[float]) -> bool:
    x, y, width, height = box
    margin = _BOX_TOLERANCE
    return (
        x - margin <= corners[0]
        and y - margin <= corners[1]
        and x + width + margin >= corners[2]
        and y + height + margin >= corners[3]
    )
