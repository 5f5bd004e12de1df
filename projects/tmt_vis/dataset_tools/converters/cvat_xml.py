"""Read "CVAT for video 1.1": the XML as plain records, nothing interpreted yet."""

import mmap
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ..errors import ConversionError

SHAPES = ("polygon", "mask", "box", "ellipse")
SKIPPED = ("polyline", "points", "cuboid", "skeleton")
VIDEO, IMAGES = "interpolation", "annotation"  # values of <mode>
_GEOMETRY = {
    "polygon": ("points",),
    "mask": ("rle", "left", "top", "width", "height"),
    "box": ("xtl", "ytl", "xbr", "ybr", "rotation"),
    "ellipse": ("cx", "cy", "rx", "ry", "rotation"),
}
_PLAIN = (  # what CVAT writes about a shape besides its geometry
    *("frame", "outside", "occluded", "keyframe", "z_order", "source", "label"),
    *("id", "group_id", "score", "votes"),
)


@dataclass(frozen=True)
class CvatMeta:
    """Facts of a task or job.

    Args:
        labels: Label names in the order of the task.
        size: Number of frames, or None.
        start: Number of the first frame.
        step: Distance between the numbers of two frames (CVAT's frame filter).
        shape: H, W in pixels of the labelled video, or None.
        mode: ``VIDEO``: frames are called ``frame_000000``; ``IMAGES``: they have their
            own names; or None.
        is_dump: CVAT itself wrote the file.
    """

    labels: tuple[str, ...]
    size: int | None
    start: int
    step: int
    shape: tuple[int, int] | None
    mode: str | None
    is_dump: bool


@dataclass(frozen=True)
class CvatShape:
    """A track's shape in one frame.

    Args:
        frame: CVAT's frame number.
        outside: The object has left; the shape is not shown.
        kind: One of ``SHAPES``.
        values: Numbers that move when a shape is interpolated: (n, 2) corners of a
            polygon, (x0, y0, x1, y1, rotation) of a box, (cx, cy, rx, ry,
            rotation) of an ellipse; empty for a mask.
        runs: Run lengths of a mask's crop in row order, background first.
        crop: left, top, width, height of a mask's crop.
    """

    frame: int
    outside: bool
    kind: str
    values: np.ndarray
    runs: tuple[int, ...] = ()
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True)
class CvatTrack:
    """A track.

    Args:
        track_id: Its number in the file.
        label: Category name.
        shapes: By ascending frame.
        skipped: Kinds of the shapes that are no region.
        object_id: Its attribute ``track_id``, which ``tools/export_tracks.py`` gives
            to masks because CVAT has no mask tracks; None without.
    """

    track_id: str
    label: str
    shapes: tuple[CvatShape, ...]
    skipped: tuple[str, ...]
    object_id: str | None = None


def read_meta(path: Path) -> CvatMeta:
    """Read the head of a file.

    Raises:
        ConversionError: If it is no video annotation of CVAT.
    """
    for element in _ends(path):
        if element.tag == "meta":
            return _meta(element, path)
        if element.tag in ("track", "image"):
            break
    raise ConversionError(
        f'{path}: has no <meta>; export the task from CVAT as "CVAT for video 1.1"'
    )


def read_tracks(path: Path) -> Iterator[CvatTrack]:
    """Yield the tracks of a file; memory is that of one track.

    Raises:
        ConversionError: If a track breaks a rule; the message names it.
    """
    for element in _ends(path):
        if element.tag == "image":
            raise ConversionError(
                f'{path}: is "CVAT for images", which has no tracks; export the task '
                'as "CVAT for video 1.1"'
            )
        if element.tag == "track":
            yield _track(element, path)
            element.clear()


def lists_every_frame(path: Path) -> bool:
    """Tell whether a file holds shapes that are no keyframes.

    CVAT writes every frame in which a track is seen. Then a frame that is not listed
    does not show the object; in a file of keyframes only it does.
    """
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return re.search(rb"""\skeyframe\s*=\s*["']0["']""", content) is not None


def _ends(path: Path) -> Iterator[Element]:
    """Yield elements as they close; entities and DTDs are refused."""
    try:
        with open(path, "rb") as file:
            for _, element in iterparse(file, events=("end",), forbid_dtd=True):
                yield element
    except (ParseError, LookupError, ValueError) as error:
        if isinstance(error, DefusedXmlException):  # a ValueError too
            raise ConversionError(
                f"{path}: declares a document type or entities, which CVAT never "
                f"writes and which can exhaust memory ({type(error).__name__}); refused"
            ) from error
        # LookupError, ValueError: an encoding that is not known or not supported.
        raise ConversionError(f"{path}: is not valid XML ({error})") from error
    except OSError as error:
        raise ConversionError(f"{path}: cannot be read ({error})") from error


def _meta(meta: Element, path: Path) -> CvatMeta:
    if meta.find("project") is not None:
        raise ConversionError(
            f"{path}: is the export of a CVAT project; export its tasks one by one, "
            "each is a video"
        )
    found = [meta.find(name) for name in ("task", "job")]
    task = next((element for element in found if element is not None), meta)
    names = [label.findtext("name") for label in task.iterfind("labels/label")]
    step = (task.findtext("frame_filter") or "").partition("step=")[2].split()
    size = task.findtext("size")
    sides = [meta.findtext(f".//original_size/{side}") for side in ("height", "width")]
    try:
        result = CvatMeta(
            labels=tuple(name for name in names if name),
            size=int(size) if size else None,
            start=int(task.findtext("start_frame") or 0),
            step=int(step[0]) if step else 1,
            shape=(int(sides[0]), int(sides[1])) if all(sides) else None,
            mode=task.findtext("mode"),
            is_dump=meta.find("dumped") is not None,
        )
    except ValueError as error:
        raise ConversionError(f"{path}: <meta>: {error}") from error
    if result.step < 1 or not 0 <= result.start < 2**31:
        raise ConversionError(
            f"{path}: <meta>: needs a step >= 1 and a start_frame >= 0, got "
            f"{result.step} and {result.start}"
        )
    return result


def _track(track: Element, path: Path) -> CvatTrack:
    where = f"{path}: track {str(track.get('id')):.40}"
    label = track.get("label")
    if not label:
        raise ConversionError(f"{where}: has no label")
    shapes = []
    for element in track:
        if element.tag in SHAPES:
            try:
                shapes.append(_shape(element))
            except (KeyError, TypeError, ValueError) as error:
                number = str(element.get("frame"))
                is_absent = isinstance(error, KeyError)
                reason = f"it has no {error}" if is_absent else str(error)
                raise ConversionError(
                    f"{where}: <{element.tag}> of frame {number:.40} is broken: "
                    f"{reason:.300}"
                ) from error
    shapes.sort(key=lambda shape: shape.frame)
    skipped = tuple(element.tag for element in track if element.tag in SKIPPED)
    return CvatTrack(
        str(track.get("id")), label, tuple(shapes), skipped, _object_id(track)
    )


def _object_id(track: Element) -> str | None:
    for attribute in track.iterfind("mask/attribute"):
        if attribute.get("name") == "track_id" and attribute.text:
            return attribute.text.strip()
    return None


def _numbers(table: Mapping[str, str], *keys: str) -> np.ndarray:
    values = np.array([float(table[key]) for key in keys])
    if not np.isfinite(values).all():
        raise ValueError(f"{keys} must be finite, got {values}")
    return values


def _shape(element: Element) -> CvatShape:
    table, kind = element.attrib, element.tag
    _refuse_unknown(table, kind)
    head = (int(table["frame"]), table.get("outside") == "1", kind)
    if kind in ("box", "ellipse"):
        names = _GEOMETRY[kind]
        return CvatShape(*head, _numbers({"rotation": "0", **table}, *names))
    if kind == "mask":
        runs = tuple(int(run) for run in table["rle"].split(","))
        crop = [int(v) for v in _numbers(table, "left", "top", "width", "height")]
        if sum(runs) != crop[2] * crop[3] or min(*runs, *crop[2:]) < 0:
            raise ValueError(
                f"runs must be >= 0 and fill width * height = {crop[2] * crop[3]}, "
                f"they sum to {sum(runs)}"
            )
        return CvatShape(*head, np.zeros(0), runs, tuple(crop))
    pairs = [pair.split(",") for pair in table["points"].split(";")]
    points = np.array(pairs, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError(f"points must be pairs 'x,y;x,y', got {table['points']:.60}")
    return CvatShape(*head, points)


def _refuse_unknown(table: Mapping[str, str], kind: str) -> None:
    """Refuse numbers that are not read: they may turn or bend the shape."""
    for key in set(table) - {*_GEOMETRY[kind], *_PLAIN}:
        try:
            changes = float(table[key]) != 0
        except ValueError:
            changes = False  # a text says nothing about the geometry
        if changes:
            raise ValueError(
                f"the attribute {key:.40}={table[key]:.40} is not known and may change "
                "the shape; remove it if it does not"
            )
