"""BURST's own layout (sequences, masks per frame and track) as YouTube-VIS tables.

Format: ANNOTATION_FORMAT.md of github.com/Ali2500/BURST-benchmark.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tmt_vis.structures import FrameRLE

from .errors import AnnotationError
from .values import read_id, shorten

BURST_KEY = "sequences"
_VIDEO_KEYS = ("id", "seq_name", "dataset", "height", "width", "annotated_image_paths")
_LISTS = ("neg_category_ids", "not_exhaustive_category_ids")


def tables_of_burst(
    data: dict[str, Any], path: str, *, all_frames: bool = False
) -> dict[str, Any]:
    """Arrange a parsed BURST file as the tables of YouTube-VIS, in memory.

    A video holds its **annotated** frames, the only ones that anybody may be trained or
    scored on, and says which of all frames they are (``sampled_frames``,
    ``sampled_from``). Track ids restart in every video. Each sequence's masks are
    released as soon as they are arranged.

    Args:
        data: The parsed file; emptied.
        path: Where it was read, for messages.
        all_frames: A video holds the frames between the annotated ones too.

    Returns:
        ``videos``, ``categories``, ``annotations`` (missing if no sequence has
        tracks), ``unused_category_ids``, those of categories without a track, and
        ``merged_category_ids``, id -> id that TAO counts it as.

    Raises:
        AnnotationError: If a sequence lacks a key, or its masks and tracks do not fit.
    """
    sequences = data.pop(BURST_KEY)
    if not isinstance(sequences, list):
        raise _error(path, "sequences", "must be a list", "download the file again")
    videos, annotations = [], []
    for position, raw in enumerate(sequences):
        sequence = _Sequence(raw, path, f"sequences[{position}]", all_frames)
        videos.append(sequence.video())
        annotations += sequence.annotations()
        sequences[position] = None
    tables = dict(videos=videos, categories=data.get("categories"))
    rows = tables["categories"] if isinstance(tables["categories"], list) else []
    rows = [row for row in rows if isinstance(row, Mapping)]
    merged = _merged(rows, path)
    tables["merged_category_ids"] = merged
    if annotations:
        tables["annotations"] = annotations
        used = {entry["category_id"] for entry in annotations}
        used.update(merged.get(i, i) for i in tuple(used))
        listed = {row["id"] for row in rows if type(row.get("id")) is int}
        tables["unused_category_ids"] = listed - used
    return tables


class _Sequence:
    """One entry of ``sequences``, checked."""

    def __init__(self, raw: Any, path: str, label: str, all_frames: bool) -> None:
        self._path, self._label = path, label
        if not isinstance(raw, Mapping):
            raise self._error("must be an object", "download the file again")
        self._label += f" (id={shorten(raw.get('id'))})"
        missing = [key for key in _VIDEO_KEYS if raw.get(key) is None]
        if missing:
            raise self._error(
                f"needs the keys {list(_VIDEO_KEYS)}, {missing} missing or null"
            )
        self._raw = raw
        for key in ("seq_name", "dataset"):
            if type(raw[key]) is not str:
                raise self._error(f"{key} must be a text, got {shorten(raw[key])}")
        annotated = self._names("annotated_image_paths")
        every = annotated
        if all_frames or raw.get("all_image_paths") is not None:
            every = self._names("all_image_paths")
        place = {name: t for t, name in enumerate(every)}
        absent = [name for name in annotated if name not in place]
        if absent:
            raise self._error(
                f"annotated_image_paths lists {absent[:3]}, which all_image_paths does "
                "not"
            )
        self._places = [place[name] for name in annotated]
        self._names_used = every if all_frames else annotated
        self._num_all = len(every)
        self._all_frames = all_frames

    def video(self) -> dict[str, Any]:
        """Return the entry of ``videos``."""
        raw = self._raw
        folder = f"{raw['dataset']}/{raw['seq_name']}"
        facts = {key: raw[key] for key in ("id", "height", "width")}
        lists = {key: raw[key] for key in _LISTS if raw.get(key) is not None}
        files = [f"{folder}/{name}" for name in self._names_used]
        video = dict(facts, name=folder, file_names=files, **lists)
        if not self._all_frames:
            video |= dict(sampled_frames=self._places, sampled_from=self._num_all)
        return video

    def annotations(self) -> list[dict[str, Any]]:
        """Return the entries of ``annotations``; the masks are used up."""
        raw = self._raw
        frames = raw.pop("segmentations", None)
        if frames is None:
            return []
        if not isinstance(frames, list) or len(frames) != len(self._places):
            got = len(frames) if isinstance(frames, list) else shorten(frames)
            raise self._error(
                "segmentations must be a list with one entry per annotated image, got "
                f"{got} for {len(self._places)}"
            )
        categories = self._categories()
        masks: dict[str, list[Any]] = {
            track: [None] * len(self._names_used) for track in categories
        }
        size = (raw["height"], raw["width"])
        for number, frame in enumerate(frames):
            if frame is not None and not isinstance(frame, Mapping):
                raise self._error(
                    f"frame {number} must be an object of masks by track, got "
                    f"{shorten(frame)}"
                )
            at = self._places[number] if self._all_frames else number
            for track, mask in (frame or {}).items():
                if track not in masks:
                    problem = f"track {track:.40} of frame {number} has no category"
                    raise self._error(problem, "add it to track_category_ids")
                masks[track][at] = _mask(mask, size)
        return [
            dict(
                id=self._number(track),
                video_id=raw["id"],
                category_id=categories[track],
                segmentations=segmentations,
            )
            for track, segmentations in masks.items()
        ]

    def _categories(self) -> Mapping[str, int]:
        categories = self._raw.get("track_category_ids")
        categories = {} if categories is None else categories
        if not isinstance(categories, Mapping):
            raise self._error(
                "track_category_ids must be an object of category ids by track, got "
                f"{shorten(categories)}"
            )
        try:
            return {track: read_id(categories, track) for track in categories}
        except ValueError as error:
            raise self._error(f"the category of track {error}") from error

    def _names(self, key: str) -> list[str]:
        names = self._raw.get(key)
        if not isinstance(names, list) or not all(type(n) is str for n in names):
            raise self._error(f"{key} must be a list of texts, got {shorten(names)}")
        return names

    def _number(self, track: str) -> int:
        if not (track.isascii() and track.isdigit() and len(track) < 20):
            raise self._error(f"track ids must be numbers, got {track!r:.40}")
        return int(track)

    def _error(
        self, problem: str, remedy: str = "use BURST's original file"
    ) -> AnnotationError:
        return _error(self._path, self._label, problem, remedy)


def _merged(rows: Sequence[Mapping[str, Any]], path: str) -> dict[int, int]:
    """Read TAO's ``merged`` lists: ids that are counted as another category."""
    merged: dict[int, int] = {}
    for row in rows:
        others = row.get("merged") or []
        if not isinstance(others, list) or not all(
            isinstance(other, Mapping) and type(other.get("id")) is int
            for other in others
        ):
            label = f"category id={shorten(row.get('id'))}"
            problem = f"merged must be a list of objects with an id, got {others!r:.60}"
            raise _error(path, label, problem, "use BURST's original file")
        if others and type(row.get("id")) is int:  # else it is refused later
            merged |= {other["id"]: row["id"] for other in others}
    return merged


def _mask(mask: Any, size: Sequence[Any]) -> Any:
    # Objects without text counts go on as they are and are refused by name later.
    return FrameRLE(tuple(size), mask) if isinstance(mask, str) else mask


def _error(path: str, entry: str, problem: str, remedy: str) -> AnnotationError:
    return AnnotationError(file=path, entry=entry, problem=problem, remedy=remedy)
