"""Write tiny datasets in the native YouTube-VIS format, for tests.

Objects are filled rectangles; every frame's background is ``frame_value(t)``, so a test
can tell from a pixel which frame it looks at.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from pycocotools import mask as coco_mask

HEIGHT, WIDTH = 32, 48
Box = tuple[int, int, int, int]  # x, y, width, height


@dataclass
class Track:
    """One instance: its box in every frame, None where it is absent."""

    boxes: Sequence[Box | None]
    track_id: int = 1
    category_id: int = 1
    iscrowd: int = 0


@dataclass
class Video:
    """One video; its frames are written as PNG, so pixels are exact."""

    video_id: int
    length: int
    tracks: Sequence[Track] = ()
    height: int = HEIGHT
    width: int = WIDTH
    extra: dict = field(default_factory=dict)

    @property
    def file_names(self) -> list[str]:
        return [f"v{self.video_id}/{t:05d}.png" for t in range(self.length)]


PERSON_AND_DOG = [dict(id=1, name="person"), dict(id=8, name="dog")]


def frame_value(frame_id: int) -> int:
    """Return the background value of a frame."""
    return 10 + frame_id


def box_mask(box: Box | None, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Return the (H, W) uint8 mask of a box."""
    mask = np.zeros((height, width), dtype=np.uint8)
    if box is not None:
        x, y, w, h = box
        mask[y : y + h, x : x + w] = 1
    return mask


def encode(mask: np.ndarray, form: str = "compressed") -> dict | list:
    """Write a mask as compressed RLE, uncompressed RLE or polygon (of its box)."""
    if form == "compressed":
        rle = coco_mask.encode(np.asfortranarray(mask))
        return dict(size=list(mask.shape), counts=rle["counts"].decode())
    if form == "uncompressed":
        flat = mask.flatten(order="F")
        cuts = np.flatnonzero(np.diff(flat)) + 1
        runs = np.diff([0, *cuts, flat.size]).tolist()
        return dict(size=list(mask.shape), counts=[0, *runs] if flat[0] else runs)
    rows, columns = np.nonzero(mask)
    x0, x1 = int(columns.min()), int(columns.max()) + 1
    y0, y1 = int(rows.min()), int(rows.max()) + 1
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def annotations(videos: Sequence[Video], form: str = "compressed") -> list[dict]:
    """Build the ``annotations`` list of some videos."""
    entries = []
    for video in videos:
        for track in video.tracks:
            masks = [box_mask(b, video.height, video.width) for b in track.boxes]
            entries.append(
                dict(
                    id=track.track_id,
                    video_id=video.video_id,
                    category_id=track.category_id,
                    iscrowd=track.iscrowd,
                    segmentations=[encode(m, form) if m.any() else None for m in masks],
                    bboxes=[None if b is None else list(b) for b in track.boxes],
                    areas=[int(m.sum()) or None for m in masks],
                )
            )
    return entries


def native_json(
    videos: Sequence[Video],
    categories: Sequence[dict] = PERSON_AND_DOG,
    form: str = "compressed",
) -> dict:
    """Build the native annotation file of some videos."""
    return dict(
        videos=[
            dict(
                id=v.video_id,
                height=v.height,
                width=v.width,
                length=v.length,
                file_names=v.file_names,
                **v.extra,
            )
            for v in videos
        ],
        categories=[dict(category) for category in categories],
        annotations=annotations(videos, form),
    )


def coco_json(
    videos: Sequence[Video],
    categories: Sequence[dict] = PERSON_AND_DOG,
    form: str = "compressed",
) -> dict:
    """Build a COCO instance file of the first frames of some videos."""
    native = native_json(videos, categories, form)
    images = [
        dict(id=v["id"], height=v["height"], width=v["width"], file_name=names[0])
        for v in native["videos"]
        if (names := v["file_names"])
    ]
    entries = [
        dict(
            id=number,
            image_id=entry["video_id"],
            category_id=entry["category_id"],
            iscrowd=entry["iscrowd"],
            segmentation=entry["segmentations"][0] or [],
        )
        for number, entry in enumerate(native["annotations"], 1)
    ]
    return dict(images=images, categories=native["categories"], annotations=entries)


def write_images(root: Path, videos: Sequence[Video], **options) -> dict:
    """Write first frames and COCO file; return data_root and ann_file for a config."""
    write_frames(root, videos)
    write_json(root, coco_json(videos, **options))
    return dict(data_root=str(root), ann_file="train.json")


def write_json(root: Path, data: dict, name: str = "train.json") -> str:
    """Write an annotation file and return its path."""
    path = Path(root) / name
    path.write_text(json.dumps(data))
    return str(path)


def write_frames(root: Path, videos: Sequence[Video]) -> None:
    """Write the frames of some videos under ``root``."""
    for video in videos:
        for t, file_name in enumerate(video.file_names):
            image = np.full((video.height, video.width, 3), frame_value(t), np.uint8)
            for track in video.tracks:
                shown = box_mask(track.boxes[t], video.height, video.width) > 0
                image[shown] = object_color(track.track_id)
            path = Path(root) / file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), image)


def object_color(track_id: int) -> tuple[int, int, int]:
    """Return the BGR colour of an object."""
    return 100 + track_id, 150 + track_id, 200 + track_id


def write_dataset(root: Path, videos: Sequence[Video], **options) -> dict:
    """Write frames and annotation file; return data_root and ann_file for a config."""
    write_frames(root, videos)
    write_json(root, native_json(videos, **options))
    return dict(data_root=str(root), ann_file="train.json")


def moving_video(
    video_id: int, length: int, track_ids: Sequence[int] = (0, 5), **options
) -> Video:
    """Return a video of boxes that move right, one above the other, all visible."""
    tracks = [
        Track(
            boxes=[(1 + 2 * (t % 16), 2 + 14 * row, 8, 10) for t in range(length)],
            track_id=track_id,
            category_id=(1, 8)[row % 2],
        )
        for row, track_id in enumerate(track_ids)
    ]
    return Video(video_id, length, tracks, **options)
