"""What the reader does not look at, but people do: frame files and boxes."""

import math
import os.path as osp
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

import cv2
import numpy as np

from tmt_vis.annotations import VideoEntry
from tmt_vis.annotations.values import with_slashes
from tmt_vis.datasets import segmentation
from tmt_vis.datasets.errors import FrameError
from tmt_vis.datasets.frame_files import ImageHeader, locate_frame, read_header
from tmt_vis.datasets.transforms import LoadClipFrames

from ..findings import Findings
from .annotation_splitter import Part

# Boxes are often made from polygons, and are wider or narrower by up to a pixel.
_BOX_TOLERANCE = 1.0
_DARK = 2**12  # 10- and 12-bit cameras that write 16-bit files stay below


class FrameChecker:
    """Look at the frame files of videos.

    Args:
        root: What ``file_names`` are relative to.
        decode: Decode every frame as training does, instead of reading headers; finds
            truncated files.
        errors: Takes missing and unreadable frames and other sizes.
        warnings: Takes frames listed twice, names that lead elsewhere, orientation
            tags, files of several images, frames that are nearly black in 8 bits.
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
            self._check_name(name, video)
            self._check_frame(Path(locate_frame(self._root, name)), video)

    def _check_name(self, name: str, video: VideoEntry) -> None:
        where = f"{name} (video id={video.video_id})"
        parts = with_slashes(name).split("/")
        if osp.isabs(name) or PureWindowsPath(name).drive or ".." in parts:
            self._warnings.add("file name that leaves the folder of the frames", where)
        if "\\" in name:
            self._warnings.add("backslash in a file name, taken as a slash", where)

    def _check_frame(self, path: Path, video: VideoEntry) -> None:
        expected = (video.height, video.width)
        try:
            header = read_header(path)
            size = (header.height, header.width)
            if size == expected and self._load is not None:
                self._load.transform(
                    dict(
                        img_path=[str(path)],
                        ori_shape=expected,
                        video_name=video.name,
                    )
                )
        except FrameError as error:
            kind = "unreadable frame" if osp.exists(path) else "missing frame"
            self._errors.add(kind, str(error) if osp.exists(path) else str(path))
            return
        if size != expected:
            turned = ", turned by its EXIF tag" if header.orientation > 4 else ""
            self._errors.add(
                "frame of another size",
                f"{path}: {size[0]}x{size[1]} (height x width{turned}), the annotation "
                f"file says {expected[0]}x{expected[1]}",
            )
        self._note(path, header)

    def _note(self, path: Path, header: ImageHeader) -> None:
        """Tell what is accepted and may not be what the annotations were made for."""
        if header.orientation != 1:
            what = "frame with an EXIF orientation tag, turned as viewers turn it"
            self._warnings.add(what, f"{path}: orientation {header.orientation}")
        if header.num_images > 1:
            what = "frame file of several images, of which the first is read"
            self._warnings.add(what, f"{path}: {header.num_images} images")
        if header.is_deep:
            self._note_depth(path)

    def _note_depth(self, path: Path) -> None:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None or image.dtype != np.uint16 or image.max() >= _DARK:
            return
        self._warnings.add(
            "16-bit frame that is nearly black in 8 bits; scale its values to 65535",
            f"{path}: values up to {image.max()}, read as {image.max() >> 8} of 255",
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
