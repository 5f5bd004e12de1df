"""Per-frame COCO JSON with track ids: one file per frame, per video, or for all."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tmt_vis.structures import compress_segmentation

from .. import segmentation
from ..errors import ConversionError
from ..findings import Findings
from ..frame_files import natural_key
from . import shapes
from .json_input import field as json_field
from .json_input import read_object
from .source import Source, SourceTrack, SourceVideo, frame_size, relative_names

TRACK_KEYS = ("track_id", "instance_id", "group_id")
VIDEO_KEYS = ("video", "video_name", "video_id")
ORDER_KEYS = ("frame_id", "frame_index", "frame")


@dataclass
class _Frame:
    """One entry of ``images``."""

    path: Path
    order: int | None
    size: tuple[int, int] | None
    where: str
    annotations: list[Mapping[str, Any]] = field(default_factory=list)


def open_coco_frames(src: Path, *, images: Path | None = None) -> Source:
    """Open per-frame COCO annotations.

    The video of an image is, in this order: the entry of ``videos`` that its
    ``video_id`` names; its ``video``, ``video_name`` or ``video_id``; the folder in its
    ``file_name``; the file's own name, or its folder if the file holds one image.
    Frames are ordered by ``frame_id``, ``frame_index`` or ``frame``, else naturally by
    name. The object is ``track_id``, ``instance_id`` or ``group_id``, of the annotation
    or of its ``attributes``.

    Args:
        src: A JSON file, or a folder of them.
        images: What ``file_name`` is relative to; default: the folder of ``src``.

    Raises:
        ConversionError: If a file breaks a rule; the message names it.
    """
    root = src if src.is_dir() else src.parent
    files = [src]
    if src.is_dir():
        files = sorted(src.rglob("*.json"), key=lambda p: natural_key(Path(str(p))))
    if not files:
        raise ConversionError(f"{src} holds no .json file")
    reader = _Reader(root, images or root)
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

    def __init__(self, root: Path, image_root: Path) -> None:
        self._root = root
        self._image_root = image_root
        self.categories: dict[str, None] = {}  # an ordered set
        self.videos: dict[str, list[_Frame]] = defaultdict(list)

    def read(self, path: Path) -> None:
        """Take up one file."""
        content = read_object(path)
        names = {}
        for row in json_field(content, "categories", list, str(path)):
            name = json_field(row, "name", str, f"{path}: categories")
            names[json_field(row, "id", int, f"{path}: categories")] = name
            self.categories.setdefault(name)
        titles = {v.get("id"): str(v.get("name")) for v in content.get("videos") or ()}
        images = json_field(content, "images", list, str(path))
        frames = {}
        for row in images:
            where = f"{path}: image {row.get('id') if isinstance(row, dict) else row}"
            video = self._video_of(row, titles, path, len(images), where)
            frame = self._frame(row, video, where)
            frames[row.get("id")] = frame
            self.videos[video].append(frame)
        for row in json_field(content, "annotations", list, str(path)):
            where = f"{path}: annotation {row.get('id')}"
            if row.get("image_id") not in frames:
                raise ConversionError(
                    f"{where}: image_id {row.get('image_id')} is not among the images"
                )
            if row.get("category_id") not in names:
                raise ConversionError(
                    f"{where}: category_id {row.get('category_id')} is not among the "
                    f"categories {sorted(names)}"
                )
            entry = {**row, "category": names[row["category_id"]], "where": where}
            frames[row["image_id"]].annotations.append(entry)

    def _video_of(
        self,
        row: Mapping[str, Any],
        titles: Mapping[Any, str],
        path: Path,
        num_images: int,
        where: str,
    ) -> str:
        file_name = Path(json_field(row, "file_name", str, where))
        if row.get("video_id") in titles:
            return titles[row["video_id"]]
        for key in VIDEO_KEYS:
            if row.get(key) is not None:
                return str(row[key])
        if file_name.parent.name:
            return file_name.parent.as_posix()
        place = path.with_suffix("") if num_images > 1 else path.parent
        if place == self._root:
            return place.resolve().name
        return place.relative_to(self._root).as_posix()

    def _frame(self, row: Mapping[str, Any], video: str, where: str) -> _Frame:
        orders = [row[key] for key in ORDER_KEYS if isinstance(row.get(key), int)]
        sides = (row.get("height"), row.get("width"))
        places = [
            self._image_root / row["file_name"],
            self._image_root / video / row["file_name"],
        ]
        found = [place for place in places if place.is_file()]
        if not found:
            raise ConversionError(
                f"{where}: neither {places[0]} nor {places[1]} exists; name the folder "
                "of the frames with --images"
            )
        size = sides if all(isinstance(side, int) for side in sides) else None
        return _Frame(found[0], orders[0] if orders else None, size, where)

    def convert(self, findings: Findings) -> Iterator[SourceVideo]:
        """Yield the videos in natural order of their names."""
        for name in sorted(self.videos, key=lambda text: natural_key(Path(text))):
            frames = _in_order(self.videos[name], name)
            paths = [frame.path for frame in frames]
            declared = next((f.size for f in frames if f.size), None)
            height, width = frame_size(paths, name, declared=declared)
            file_names = relative_names(paths, self._image_root)
            tracks = _tracks(frames, height, width, findings)
            yield SourceVideo(name, height, width, file_names, tracks)


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
    paths = [frame.path for frame in frames]
    if len(set(paths)) < len(paths):
        again = next(path for path in paths if paths.count(path) > 1)
        raise ConversionError(f"video {video!r}: {again} is listed twice")
    return sorted(frames, key=lambda frame: natural_key(frame.path))


def _track_id(annotation: Mapping[str, Any]) -> str:
    attributes = annotation.get("attributes")
    tables = [annotation, attributes if isinstance(attributes, Mapping) else {}]
    for table in tables:
        for key in TRACK_KEYS:
            if table.get(key) is not None:
                return str(table[key])
    raise ConversionError(
        f"{annotation['where']}: has no {', '.join(TRACK_KEYS)}, neither itself nor in "
        "its attributes; give one object the same number in all frames of its video"
    )


def _tracks(
    frames: list[_Frame], height: int, width: int, findings: Findings
) -> list[SourceTrack]:
    size = dict(height=height, width=width)
    tracks: dict[str, SourceTrack] = {}
    for t, frame in enumerate(frames):
        for annotation in frame.annotations:
            key = _track_id(annotation)
            category = annotation["category"]
            track = tracks.setdefault(key, SourceTrack(f"track {key}", category))
            if track.category != category:
                raise ConversionError(
                    f"{annotation['where']}: track {key} is {category!r} here and "
                    f"{track.category!r} before; an object has one category"
                )
            counts = _mask(annotation, size, findings)
            if t in track.masks:
                what = "annotations united with another of the same track and frame"
                findings.add(what, annotation["where"])
                counts = shapes.unite([track.masks[t], counts], **size)
            track.masks[t] = counts
            track.is_crowd |= bool(annotation.get("iscrowd", 0))
    for key, track in tracks.items():
        if track.is_crowd:
            findings.add("crowd regions, kept as such", f"track {key}")
    return list(tracks.values())


def _mask(
    annotation: Mapping[str, Any], size: dict[str, int], findings: Findings
) -> bytes:
    item, box, where = (annotation.get(k) for k in ("segmentation", "bbox", "where"))
    if not item:
        if not box:
            raise ConversionError(f"{where}: has neither segmentation nor bbox")
        return _box_mask(box, size, where, findings)
    try:
        counts = compress_segmentation(item, **size)
        area = segmentation.checked_areas([counts], **size)[0]
    except (ValueError, TypeError) as error:
        raise ConversionError(f"{where}: broken segmentation: {error}") from error
    if area < 0:
        raise ConversionError(f"{where}: the run lengths do not fill the frame")
    return counts


def _box_mask(box: Any, size: dict[str, int], where: str, findings: Findings) -> bytes:
    findings.add("boxes without a mask, made rectangles", where)
    try:
        x, y, w, h = map(float, box)
        return shapes.fill_polygon(shapes.rectangle(x, y, x + w, y + h), **size)
    except (TypeError, ValueError) as error:
        raise ConversionError(f"{where}: broken bbox {box!r:.40}: {error}") from error
