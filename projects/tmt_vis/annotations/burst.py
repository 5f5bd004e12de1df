"""BURST's own layout (sequences, masks per frame and track) as YouTube-VIS tables.

Format: ANNOTATION_FORMAT.md of github.com/Ali2500/BURST-benchmark.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tmt_vis.structures import FrameRLE

from .errors import AnnotationError

BURST_KEY = "sequences"
_VIDEO_KEYS = ("id", "seq_name", "dataset", "height", "width", "annotated_image_paths")
_LISTS = ("neg_category_ids", "not_exhaustive_category_ids")


def tables_of_burst(data: dict[str, Any], path: str) -> dict[str, Any]:
    """Arrange a parsed BURST file as the tables of YouTube-VIS, in memory.

    A video holds its **annotated** frames, the only ones that anybody may be trained or
    tested on. Track ids restart in every video. Each sequence's masks are released as
    soon as they are arranged.

    Args:
        data: The parsed file; emptied.
        path: Where it was read, for messages.

    Returns:
        ``videos``, ``categories``, ``annotations`` (missing if no sequence has
        tracks) and ``unused_category_ids``, those of categories without a track.

    Raises:
        AnnotationError: If a sequence lacks a key, or its masks and tracks do not fit.
    """
    sequences = data.pop(BURST_KEY)
    if not isinstance(sequences, list):
        raise _error(path, "sequences", "must be a list", "download the file again")
    videos, annotations = [], []
    for position, sequence in enumerate(sequences):
        label = f"sequences[{position}]"
        if not isinstance(sequence, Mapping):
            raise _error(path, label, "must be an object", "download the file again")
        label += f" (id={sequence.get('id')})"
        missing = [key for key in _VIDEO_KEYS if sequence.get(key) is None]
        if missing:
            problem = f"needs the keys {list(_VIDEO_KEYS)}, {missing} missing or null"
            raise _error(path, label, problem, "use BURST's original file")
        videos.append(_video(sequence))
        if sequence.get("segmentations") is not None:
            annotations += _annotations(sequence, path, label)
    tables = dict(videos=videos, categories=data.get("categories"))
    if annotations:
        tables["annotations"] = annotations
        used = {entry["category_id"] for entry in annotations}
        listed = [c for c in tables["categories"] or () if isinstance(c, Mapping)]
        tables["unused_category_ids"] = {c.get("id") for c in listed} - used
    return tables


def _video(sequence: Mapping[str, Any]) -> dict[str, Any]:
    folder = f"{sequence['dataset']}/{sequence['seq_name']}"
    names = sequence["annotated_image_paths"]
    facts = {key: sequence[key] for key in ("id", "height", "width")}
    lists = {key: sequence[key] for key in _LISTS if sequence.get(key) is not None}
    files = [f"{folder}/{name}" for name in names]
    return dict(facts, name=folder, file_names=files, **lists)


def _annotations(
    sequence: dict[str, Any], path: str, label: str
) -> list[dict[str, Any]]:
    frames = sequence.pop("segmentations")
    category_of = sequence.get("track_category_ids") or {}
    size = (sequence["height"], sequence["width"])
    if len(frames) != len(sequence["annotated_image_paths"]):
        problem = (
            "segmentations must have one entry per annotated image, got "
            f"{len(frames)} for {len(sequence['annotated_image_paths'])}"
        )
        raise _error(path, label, problem, "use BURST's original file")
    masks: dict[str, list[Any]] = {track: [None] * len(frames) for track in category_of}
    for number, frame in enumerate(frames):
        for track, mask in (frame or {}).items():
            if track not in masks:
                problem = f"track {track} of frame {number} has no category"
                raise _error(path, label, problem, "add it to track_category_ids")
            masks[track][number] = _mask(mask, size)
    return [
        dict(
            id=_number(track, path, label),
            video_id=sequence["id"],
            category_id=category_of[track],
            segmentations=segmentations,
        )
        for track, segmentations in masks.items()
    ]


def _mask(mask: Any, size: Sequence[int]) -> Any:
    # Objects without text counts go on as they are and are refused by name later.
    return FrameRLE(tuple(size), mask) if isinstance(mask, str) else mask


def _number(track: str, path: str, label: str) -> int:
    try:
        return int(track)
    except ValueError as error:
        problem = f"track ids must be numbers, got {track!r}"
        raise _error(path, label, problem, "use BURST's original file") from error


def _error(path: str, entry: str, problem: str, remedy: str) -> AnnotationError:
    return AnnotationError(file=path, entry=entry, problem=problem, remedy=remedy)
