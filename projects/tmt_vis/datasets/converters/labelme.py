"""LabelMe JSON, one per frame; an object is a label with a group id."""

import base64
import binascii
import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ConversionError
from ..findings import Findings
from ..frame_files import frames_of, natural_key
from . import shapes
from .json_input import field, read_object
from .source import Source, SourceTrack, SourceVideo, frame_size, relative_names

_SKIPPED = ("line", "linestrip", "point", "points")
_NEEDED = {"polygon": 3, "rectangle": 2, "circle": 2, "mask": 2}


def open_labelme(src: Path, *, images: Path | None = None) -> Source:
    """Open per-frame LabelMe annotations.

    Every folder that holds JSON files is a video. An object is the same label with the
    same group id in all frames of the video; several shapes of it in one frame are
    united. Images without a JSON file are frames without objects.

    Args:
        src: The folder of a video, or of folders of videos.
        images: Folder of the frames, built like ``src``; default: ``src``.

    Raises:
        ConversionError: If a file breaks a rule; the message names it.
    """
    folders = {path.parent for path in src.rglob("*.json")}
    if not folders:
        raise ConversionError(f"{src} holds no .json file")
    ordered = sorted(folders, key=lambda p: natural_key(Path(str(p))))
    findings = Findings()
    root = images or src
    videos = (_video(folder, src, root, findings) for folder in ordered)
    return Source(None, root, len(ordered), videos, findings)


def _video(folder: Path, src: Path, root: Path, findings: Findings) -> SourceVideo:
    place = folder.relative_to(src)
    name = place.as_posix() if place.parts else folder.resolve().name
    frames = frames_of(root / place) if (root / place).is_dir() else []
    if not frames:
        raise ConversionError(
            f"video {name!r}: no images in {root / place}; name their folder with "
            "--images"
        )
    height, width = frame_size(frames, name)
    tracks: dict[tuple[str, Any], SourceTrack] = {}
    labelled = set()
    for path in sorted(folder.glob("*.json"), key=natural_key):
        content = read_object(path)
        t = _frame_of(path, content, frames)
        labelled.add(t)
        _check_size(path, content, (height, width))
        for position, shape in enumerate(field(content, "shapes", list, str(path))):
            where = f"{path}: shapes[{position}]"
            _add(shape, t, (height, width), tracks, where, findings)
    for t in sorted(set(range(len(frames))) - labelled):
        findings.add("frames without a JSON file, without objects", str(frames[t]))
    file_names = relative_names(frames, root)
    return SourceVideo(name, height, width, file_names, list(tracks.values()))


def _frame_of(path: Path, content: Mapping[str, Any], frames: list[Path]) -> int:
    """Return the frame a file is about: that of ``imagePath``, else of its own name."""
    image_path = content.get("imagePath")
    if isinstance(image_path, str):
        # Written on Windows, it holds backslashes.
        last = PurePosixPath(PureWindowsPath(image_path).as_posix()).name
        for t, frame in enumerate(frames):
            if frame.name == last:
                return t
    for t, frame in enumerate(frames):
        if frame.stem == path.stem:
            return t
    raise ConversionError(
        f"{path}: {frames[0].parent} has neither its image {image_path!r} nor one "
        f"called {path.stem}; copy it there or remove the JSON file"
    )


def _check_size(path: Path, content: Mapping[str, Any], size: tuple[int, int]) -> None:
    stated = (content.get("imageHeight"), content.get("imageWidth"))
    if None not in stated and stated != size:
        raise ConversionError(
            f"{path}: labelled at {stated[0]}x{stated[1]} (height x width) but the "
            f"frames are {size[0]}x{size[1]}; use the frames that were labelled"
        )


def _add(
    shape: Any,
    t: int,
    size: tuple[int, int],
    tracks: dict[tuple[str, Any], SourceTrack],
    where: str,
    findings: Findings,
) -> None:
    label = field(shape, "label", str, where)
    kind = shape.get("shape_type") or "polygon"
    if kind in _SKIPPED:
        findings.add(f"{kind} shapes, skipped", where)
        return
    group = shape.get("group_id")
    if group is None:
        raise ConversionError(
            f"{where} ({label!r}): has no group id, so it cannot be followed over the "
            "frames; in LabelMe, edit the label and set Group ID to the same number "
            "for one object in every frame of its video"
        )
    if kind == "rectangle":
        findings.add("rectangles, taken as masks", where)
    try:
        counts = _mask(shape, kind, size, where)
    except ValueError as error:
        if isinstance(error, ConversionError):
            raise
        raise ConversionError(f"{where}: {error}") from error
    track = tracks.setdefault(
        (label, group), SourceTrack(f"{label!r} with group id {group}", label)
    )
    if t in track.masks:
        counts = shapes.unite([track.masks[t], counts], height=size[0], width=size[1])
    track.masks[t] = counts


def _mask(
    shape: Mapping[str, Any], kind: str, size: tuple[int, int], where: str
) -> bytes:
    sides = dict(height=size[0], width=size[1])
    if kind not in _NEEDED:
        raise ConversionError(
            f"{where}: shape_type {kind!r} is not known; known are {sorted(_NEEDED)}, "
            f"and {sorted(_SKIPPED)} are skipped"
        )
    points = _points(shape, _NEEDED[kind], where)
    if kind == "polygon":
        return shapes.fill_polygon(points, **sides)
    if kind == "rectangle":
        low, high = points.min(axis=0), points.max(axis=0)
        return shapes.fill_polygon(shapes.rectangle(*low, *high), **sides)
    if kind == "circle":
        radius = float(np.hypot(*(points[1] - points[0])))
        return shapes.fill_ellipse(points[0], (radius, radius), **sides)
    left, top = np.rint(points.min(axis=0)).astype(int).tolist()
    crop = _embedded_mask(field(shape, "mask", str, where), where)
    return shapes.encode(shapes.place_crop(crop, left=left, top=top, **sides))


def _points(shape: Mapping[str, Any], needed: int, where: str) -> np.ndarray:
    try:
        points = np.asarray(field(shape, "points", list, where), dtype=float)
    except (ValueError, TypeError) as error:
        raise ConversionError(f"{where}: broken points: {error}") from error
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ConversionError(f"{where}: points must be finite pairs [x, y]")
    if len(points) < needed:
        raise ConversionError(
            f"{where}: {shape.get('shape_type')} needs {needed} points, got "
            f"{len(points)}; draw it again or remove it"
        )
    return points


def _embedded_mask(text: str, where: str) -> np.ndarray:
    """Decode the base64 PNG of a shape drawn with a brush or by a model."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(text))) as image:
            return np.asarray(image.convert("L")) > 0
    except (binascii.Error, OSError, Image.DecompressionBombError) as error:
        raise ConversionError(f"{where}: broken mask image ({error})") from error
