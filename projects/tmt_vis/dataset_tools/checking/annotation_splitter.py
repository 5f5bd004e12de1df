"""All problems of an annotation file, from a reader that stops at the first.

Training and evaluation must stop at the first broken rule; a person who repairs a file
wants all of them. The rules are written once, in the reader: here it is given the file
in pieces, one video at a time, and where that fails one annotation and one frame at a
time, so every part that breaks a rule says so by itself.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tmt_vis.annotations import AnnotationFile, VideoEntry
from tmt_vis.datasets.annotation_index import AnnotationIndex
from tmt_vis.datasets.errors import AnnotationError
from tmt_vis.taxonomy import LabelSpace

Problem = Callable[[str, str], None]  # kind, where
_Row = tuple[int, Any]  # position in the file, entry


@dataclass(frozen=True)
class Part:
    """One video that can be read.

    Args:
        video: Its entry.
        index: Index of this video alone (row 0).
        annotations: The entries that can be read, as in the file, with masks that
            cannot be read set to null.
    """

    video: VideoEntry
    index: AnnotationIndex
    annotations: Sequence[Mapping[str, Any]]


class _Piece(AnnotationFile):
    """The reader on tables in memory."""

    def __init__(self, path: str, space: LabelSpace, tables: Mapping[str, Any]) -> None:
        self._tables = tables
        super().__init__(path, space)

    def _load(self, backend_args: Mapping[str, Any] | None) -> Mapping:
        return dict(self._tables)


class AnnotationSplitter:
    """Take a file apart.

    Args:
        path: Of the file, for messages.
        label_space: Label space of its categories.
        tables: What :func:`tmt_vis.annotations.read_annotations` returned; emptied.
        problem: Called with the kind and the place of every problem.

    Raises:
        AnnotationError: If no category can be used.
    """

    def __init__(
        self,
        path: str,
        label_space: LabelSpace,
        tables: dict[str, Any],
        problem: Problem,
    ) -> None:
        self._path = path
        self._space = label_space
        self._problem = problem
        self._unusable: set[Any] = set()
        lists = {
            k: tables.pop(k, None) for k in ("categories", "videos", "annotations")
        }
        self._rest = dict(tables)
        self._categories = self._usable_categories(lists["categories"])
        self._videos = self._list("videos", lists["videos"])
        self._entries = self._list("annotations", lists["annotations"])
        if not self._videos:
            problem("the file has no videos", path)

    @property
    def num_videos(self) -> int:
        """Entries of ``videos`` that are left to look at."""
        return len(self._videos)

    def parts(self) -> Iterator[Part]:
        """Yield the readable videos in file order, once, and tell all problems."""
        rows_of: dict[Any, list[_Row]] = defaultdict(list)
        for at, row in enumerate(self._videos):
            key = _key(row, "id")
            # Without an id it is alone; no annotation can mean it.
            rows_of[("row", at) if key is None else key].append((at, row))
        entries_of = self._grouped()
        self._videos, self._entries = [], []
        first: list[Any] = []
        for key, rows in rows_of.items():
            entries = entries_of.pop(key, [])
            part = self._part(rows, entries)
            if part is not None:
                first = first or [rows[0][1]]
                yield part
                continue
            for at, entry in entries:
                where = f"annotations[{at}] (id={entry.get('id')})"
                self._problem("object of a video that cannot be read", where)
        for at, entry in (row for rows in entries_of.values() for row in rows):
            # A video that is not theirs: the reader says what is wrong with that.
            self._told(at, videos=first, annotations=[entry])

    def _list(self, key: str, rows: Any) -> list[Any]:
        if rows is None or isinstance(rows, list):
            return rows or []
        self._told(None, **{key: rows})
        return []

    def _usable_categories(self, rows: Any) -> list[Any]:
        """Return the categories that can be used together; tell about the others."""
        error = self._error(categories=rows)
        if error is None:
            return rows
        if not isinstance(rows, list):
            raise error
        kept: list[Any] = []
        for row in rows:
            alone = self._error(categories=[row])
            if alone is None:
                # Alone it is fine: it may repeat the id or the name of another.
                alone = self._error(categories=[*kept, row])
            if alone is None:
                kept.append(row)
            else:
                self._tell(alone, None)
        if not kept:
            raise error
        self._unusable = {_key(row, "id") for row in rows} - {r["id"] for r in kept}
        return kept

    def _grouped(self) -> dict[Any, list[_Row]]:
        grouped: dict[Any, list[_Row]] = defaultdict(list)
        for at, entry in enumerate(self._entries):
            if _key(entry, "category_id") in self._unusable - {None}:
                where = f"annotations[{at}] (id={entry.get('id')})"
                self._problem("object of a category that cannot be used", where)
            else:
                grouped[_key(entry, "video_id")].append((at, entry))
        return grouped

    def _part(self, rows: Sequence[_Row], entries: Sequence[_Row]) -> Part | None:
        """Read one video, in smaller pieces where it does not go at once."""
        at, row = rows[0]
        for other_at, other in rows[1:]:
            self._told(other_at, videos=[row, other])
        with suppress(AnnotationError):
            return self._open(videos=[row], annotations=[e for _, e in entries])
        if self._told(at, videos=[row]):
            return None
        good: dict[Any, Any] = {}
        for entry_at, entry in entries:
            whole = self._repaired(row, entry, entry_at)
            if whole is None:
                continue
            if whole["id"] in good:
                pair = [good[whole["id"]], whole]
                self._told(entry_at, videos=[row], annotations=pair)
            good.setdefault(whole["id"], whole)
        return self._open(videos=[row], annotations=list(good.values()))

    def _repaired(self, row: Any, entry: Any, at: int) -> Mapping[str, Any] | None:
        """Return an entry without the masks that break a rule, or None."""
        if self._error(videos=[row], annotations=[entry]) is None:
            return entry
        masks = entry.get("segmentations") if isinstance(entry, Mapping) else None
        if not isinstance(masks, list):
            self._told(at, videos=[row], annotations=[entry])
            return None
        # Without any mask: is it the entry that is wrong, or its masks?
        bare = {**entry, "segmentations": [None] * len(masks)}
        if self._told(at, videos=[row], annotations=[bare]):
            return None
        kept = list(masks)
        for t, mask in enumerate(masks):
            alone = [mask if t == i else None for i in range(len(masks))]
            one = {**entry, "segmentations": alone}
            if mask and self._told(at, videos=[row], annotations=[one]):
                kept[t] = None
        return {**entry, "segmentations": kept}

    def _told(self, at: int | None, **tables: Any) -> bool:
        """Read a piece; tell about its problem and return whether there is one."""
        error = self._error(**tables)
        if error is not None:
            self._tell(error, at)
        return error is not None

    def _error(self, **tables: Any) -> AnnotationError | None:
        try:
            self._open(**tables)
        except AnnotationError as error:
            return error
        return None

    def _open(self, **tables: Any) -> Part | None:
        base: dict[str, Any] = dict(self._rest, videos=[], annotations=[])
        if "categories" not in tables:
            base["categories"] = self._categories
        file = _Piece(self._path, self._space, {**base, **tables})
        videos = file.videos
        index = AnnotationIndex(file, num_slots=len(self._space))
        return Part(videos[0], index, tables.get("annotations", [])) if videos else None

    def _tell(self, error: AnnotationError, at: int | None) -> None:
        # In a piece every entry is the first; people need its place in the file.
        place = "" if at is None else f"[{at}]"
        entry = re.sub(r"^(videos|annotations)\[\d+\]", rf"\1{place}", error.entry)
        problem = " ".join(error.problem.split())  # some list names line by line
        self._problem(_kind(error.problem), f"{entry}: {problem}")


def _key(row: Any, name: str) -> Any:
    value = row.get(name) if isinstance(row, Mapping) else None
    return value if isinstance(value, Hashable) else None


def _kind(problem: str) -> str:
    """Reduce a message to its rule: what differs from case to case becomes dots."""
    text = problem.partition("\n")[0].partition(", got")[0]
    text = re.sub(r"\[[^\]]*\]|\{[^}]*\}|'[^']*'|\"[^\"]*\"", "…", text)
    text = re.sub(r"-?\d+(\.\d+)?", "…", text)
    return text.removesuffix(":")
