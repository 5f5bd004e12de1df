"""Tracks as "CVAT for video 1.1", one XML per video."""

import json
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

import numpy as np
from pycocotools import mask as coco_mask

from .job import ExportJob
from .keyframes import Keyframe, outlined
from .tracks_file import ExportTrack, ExportVideo

# CVAT has no mask tracks: it reads the first mask of a track and drops the others. So
# every mask is a track of its own, and this attribute says which belong together.
TRACK_ATTRIBUTE = "track_id"


def export_cvat(job: ExportJob, out: Path) -> None:
    """Write ``VIDEO.xml`` for every video, and ``labels.json`` for a new task.

    In CVAT: make a task with the video and the labels of ``labels.json`` (the field
    "Raw"), then "Upload annotations" as "CVAT 1.1". Polygons are tracks whose
    keyframes are thinned; masks are single shapes that carry ``track_id``.

    Args:
        job: What is exported, and how.
        out: A new folder, not yet at its final place.
    """
    masks = job.shape == "mask"
    for video in job.videos():
        root = _root(job, video, with_attribute=masks)
        for track in video.tracks:
            if masks:
                _add_masks(root, track)
            else:
                _add_polygons(root, track, video, job)
        indent(root, space=" ")
        path = out / f"{video.name}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    labels = [_label_json(name, masks) for name in job.tracks.categories]
    text = json.dumps(labels, indent=1, ensure_ascii=False)
    (out / "labels.json").write_text(text + "\n", encoding="utf-8")


def _label_json(name: str, with_attribute: bool) -> dict:
    attribute = dict(name=TRACK_ATTRIBUTE, mutable=False, input_type="text")
    attributes = [dict(attribute, default_value="", values=[""])]
    return dict(name=name, attributes=attributes if with_attribute else [])


def _root(job: ExportJob, video: ExportVideo, *, with_attribute: bool) -> Element:
    root = Element("annotations")
    _text(root, "version", "1.1")
    task = SubElement(SubElement(root, "meta"), "task")
    _text(task, "name", video.name)
    _text(task, "size", video.num_frames)
    _text(task, "mode", "interpolation")
    _text(task, "start_frame", 0)
    _text(task, "stop_frame", video.num_frames - 1)
    labels = SubElement(task, "labels")
    for name in job.tracks.categories:
        label = SubElement(labels, "label")
        _text(label, "name", name)
        attributes = SubElement(label, "attributes")
        if with_attribute:
            attribute = SubElement(attributes, "attribute")
            _text(attribute, "name", TRACK_ATTRIBUTE)
            _text(attribute, "mutable", "False")
            _text(attribute, "input_type", "text")
            _text(attribute, "default_value", "")
            _text(attribute, "values", "")
    size = SubElement(task, "original_size")
    _text(size, "width", video.width)
    _text(size, "height", video.height)
    return root


def _text(parent: Element, tag: str, value: object) -> None:
    SubElement(parent, tag).text = str(value)


def _add_polygons(
    root: Element, track: ExportTrack, video: ExportVideo, job: ExportJob
) -> None:
    result = outlined(track.tube.to_frames(), min_iou=job.min_iou)
    job.count(result)
    element = _track(root, track.id, track)
    keys = result.keyframes
    for key, after in zip(keys, [*keys[1:], None], strict=True):
        _shape(element, "polygon", key.frame, points=_points(key))
        next_frame = key.frame + 1
        leaves = after is None or (not key.moves and after.frame > next_frame)
        if leaves and next_frame < video.num_frames:
            _shape(element, "polygon", next_frame, outside=True, points=_points(key))


def _add_masks(root: Element, track: ExportTrack) -> None:
    for t, frame in enumerate(track.tube.to_frames()):
        if frame is None:
            continue
        element = _track(root, len(root) - 2, track)  # version and meta come first
        values = _row_runs(coco_mask.decode(frame).astype(bool))
        shape = _shape(element, "mask", t, **values)
        attribute = SubElement(shape, "attribute", name=TRACK_ATTRIBUTE)
        attribute.text = str(track.id)
        gone = _shape(element, "mask", t + 1, outside=True, **values)
        SubElement(gone, "attribute", name=TRACK_ATTRIBUTE).text = str(track.id)


def _track(root: Element, number: int, track: ExportTrack) -> Element:
    table = dict(id=str(number), label=track.name, source="auto")
    return SubElement(root, "track", table)


def _shape(
    track: Element, kind: str, frame: int, *, outside: bool = False, **values: str
) -> Element:
    head = dict(frame=str(frame), keyframe="1", outside=str(int(outside)), occluded="0")
    return SubElement(track, kind, {**head, **values, "z_order": "0"})


def _points(key: Keyframe) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in key.polygon)


def _row_runs(mask: np.ndarray) -> dict[str, str]:
    """Describe a mask by the runs of its crop in row order, background first."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = int(rows[0]), int(columns[0])
    crop = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    flat = crop.ravel()
    cuts = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *cuts, flat.size]).tolist()
    if flat[0]:
        runs = [0, *runs]
    height, width = crop.shape
    numbers = dict(left=left, top=top, width=width, height=height)
    return {"rle": ", ".join(map(str, runs)), **{k: str(v) for k, v in numbers.items()}}
