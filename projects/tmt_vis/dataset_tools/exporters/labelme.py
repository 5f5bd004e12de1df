"""Tracks as LabelMe files, one JSON per frame that shows an object."""

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from .job import ExportJob
from .keyframes import Outlined
from .outlines import iou, outline
from .tracks_file import ExportTrack, ExportVideo

_VERSION = "5.4.1"  # the first ones to know masks are older


def export_labelme(job: ExportJob, out: Path) -> None:
    """Write ``VIDEO/FRAME.json``; the group id of a shape is the number of its object.

    In LabelMe, open the folder of the frames with ``--output`` set to the folder of
    the JSON files. Frames are found where they are if ``--images`` was given.

    Args:
        job: What is exported, and how.
        out: A new folder, not yet at its final place.
    """
    for video in job.videos():
        folder = out / video.name
        folder.mkdir(parents=True)
        image_paths = _image_paths(video, job)
        frames = {track.id: track.tube.to_frames() for track in video.tracks}
        for t, stem in enumerate(video.stems):
            shapes = [
                _shape(track, frames[track.id][t], job)
                for track in video.tracks
                if frames[track.id][t] is not None
            ]
            if not shapes:
                continue
            content = {
                "version": _VERSION,
                "flags": {},
                "shapes": shapes,
                "imagePath": image_paths[t],
                "imageData": None,
                "imageHeight": video.height,
                "imageWidth": video.width,
            }
            text = json.dumps(content, ensure_ascii=False)
            path = folder / f"{stem}.json"
            path.write_text(text + "\n", encoding="utf-8")


def _image_paths(video: ExportVideo, job: ExportJob) -> list[str]:
    """Say where the frames are, seen from the folder of the JSON files."""
    root = job.tracks.image_root
    if root is None:
        return [Path(name).name for name in video.file_names]
    place = (job.out / video.name).resolve()
    frames = [(root / name).resolve() for name in video.file_names]
    return [Path(os.path.relpath(frame, place)).as_posix() for frame in frames]


def _shape(track: ExportTrack, rle: dict[str, Any], job: ExportJob) -> dict[str, Any]:
    mask = coco_mask.decode(rle).astype(bool)
    head = {"label": track.name, "group_id": track.id, "flags": {}, "description": ""}
    if job.shape == "mask":
        return {**head, "shape_type": "mask", **_crop(mask)}
    corners = outline(mask, min_iou=job.min_iou)
    job.count(Outlined((), 1, iou(corners, rle)))
    return {**head, "shape_type": "polygon", "points": corners.tolist()}


def _crop(mask: np.ndarray) -> dict[str, Any]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    bottom, right = int(rows[-1]), int(columns[-1])
    buffer = io.BytesIO()
    Image.fromarray(mask[top : bottom + 1, left : right + 1]).save(buffer, "PNG")
    points = [[float(left), float(top)], [float(right), float(bottom)]]
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"points": points, "mask": text}
