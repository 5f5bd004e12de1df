"""LabelMe JSON, one per frame; an object is a label with a group id."""

import base64
import io
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image

from tmt_vis.annotations.values import shorten
from tmt_vis.datasets.frame_files import frames_of, natural_key, natural_text_key
from tmt_vis.taxonomy.names import normalise_name

from ..errors import ConversionError
from ..findings import Findings
from . import shapes
from .json_input import field, identity, optional_size, read_object
from .overlap_linking import OverlapLinker
from .source import (
    Source,
    SourceTrack,
    SourceVideo,
    check_size,
    frame_size,
    relative_names,
)

_SKIPPED = ("line", "linestrip", "point", "points")
# Given by their corners, in order: LabelMe 7 and X-AnyLabeling.
_POLYGONS = ("polygon", "oriented_rectangle", "rotation", "quadrilateral")
_NEEDED = dict.fromkeys(_POLYGONS, 4) | dict(polygon=3, rectangle=2, circle=2, mask=2)


def open_labelme(
    src: Path, *, images: Path | None = None, link: str | None = None
) -> Source:
    """Open per-frame LabelMe annotations.

    Every folder that holds JSON files is a video. An object is the same label with the
    same group id in all frames of the video; several shapes of it in one frame are
    united. Images without a JSON file are frames without objects. Case, spaces and
    hyphens do not make another label.

    ``--link iou`` follows shapes without a group id: a shape is the object of the frame
    before with the same label that it overlaps most, at an IoU of 0.3 or more; the
    frame before is the last one with a JSON file.

    Args:
        src: The folder of a video, or of folders of videos.
        images: Folder of the frames, built like ``src``; default: ``src``.
        link: ``iou``, or None: a shape without a group id is an error.

    Raises:
        ConversionError: If a file breaks a rule; the message names it.
    """
    folders = {path.parent for path in src.rglob("*.json")}
    if not folders:
        raise ConversionError(f"{src} holds no .json file")
    ordered = sorted(folders, key=lambda p: natural_text_key(str(p)))
    findings = Findings()
    root = images or src
    videos = (_video(folder, src, root, link, findings) for folder in ordered)
    return Source(None, root, len(ordered), videos, findings)


def _video(
    folder: Path, src: Path, root: Path, link: str | None, findings: Findings
) -> SourceVideo:
    place = folder.relative_to(src)
    name = place.as_posix() if place.parts else folder.resolve().name
    frames = frames_of(root / place) if (root / place).is_dir() else []
    if not frames:
        raise ConversionError(
            f"video {name!r}: no images in {root / place}; name their folder with "
            "--images"
        )
    size = frame_size(frames, name, findings=findings)
    objects = _Objects(size, findings, linker=OverlapLinker(*size) if link else None)
    contents: dict[int, list[tuple[Path, Mapping[str, Any]]]] = defaultdict(list)
    for path in sorted(folder.glob("*.json"), key=natural_key):
        content = read_object(path)
        contents[_frame_of(path, content, frames)].append((path, content))
    for t in range(len(frames)):
        for path, content in contents[t]:
            stated = [
                optional_size(content, key, str(path))
                for key in ("imageHeight", "imageWidth")
            ]
            check_size((stated[0], stated[1]), size, frames[t], str(path))
            for at, shape in enumerate(field(content, "shapes", list, str(path))):
                objects.add(shape, t, f"{path}: shapes[{at}]")
        if contents[t]:
            objects.end_frame()
        else:
            findings.add("frames without a JSON file, without objects", str(frames[t]))
    file_names = relative_names(frames, root)
    return SourceVideo(name, *size, file_names, objects.tracks)


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
        f"{path}: {frames[0].parent} has neither its image {shorten(image_path)} "
        f"nor one called {path.stem}; copy it there or remove the JSON file"
    )


class _Objects:
    """Collects the objects of one video, frame by frame."""

    def __init__(
        self,
        size: tuple[int, int],
        findings: Findings,
        *,
        linker: OverlapLinker | None,
    ) -> None:
        self._size = size
        self._findings = findings
        self._linker = linker
        self._t = 0
        self._tracks: dict[tuple[str, Any], SourceTrack] = {}

    @property
    def tracks(self) -> list[SourceTrack]:
        """The objects, by first appearance."""
        return list(self._tracks.values())

    def add(self, shape: Any, t: int, where: str) -> None:
        """Take up a shape of frame ``t``."""
        label = field(shape, "label", str, where)
        kind = "polygon"
        if shape.get("shape_type") is not None:
            kind = field(shape, "shape_type", str, where)
        if kind in _SKIPPED:
            self._findings.add(f"{kind} shapes, skipped", where)
            return
        group = shape.get("group_id")
        if group is None and self._linker is None:
            raise ConversionError(
                f"{where} ({shorten(label)}): has no group id, so it cannot be "
                "followed over the frames; in LabelMe, edit the label and set Group ID "
                "to the same number for one object in every frame of its video, or "
                "follow by overlap with --link iou"
            )
        if kind == "rectangle":
            self._findings.add("rectangles, taken as masks", where)
        counts = self._mask(shape, kind, where)
        self._t = t
        if group is not None:
            number = identity(group, "group_id", where)
            self._put(label, number, counts, f"{label!r} with group id {number}")
            return
        self._findings.add("shapes without a group id, linked by overlap", where)
        self._linker.offer(normalise_name(label), counts, label)

    def end_frame(self) -> None:
        """Link the shapes of the frame that have no group id."""
        for label, number, counts in self._linker.link() if self._linker else ():
            self._put(label, number, counts, f"{label!r}, linked as {number + 1}")

    def _put(self, label: str, number: Any, counts: bytes, title: str) -> None:
        height, width = self._size
        key = (normalise_name(label), number)
        given = number if isinstance(number, str) else None  # the linker counts in int
        track = self._tracks.setdefault(key, SourceTrack(title, label, track_id=given))
        if self._t in track.masks:
            parts = [track.masks[self._t], counts]
            counts = shapes.unite(parts, height=height, width=width)
        track.masks[self._t] = counts

    def _mask(self, shape: Mapping[str, Any], kind: str, where: str) -> bytes:
        try:
            return _mask(shape, kind, self._size, where)
        except ConversionError:
            raise
        except ValueError as error:
            raise ConversionError(f"{where}: {error}") from error


def _mask(
    shape: Mapping[str, Any], kind: str, size: tuple[int, int], where: str
) -> bytes:
    sides = dict(height=size[0], width=size[1])
    if kind not in _NEEDED:
        raise ConversionError(
            f"{where}: shape_type {shorten(kind)} is not known; known are "
            f"{sorted(_NEEDED)}, and {sorted(_SKIPPED)} are skipped"
        )
    points = _points(shape, _NEEDED[kind], where)
    if kind in _POLYGONS:
        return shapes.fill_polygon(points, **sides)
    if kind == "rectangle":
        low, high = points.min(axis=0), points.max(axis=0)
        return shapes.fill_polygon(shapes.rectangle(*low, *high), **sides)
    if kind == "circle":
        radius = float(np.hypot(*(points[1] - points[0])))
        return shapes.fill_ellipse(points[0], (radius, radius), **sides)
    left, top = (round(value) for value in points.min(axis=0).tolist())
    crop = _embedded_mask(field(shape, "mask", str, where), size, where)
    return shapes.encode(shapes.place_crop(crop, left=left, top=top, **sides))


def _points(shape: Mapping[str, Any], needed: int, where: str) -> np.ndarray:
    listed = field(shape, "points", list, where)
    try:
        points = np.asarray(listed, dtype=float)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConversionError(f"{where}: broken points: {error}") from error
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ConversionError(f"{where}: points must be finite pairs [x, y]")
    if len(points) < needed:
        raise ConversionError(
            f"{where}: {shape.get('shape_type')} needs {needed} points, got "
            f"{len(points)}; draw it again or remove it"
        )
    return points


def _embedded_mask(text: str, size: tuple[int, int], where: str) -> np.ndarray:
    """Decode the base64 PNG of a shape drawn with a brush or by a model."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(text))) as image:
            # Before decoding: a few bytes can claim any size.
            if image.height > size[0] or image.width > size[1]:
                raise ConversionError(
                    f"{where}: the mask is {image.height}x{image.width} (height x "
                    f"width), larger than the frame, {size[0]}x{size[1]}"
                )
            return np.asarray(image.convert("L")) > 0
    except ConversionError:
        raise
    except (ValueError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ConversionError(f"{where}: broken mask image ({error})") from error
