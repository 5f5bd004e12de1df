"""Label Studio's JSON export of videos with ``VideoVectorLabels``."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from tmt_vis.datasets.frame_files import frames_of

from ..errors import ConversionError
from ..findings import Findings
from . import shapes
from .json_input import field
from .source import Source, SourceTrack, SourceVideo, frame_size, relative_names

KIND = "videovectorlabels"


def open_label_studio(src: Path, *, images: Path | None = None) -> Source:
    """Open the JSON export of a Label Studio project, a task per video.

    An object is a region with closed paths. Of a task, the newest annotation that was
    not cancelled counts; a task without one is left out, predictions are never taken
    for annotations. Frames are in ``images/VIDEO``, where VIDEO is ``data.name`` (which
    ``tools/export_tracks.py`` writes) or the file name of ``data.video`` without
    ending; the n-th of them is Label Studio's frame n.

    Between two keyframes whose paths have equally many corners, corners move evenly;
    other paths are held. A region ends at a keyframe with ``enabled: false``.

    Args:
        src: The JSON file.
        images: Folder of the frames; default: the folder of ``src``.

    Raises:
        ConversionError: If the file breaks a rule; the message names the task.
    """
    tasks = _tasks(src)
    root = images or src.parent
    findings = Findings()
    labelled = []
    for task in tasks:
        if task.regions is None:
            findings.add("tasks without an annotation, left out", task.where)
        else:
            labelled.append(task)
    videos = (_video(task, root, findings) for task in labelled)
    return Source(None, root, len(labelled), videos, findings)


@dataclass(frozen=True)
class _Task:
    where: str
    name: str
    size: tuple[int, int] | None
    regions: list[Any] | None


def _tasks(src: Path) -> list[_Task]:
    try:
        content = json.loads(src.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConversionError(f"{src}: is not readable JSON ({error})") from error
    if not isinstance(content, list) or not content:
        raise ConversionError(
            f"{src}: must be a list of tasks; export the project from Label Studio as "
            "JSON"
        )
    tasks = [_task(entry, f"{src}: task {n}") for n, entry in enumerate(content)]
    names: dict[str, str] = {}
    for task in tasks:
        other = names.setdefault(task.name, task.where)
        if other != task.where:
            raise ConversionError(f"{task.where} and {other} are both {task.name!r}")
    return tasks


def _task(entry: Any, where: str) -> _Task:
    data = field(entry, "data", dict, where)
    name = data.get("name")
    if not isinstance(name, str) or not name:
        video = PurePosixPath(field(data, "video", str, where))
        name = video.with_suffix("").name
    sides = data.get("height"), data.get("width")
    size = sides if all(type(side) is int for side in sides) else None
    done = [
        one
        for one in field(entry, "annotations", list, where)
        if not _flag(one, "was_cancelled", where, default=False)
    ]
    newest = max(done, key=_age, default=None)
    regions = None if newest is None else field(newest, "result", list, where)
    return _Task(where, name, size, regions)


def _age(annotation: Mapping[str, Any]) -> tuple[str, int]:
    number = annotation.get("id")
    return str(annotation.get("updated_at", "")), number if type(number) is int else 0


def _video(task: _Task, root: Path, findings: Findings) -> SourceVideo:
    folder = root / task.name
    frames = frames_of(folder) if folder.is_dir() else []
    if not frames:
        raise ConversionError(
            f"video {task.name!r}: no frames in {folder}; cut the video into frames "
            "with tools/extract_frames.py and name the folder above with --images"
        )
    size = frame_size(frames, task.name, findings=findings, declared=task.size)
    tracks = []
    for number, region in enumerate(task.regions or ()):
        where = f"{task.where}: result {number}"
        if field(region, "type", str, where) != KIND:
            findings.add(f"{region['type']} results, skipped", where)
            continue
        tracks.append(_track(region, where, len(frames), size))
    names = relative_names(frames, root)
    return SourceVideo(task.name, *size, names, tracks)


def _track(
    region: Mapping[str, Any], where: str, num_frames: int, size: tuple[int, int]
) -> SourceTrack:
    value = field(region, "value", dict, where)
    labels = field(value, "labels", list, where)
    if len(labels) != 1 or not isinstance(labels[0], str):
        raise ConversionError(f"{where}: must have one label, got {labels!r:.60}")
    name = str(region.get("id"))
    track = SourceTrack(f"region {name!r} of {where}", labels[0])
    track.track_id = name.removeprefix("track-")  # as tools/export_tracks.py writes it
    keys = [
        _keyframe(shape, f"{where}, sequence {n}", num_frames, size)
        for n, shape in enumerate(field(value, "sequence", list, where))
    ]
    keys.sort(key=lambda key: key.frame)
    for frame, polygon in _shown(keys, num_frames):
        sides = dict(height=size[0], width=size[1])
        try:
            track.masks[frame] = shapes.fill_polygon(polygon, **sides)
        except ValueError as error:
            raise ConversionError(f"{where}, frame {frame + 1}: {error}") from error
    return track


@dataclass(frozen=True, eq=False)
class _Keyframe:
    frame: int  # from 0
    polygon: np.ndarray
    goes_on: bool


def _keyframe(
    shape: Any, where: str, num_frames: int, size: tuple[int, int]
) -> _Keyframe:
    frame = field(shape, "frame", int, where)
    if not 1 <= frame <= num_frames:
        raise ConversionError(
            f"{where}: frame must be 1 to {num_frames}, got {frame}; use the frames "
            "that were labelled"
        )
    if not _flag(shape, "closed", where, default=False):
        raise ConversionError(
            f"{where}: the path is not closed, so it has no inside; close it in Label "
            "Studio or delete the region"
        )
    vertices = field(shape, "vertices", list, where)
    if any(isinstance(v, Mapping) and v.get("isBezier") for v in vertices):
        raise ConversionError(
            f"{where}: has Bezier corners, which are not read; make them straight"
        )
    try:
        points = np.array([(float(v["x"]), float(v["y"])) for v in vertices])
    except (KeyError, TypeError, ValueError) as error:
        raise ConversionError(f"{where}: broken vertices ({error!r})") from error
    if len(points) < 3 or not np.isfinite(points).all():
        raise ConversionError(
            f"{where}: a mask needs three finite corners, got {len(points)}"
        )
    pixels = (points * np.array([size[1], size[0]]) / 100).round(6)
    goes_on = _flag(shape, "enabled", where, default=True)
    return _Keyframe(frame - 1, pixels, goes_on)


def _shown(
    keys: Sequence[_Keyframe], num_frames: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the frames that show the region, and its corners."""
    for key, after in zip(keys, [*keys[1:], None], strict=True):
        yield key.frame, key.polygon
        if not key.goes_on:
            continue
        stop = num_frames if after is None else after.frame
        for frame in range(key.frame + 1, stop):
            moves = after is not None and len(after.polygon) == len(key.polygon)
            if not moves:
                yield frame, key.polygon
                continue
            share = (frame - key.frame) / (after.frame - key.frame)
            yield frame, key.polygon + share * (after.polygon - key.polygon)


def _flag(table: Any, key: str, where: str, *, default: bool) -> bool:
    value = table.get(key) if isinstance(table, Mapping) else None
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ConversionError(
            f"{where}: {key!r} must be true or false, got {value!r:.40}"
        )
    return value
