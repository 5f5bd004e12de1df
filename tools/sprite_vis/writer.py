"""Write one split of a dataset in its official folder layout and JSON format."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tmt_vis.taxonomy import LabelSpace

from .layouts import LAYOUTS, frame_path
from .rle import encode
from .video import Video, encode_image

# Visible share of an object's in-frame pixels, above which a level holds.
OCCLUSION_LEVELS = (
    (0.95, "no_occlusion"),
    (0.5, "slight_occlusion"),
    (-1.0, "severe_occlusion"),
)


def _bbox(mask: np.ndarray) -> list[float]:
    """Return x, y, width, height of a non-empty (H, W) mask."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [
        float(xs[0]),
        float(ys[0]),
        float(xs[-1] - xs[0] + 1),
        float(ys[-1] - ys[0] + 1),
    ]


def _occlusion_level(visible: int, full: int) -> str:
    share = visible / full
    return next(level for bound, level in OCCLUSION_LEVELS if share > bound)


class SplitWriter:
    """Collects the videos of one split: frames are written at once, the JSON at last.

    Args:
        out_dir: folder that holds all datasets.
        label_space: the dataset's official categories, all of which are listed.
        split: 'train' or 'val'.
        rng: source of video names and of the gaps between sparse video ids.
        counts: 'string' for compressed RLE, as in the official files, or 'list'.
    """

    def __init__(
        self,
        *,
        out_dir: Path,
        label_space: LabelSpace,
        split: str,
        rng: np.random.Generator,
        counts: str = "string",
    ) -> None:
        self.layout = LAYOUTS[label_space.name]
        self.label_space = label_space
        self.split = split
        self._out_dir = out_dir
        self._rng = rng
        self._compressed = counts == "string"
        self.videos: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def add(self, video: Video) -> None:
        """Write a video's frames and take up its annotations."""
        last_id = self.videos[-1]["id"] if self.videos else 0
        start = 30 * int(self._rng.integers(0, 8)) if self.layout.starts else 0
        name = self.layout.name_video(self._rng)
        file_names = [
            f"{name}/{self.layout.name_frame(start, t)}"
            for t in range(len(video.images))
        ]
        height, width = video.images[0].shape[:2]
        entry = {
            "id": last_id + int(self._rng.integers(1, self.layout.id_steps + 1)),
            "width": width,
            "height": height,
            "file_names": file_names,
        }
        if self.layout.starts:  # the original names a Kinetics action, and no length
            entry |= {"ytid": name, "start_idx": start, "label": "sprites"}
        else:
            entry |= {
                "length": len(file_names),
                "license": 1,
                "date_captured": "",
                "flickr_url": "",
                "coco_url": "",
            }
        self.videos.append(entry)
        self._write_frames(video, file_names)
        for index, slot in enumerate(video.slots):
            self.annotations.append(self._annotation(video, index, slot, entry))

    def _write_frames(self, video: Video, file_names: list[str]) -> None:
        for image, file_name in zip(video.images, file_names, strict=True):
            relative = frame_path(self.label_space.name, self.split, file_name)
            path = self._out_dir / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_image(image, path.suffix))

    def _annotation(
        self, video: Video, index: int, slot: int, entry: dict[str, Any]
    ) -> dict[str, Any]:
        masks = video.masks[index]
        areas = [int(mask.sum()) for mask in masks]
        annotation: dict[str, Any] = {
            "id": len(self.annotations) + 1,
            "video_id": entry["id"],
            "category_id": self.label_space.source_of_slot(slot),
            "iscrowd": 0,
            "width": entry["width"],
            "height": entry["height"],
            "length": len(masks),
            "segmentations": [
                encode(mask, compressed=self._compressed) if area else None
                for mask, area in zip(masks, areas, strict=True)
            ],
            "bboxes": [
                _bbox(mask) if area else None
                for mask, area in zip(masks, areas, strict=True)
            ],
            "areas": [area or None for area in areas],
        }
        if self.layout.starts:
            annotation["start_idx"] = entry["start_idx"]
        if self.layout.occlusion:
            annotation["occlusion"] = [
                _occlusion_level(area, int(full)) if area else None
                for area, full in zip(areas, video.full_areas[index], strict=True)
            ]
        return annotation

    def finish(self) -> Path:
        """Write the annotation file and return its path."""
        content = {
            "info": {
                "description": f"{self.label_space.title} in miniature: sprites",
                "version": "1.0",
            },
            "licenses": [{"id": 1, "name": "synthetic pictures", "url": ""}],
            "videos": self.videos,
            "categories": [
                {"supercategory": "object", "id": c.source_id, "name": c.name}
                for c in self.label_space.categories
            ],
            "annotations": self.annotations,
        }
        ann_file = self.layout.ann_files[self.split]
        path = self._out_dir / self.layout.folder / ann_file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
        return path
