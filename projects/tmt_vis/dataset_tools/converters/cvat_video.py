"""CVAT tracks -> masks per frame, with CVAT's rules for keyframes."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tmt_vis.datasets.frame_files import natural_text_key

from ..errors import ConversionError
from ..findings import Findings
from . import shapes
from .cvat_frames import find_frames, frame_numbers
from .cvat_xml import (
    CvatMeta,
    CvatShape,
    CvatTrack,
    lists_every_frame,
    read_meta,
    read_tracks,
)
from .source import Source, SourceTrack, SourceVideo, frame_size, relative_names


def open_cvat_video(
    src: Path, *, images: Path | None = None, frame_order: str | None = None
) -> Source:
    """Open annotations exported as "CVAT for video 1.1", one XML per task.

    The video is called like its file; ``annotations.xml`` is called like its folder.
    Its frames are in ``images/VIDEO``, ``images/VIDEO/images``, or, for a single file,
    ``images`` itself, and their sub-folders. Frames called ``frame_000012`` are found
    by their number, so that frames deleted in CVAT may be missing, and a folder may
    hold all frames of a video of which every n-th was labelled. Others are counted:
    the n-th is CVAT's n-th frame. CVAT sorts the images of a task as texts, unless
    natural order was chosen; where both differ, ``--frame-order`` has to say which.

    Args:
        src: An XML file, or a folder of them.
        images: Folder of the frames; default: the folder of ``src``.
        frame_order: ``natural`` or ``lexicographic``.

    Raises:
        ConversionError: If a file breaks a rule; the message names it.
    """
    root = src if src.is_dir() else src.parent
    files = [src]
    if src.is_dir():
        files = sorted(src.rglob("*.xml"), key=lambda p: natural_text_key(str(p)))
    if not files:
        raise ConversionError(f"{src} holds no .xml file")
    image_root = images or root
    metas = {path: read_meta(path) for path in files}
    findings = Findings()
    labels = dict.fromkeys(name for meta in metas.values() for name in meta.labels)
    names = {path: _video_name(path, root) for path in files}
    is_only = len(files) == 1

    def video(path: Path, meta: CvatMeta) -> SourceVideo:
        found = find_frames(names[path], image_root, is_only=is_only)
        frames = frame_numbers(found, meta, path, order=frame_order, findings=findings)
        return _video(path, meta, names[path], image_root, frames, findings)

    videos = (video(path, meta) for path, meta in metas.items())
    return Source(tuple(labels) or None, image_root, len(files), videos, findings)


def _video_name(path: Path, root: Path) -> str:
    place = path.parent if path.stem == "annotations" else path.with_suffix("")
    if place == root:
        return place.resolve().name
    return place.relative_to(root).as_posix()


def _video(
    path: Path,
    meta: CvatMeta,
    name: str,
    image_root: Path,
    frames: dict[int, Path],
    findings: Findings,
) -> SourceVideo:
    files, numbers = list(frames.values()), list(frames)
    size = frame_size(files, name, findings=findings, declared=meta.shape)
    holds = not lists_every_frame(path)
    tracks = []
    for track in read_tracks(path):
        for kind in track.skipped:
            findings.add(f"{kind} shapes, skipped", f"track {track.track_id} of {name}")
        _check_frames(track, numbers, meta.step, path)
        converted = _convert(track, numbers, name, size, findings, holds=holds)
        tracks.append((track.object_id, converted))
    file_names = relative_names(files, image_root)
    return SourceVideo(name, *size, file_names, _united(tracks, size))


def _united(
    tracks: Sequence[tuple[str | None, SourceTrack]], size: tuple[int, int]
) -> list[SourceTrack]:
    """Make one object of the masks that say so by their attribute ``track_id``."""
    found: dict[Any, SourceTrack] = {}
    for number, (object_id, track) in enumerate(tracks):
        key = number if object_id is None else (track.category, object_id)
        known = found.setdefault(key, track)
        if known is not track:
            for t, counts in track.masks.items():
                parts = [known.masks[t], counts] if t in known.masks else [counts]
                known.masks[t] = shapes.unite(parts, height=size[0], width=size[1])
    return list(found.values())


def _check_frames(
    track: CvatTrack, numbers: Sequence[int], step: int, path: Path
) -> None:
    known = set(numbers)
    for shape in track.shapes:
        # The shape that says "outside" may come one frame after the end.
        if shape.frame not in known and not shape.outside:
            raise ConversionError(
                f"{path}: track {track.track_id} has a shape in frame {shape.frame}; "
                f"the frames are {numbers[0]} to {numbers[-1]} in steps of {step}, and "
                f"{len(numbers)} have an image"
            )


def _convert(
    track: CvatTrack,
    numbers: Sequence[int],
    video: str,
    size: tuple[int, int],
    findings: Findings,
    *,
    holds: bool,
) -> SourceTrack:
    label = f"track {track.track_id} of {video}"
    result = SourceTrack(label, track.label, track_id=track.object_id or track.track_id)
    at = {number: t for t, number in enumerate(numbers)}
    if holds and _is_single_shape(track.shapes, numbers):
        holds = False
        findings.add("single shapes, not held until the last frame", label)
    for number, parts in shown_shapes(track.shapes, numbers, holds=holds):
        for shape in parts:
            if shape.frame == number and shape.kind == "box":
                findings.add("boxes, made rectangles", f"{label}, frame {number}")
            if shape.frame != number:
                what = "frames held from the keyframe before"
                findings.add(what, f"{label}, frame {number}")
        try:
            masks = [_rasterise(shape, size) for shape in parts]
        except ValueError as error:
            raise ConversionError(f"{label}, frame {number}: {error}") from error
        united = shapes.unite(masks, height=size[0], width=size[1])
        result.masks[at[number]] = united
    return result


def _is_single_shape(track: Sequence[CvatShape], numbers: Sequence[int]) -> bool:
    """Tell a shape that is no track, in the last frame but one.

    CVAT writes it as a track that ends one frame later, but leaves the end out there.
    A real track would have a shape in the last frame.
    """
    return len(track) == 1 and list(numbers[-2:-1]) == [track[0].frame]


def shown_shapes(
    track: Sequence[CvatShape], numbers: Sequence[int], *, holds: bool = True
) -> Iterator[tuple[int, list[CvatShape]]]:
    """Say what a track shows in each frame.

    In files of keyframes only, CVAT's rules apply: a shape lasts until the next one of
    its track; polygons with equally many corners, boxes and ellipses move evenly
    between two shapes that are shown; other shapes stay as they are.

    Args:
        track: Shapes by ascending frame.
        numbers: The frame numbers of the video, ascending.
        holds: The file lists keyframes only. CVAT's own exports list every frame: one
            without a shape does not show the object.

    Yields:
        Frame number and shapes; frames without the object are left out. A shape that
        was held has the frame number it was drawn in.
    """
    starts = sorted({shape.frame for shape in track})
    by_frame = {n: [s for s in track if s.frame == n] for n in starts}
    for number in numbers:
        at = bisect_right(starts, number) - 1
        before = by_frame[starts[at]] if at >= 0 else []
        shown = [shape for shape in before if not shape.outside]
        if not shown or (starts[at] < number and not holds):
            continue
        if starts[at] < number and at + 1 < len(starts):
            between = _between(before, by_frame[starts[at + 1]], number)
            shown = [between] if between else shown
        yield number, shown


def _between(
    before: Sequence[CvatShape], after: Sequence[CvatShape], number: int
) -> CvatShape | None:
    """Interpolate, if there is one shape on both sides and both correspond."""
    if len(before) != 1 or len(after) != 1 or after[0].outside:
        return None
    first, last = before[0], after[0]
    same = first.kind == last.kind and first.values.shape == last.values.shape
    if not same or first.kind == "mask":
        return None
    share = (number - first.frame) / (last.frame - first.frame)
    change = last.values - first.values
    if first.kind in ("box", "ellipse"):  # turns the short way round
        change[4] = (change[4] + 180) % 360 - 180
    return replace(first, frame=number, values=first.values + share * change)


def _rasterise(shape: CvatShape, size: tuple[int, int]) -> bytes:
    sides = dict(height=size[0], width=size[1])
    values = shape.values
    if shape.kind == "polygon":
        return shapes.fill_polygon(values, **sides)
    if shape.kind == "box":
        corners = shapes.rotated(shapes.rectangle(*values[:4]), values[4])
        return shapes.fill_polygon(corners, **sides)
    if shape.kind == "ellipse":
        return shapes.fill_ellipse(values[:2], values[2:4], values[4], **sides)
    left, top, width, height = shape.crop
    if height > size[0] or width > size[1]:
        raise ValueError(
            f"a mask of {height}x{width} (height x width) is larger than the frame, "
            f"{size[0]}x{size[1]}"
        )
    is_object = np.arange(len(shape.runs)) % 2 == 1
    crop = np.repeat(is_object, shape.runs).reshape(height, width)
    return shapes.encode(shapes.place_crop(crop, left=left, top=top, **sides))
