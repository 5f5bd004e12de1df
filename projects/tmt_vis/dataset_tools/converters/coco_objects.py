"""Annotations of single frames in COCO's layout -> objects of a video."""

from collections.abc import Mapping, Sequence
from typing import Any

from tmt_vis.annotations import read_flag
from tmt_vis.datasets import segmentation
from tmt_vis.structures import compress_segmentation
from tmt_vis.taxonomy.names import normalise_name

from ..errors import ConversionError
from ..findings import Findings
from . import shapes
from .json_input import identity
from .source import SourceTrack

TRACK_KEYS = ("track_id", "instance_id", "group_id")
_Key = tuple[str, bool]  # id, is a crowd region


def tracks_of(
    frames: Sequence[Sequence[Mapping[str, Any]]],
    size: tuple[int, int],
    *,
    believe_crowd: bool,
    findings: Findings,
) -> list[SourceTrack]:
    """Collect the objects of one video.

    Args:
        frames: The annotations of every frame, with ``category`` (its name) and
            ``where`` (for messages) added.
        size: H, W of the frames.
        believe_crowd: ``iscrowd`` of an annotation with a track id means a crowd
            region. If not, it says how the mask is stored, as in files of CVAT.
        findings: Takes what is changed on the way.

    Raises:
        ConversionError: If an annotation breaks a rule; the message names it.
    """
    sides = dict(height=size[0], width=size[1])
    tracks: dict[_Key, SourceTrack] = {}
    for t, annotations in enumerate(frames):
        for annotation in annotations:
            key = _key(annotation, believe_crowd, findings)
            category, where = annotation["category"], annotation["where"]
            track = tracks.setdefault(key, _new_track(key, category))
            if normalise_name(track.category) != normalise_name(category):
                raise ConversionError(
                    f"{where}: {track.label} is {category!r} here and "
                    f"{track.category!r} before; an object has one category"
                )
            counts = _mask(annotation, sides, findings)
            if t in track.masks:
                what = "annotations united with another of the same track and frame"
                findings.add(what, where)
                counts = shapes.unite([track.masks[t], counts], **sides)
            track.masks[t] = counts
    for key, track in tracks.items():
        if track.is_crowd:
            findings.add("crowd regions, kept as such", f"track {key[0]}")
    return list(tracks.values())


def _new_track(key: _Key, category: str) -> SourceTrack:
    number, is_crowd = key
    track_id = None if is_crowd else number
    return SourceTrack(f"track {number}", category, {}, is_crowd, track_id)


def _key(
    annotation: Mapping[str, Any], believe_crowd: bool, findings: Findings
) -> _Key:
    where, number = annotation["where"], _track_id(annotation)
    try:
        flagged = read_flag(annotation, "iscrowd")
        ignored = read_flag(annotation, "ignore")
    except ValueError as error:
        raise ConversionError(f"{where}: {error}") from error
    if number is None:
        if flagged or ignored:
            return f"of the crowd {annotation['category']}", True
        raise ConversionError(
            f"{where}: has no {', '.join(TRACK_KEYS)}, neither itself nor in its "
            "attributes; give one object the same number in all frames of its video"
        )
    if flagged and not believe_crowd and not ignored:
        what = "annotations with a track id and iscrowd 1, taken as objects"
        findings.add(what, f"{where}; --crowd takes them as crowd regions")
    return number, ignored or (flagged and believe_crowd)


def _track_id(annotation: Mapping[str, Any]) -> str | None:
    attributes = annotation.get("attributes")
    tables = [annotation, attributes if isinstance(attributes, Mapping) else {}]
    for table in tables:
        for key in TRACK_KEYS:
            if table.get(key) is not None:
                return identity(table[key], key, annotation["where"])
    return None


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
        raise ConversionError(
            f"{where}: broken segmentation: {error!s:.300}"
        ) from error
    if area < 0:
        raise ConversionError(f"{where}: the run lengths do not fill the frame")
    return counts


def _box_mask(box: Any, size: dict[str, int], where: str, findings: Findings) -> bytes:
    findings.add("boxes without a mask, made rectangles", where)
    try:
        x, y, w, h = map(float, box)
        return shapes.fill_polygon(shapes.rectangle(x, y, x + w, y + h), **size)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConversionError(f"{where}: broken bbox {box!r:.40}: {error}") from error
