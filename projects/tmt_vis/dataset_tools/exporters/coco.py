"""Tracks as per-frame COCO and as YouTube-VIS: one JSON with exact masks."""

import json
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask

from .job import ExportJob

ANNOTATIONS = "annotations.json"


def export_coco(job: ExportJob, out: Path) -> None:
    """Write ``annotations.json``, an annotation per object and frame.

    Masks are RLE, ``iscrowd`` is 0, and ``attributes.track_id`` says which annotations
    are one object, as in the exports of CVAT.

    Args:
        job: What is exported, and how.
        out: A new folder, not yet at its final place.
    """
    ids = job.tracks.categories
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    videos = []
    for number, video in enumerate(job.videos(), 1):
        videos.append(dict(id=number, name=video.name))
        size = dict(height=video.height, width=video.width)
        first = len(images) + 1
        for t, file_name in enumerate(video.file_names):
            place = dict(id=first + t, file_name=file_name, video_id=number, frame_id=t)
            images.append(place | size)
        for track in video.tracks:
            for t, rle in enumerate(track.tube.to_frames()):
                if rle is None:
                    continue
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=first + t,
                        category_id=ids[track.name],
                        iscrowd=0,
                        segmentation=rle,
                        area=int(coco_mask.area(rle)),
                        bbox=coco_mask.toBbox(rle).tolist(),
                        score=track.score,
                        attributes=dict(track_id=track.id),
                    )
                )
    content = dict(videos=videos, images=images, annotations=annotations)
    _write(content, job, out)


def export_youtube_vis(job: ExportJob, out: Path) -> None:
    """Write ``annotations.json`` and ``label_space.json``, ready for training.

    Args:
        job: What is exported, and how.
        out: A new folder, not yet at its final place.
    """
    ids = job.tracks.categories
    videos: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, video in enumerate(job.videos(), 1):
        size = dict(height=video.height, width=video.width, length=video.num_frames)
        names = list(video.file_names)
        videos.append(dict(id=number, name=video.name, file_names=names) | size)
        for track in video.tracks:
            frames = track.tube.to_frames()
            shown = [rle is not None for rle in frames]
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    video_id=number,
                    category_id=ids[track.name],
                    track_id=track.id,
                    score=track.score,
                    iscrowd=0,
                    segmentations=frames,
                    bboxes=[
                        coco_mask.toBbox(rle).tolist() if there else None
                        for rle, there in zip(frames, shown, strict=True)
                    ],
                    areas=[
                        int(coco_mask.area(rle)) if there else None
                        for rle, there in zip(frames, shown, strict=True)
                    ],
                )
                | size
            )
    _write(dict(videos=videos, annotations=annotations), job, out)
    rows = [dict(source_id=number, name=name) for name, number in ids.items()]
    space = dict(name=job.tracks.label_space_name, categories=rows)
    text = json.dumps(space, indent=1, ensure_ascii=False)
    (out / "label_space.json").write_text(text + "\n", encoding="utf-8")


def _write(content: dict[str, Any], job: ExportJob, out: Path) -> None:
    rows = [
        dict(id=number, name=name) for name, number in job.tracks.categories.items()
    ]
    content = dict(info=dict(description="tracks of TMT-VIS"), **content)
    content["categories"] = rows
    text = json.dumps(content, ensure_ascii=False)
    (out / ANNOTATIONS).write_text(text + "\n", encoding="utf-8")
