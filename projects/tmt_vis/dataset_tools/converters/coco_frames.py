"""Per-frame COCO JSON with track ids: one file per frame, per video, or for all."""

import os.path as osp
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tmt_vis.annotations.values import with_slashes
from tmt_vis.datasets.frame_files import locate_frame, natural_text_key

from ..errors import ConversionError
from ..findings import Findings
from .coco_objects import tracks_of
from .json_input import field as json_field
from .json_input import identity, optional_size, read_object
from .source import (
    Source,
    SourceVideo,
    check_size,
    frame_size,
    relative_names,
)

VIDEO_KEYS = ("video", "video_name", "video_id")
ORDER_KEYS = ("frame_id", "frame_index", "frame")


@dataclass
class _Frame:
    """One entry of ``images``."""

    path: Path
    order: int | None
    size: tuple[int | None, int | None]  # H, W as far as the entry says them
    where: str
    annotations: list[Mapping[str, Any]] = field(default_factory=list)


def open_coco_frames(
    src: Path, *, images: Path | None = None, crowd: bool = False
) -> Source:
    """Open per-frame COCO annotations.

    The video of an image is, in this order: the entry of ``videos`` that its
    ``video_id`` names; its ``video``, ``video_name`` or ``video_id``; the folder in its
    ``file_name``; the file's own name, or its folder if the file holds one image.
    Frames are ordered by ``frame_id``, ``frame_index`` or ``frame``, else naturally by
    name. The object is ``track_id``, ``instance_id`` or ``group_id``, of the annotation
    or of its ``attributes``.

    An annotation with such an id is an object, also with ``iscrowd: 1``: CVAT and
    Datumaro write that for every mask that is not a polygon. ``--crowd`` believes the
    flag. An annotation with ``ignore: 1``, or with ``iscrowd: 1`` and no id, is a crowd
    region.

    Args:
        src: A JSON file, or a folder of them.
        images: What ``file_name`` is relative to; default: the folder of ``src``.
        crowd: ``iscrowd`` of annotations with an id means a crowd region.

    Raises:
        ConversionError: If a file breaks a rule; the message names it.
    """
    root = src if src.is_dir() else src.parent
    files = [src]
    if src.is_dir():
        files = sorted(src.rglob("*.json"), key=lambda p: natural_text_key(str(p)))
    if not files:
        raise ConversionError(f"{src} holds no .json file")
    reader = _Reader(root, images or root, believe_crowd=crowd)
    for path in files:
        reader.read(path)
    findings = Findings()
    return Source(
        categories=tuple(reader.categories),
        image_root=images or root,
        num_videos=len(reader.videos),
        videos=reader.convert(findings),
        findings=findings,
    )


class _Reader:
    """Sorts the entries of all files into videos and frames."""

    def __init__(self, root: Path, image_root: Path, *, believe_crowd: bool) -> None:
        self._root = root
        self._image_root = image_root
        self._believe_crowd = believe_crowd
        self.categories: dict[str, None] = {}  # an ordered set
        self.videos: dict[str, list[_Frame]] = defaultdict(list)

    def read(self, path: Path) -> None:
        """Take up one file."""
        content = read_object(path)
        names = self._names(content, path)
        frames = self._frames(content, path)
        for at, row in enumerate(json_field(content, "annotations", list, str(path))):
            shown = row.get("id") if isinstance(row, Mapping) else None
            where = f"{path}: annotations[{at}] (id {shown!r:.40})"
            if not isinstance(row, Mapping):
                raise ConversionError(f"{where}: must be an object, got {row!r:.40}")
            image = identity(row.get("image_id"), "image_id", where)
            if image not in frames:
                raise ConversionError(
                    f"{where}: image_id {image} is not among the images"
                )
            category = json_field(row, "category_id", int, where)
            if category not in names:
                raise ConversionError(
                    f"{where}: category_id {category} is not among the categories "
                    f"{sorted(names)}"
                )
            entry = {**row, "category": names[category], "where": where}
            frames[image].annotations.append(entry)

    def _names(self, content: Mapping[str, Any], path: Path) -> dict[int, str]:
        names: dict[int, str] = {}
        for at, row in enumerate(json_field(content, "categories", list, str(path))):
            where = f"{path}: categories[{at}]"
            name = json_field(row, "name", str, where)
            if names.setdefault(json_field(row, "id", int, where), name) != name:
                raise ConversionError(f"{where}: its id is used twice; renumber")
            self.categories.setdefault(name)
        return names

    def _frames(self, content: Mapping[str, Any], path: Path) -> dict[str, _Frame]:
        titles = _titles(content, path)
        images = json_field(content, "images", list, str(path))
        frames: dict[str, _Frame] = {}
        for at, row in enumerate(images):
            where = f"{path}: images[{at}]"
            image = identity(json_field(row, "id", object, where), "id", where)
            where += f" (id {image:.40})"
            if image in frames:
                raise ConversionError(f"{where}: its id is used twice; renumber")
            name = json_field(row, "file_name", str, where)
            if not osp.isfile(self._image_root / name):
                name = with_slashes(name)
            video = self._video_of(row, name, titles, path, len(images), where)
            frames[image] = self._frame(row, name, video, where)
            self.videos[video].append(frames[image])
        return frames

    def _video_of(
        self,
        row: Mapping[str, Any],
        file_name: str,
        titles: Mapping[str, str],
        path: Path,
        num_images: int,
        where: str,
    ) -> str:
        keys = [key for key in VIDEO_KEYS if row.get(key) is not None]
        found = {key: identity(row[key], key, where) for key in keys}
        if found.get("video_id") in titles:
            return titles[found["video_id"]]
        if found:
            return found[keys[0]]
        folder = Path(file_name).parent
        if folder.name:
            return folder.as_posix()
        place = path.with_suffix("") if num_images > 1 else path.parent
        if place == self._root:
            return place.resolve().name
        return place.relative_to(self._root).as_posix()

    def _frame(
        self, row: Mapping[str, Any], name: str, video: str, where: str
    ) -> _Frame:
        orders = [_order(row, key, where) for key in ORDER_KEYS if key in row]
        size = [optional_size(row, key, where) for key in ("height", "width")]
        roots = [self._image_root, self._image_root / video]
        places = [locate_frame(root, name) for root in roots]
        # Of os.path: a name that no system takes (a NUL, 6,000 letters) is no file.
        found = [Path(place) for place in places if osp.isfile(place)]
        if not found:
            raise ConversionError(
                f"{where}: neither {places[0]:.300} nor {places[1]:.300} exists; name "
                "the folder of the frames with --images"
            )
        order = next((n for n in orders if n is not None), None)
        return _Frame(found[0], order, (size[0], size[1]), where)

    def convert(self, findings: Findings) -> Iterator[SourceVideo]:
        """Yield the videos in natural order of their names."""
        for name in sorted(self.videos, key=natural_text_key):
            frames = _in_order(self.videos[name], name)
            paths = [frame.path for frame in frames]
            file_names = relative_names(paths, self._image_root)
            height, width = frame_size(paths, name, findings=findings)
            for frame in frames:
                check_size(frame.size, (height, width), frame.path, frame.where)
            tracks = tracks_of(
                [frame.annotations for frame in frames],
                (height, width),
                believe_crowd=self._believe_crowd,
                findings=findings,
            )
            yield SourceVideo(name, height, width, file_names, tracks)


def _titles(content: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Return the names of the entries of ``videos`` by id."""
    titles = {}
    rows = content.get("videos") or []
    if not isinstance(rows, list):
        raise ConversionError(f"{path}: 'videos' must be a list, got {rows!r:.60}")
    for at, row in enumerate(rows):
        where = f"{path}: videos[{at}]"
        number = identity(json_field(row, "id", object, where), "id", where)
        name = row.get("name") if row.get("name") is not None else row.get("file_name")
        titles[number] = number if name is None else identity(name, "name", where)
    return titles


def _order(row: Mapping[str, Any], key: str, where: str) -> int | None:
    """Return a frame number; a text of digits is one."""
    value = row[key]
    if value is None:
        return None
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
        return int(value)
    return json_field(row, key, int, where)


def _in_order(frames: list[_Frame], video: str) -> list[_Frame]:
    orders = [frame.order for frame in frames]
    if None not in orders:
        if len(set(orders)) < len(orders):
            again = next(n for n in orders if orders.count(n) > 1)
            raise ConversionError(
                f"video {video!r}: two images have frame number {again}; number the "
                "frames of a video once"
            )
        return sorted(frames, key=lambda frame: frame.order)
    if set(orders) != {None}:
        lacking = next(frame for frame in frames if frame.order is None)
        raise ConversionError(
            f"{lacking.where}: has no frame number, other images of video {video!r} "
            f"have one ({', '.join(ORDER_KEYS)}); number all of them or none"
        )
    paths = [frame.path for frame in frames]
    if len(set(paths)) < len(paths):
        again = next(path for path in paths if paths.count(path) > 1)
        raise ConversionError(f"video {video!r}: {again} is listed twice")
    return sorted(frames, key=lambda frame: natural_text_key(str(frame.path)))
