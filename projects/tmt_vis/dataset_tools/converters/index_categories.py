"""What the values of index images mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConversionError
from .json_input import read_object

_MOTS_STEP = 1000  # value = class * 1000 + number
_MOTS_IGNORED = 10000
MOTS_FOLDER = "instances"


class IndexCategories:
    """Category of an object: one for all, or from a map.

    Args:
        category: Of all objects.
        path: JSON, ``{"VIDEO": {"1": "dog"}}``, ``{"1": "dog"}`` or the ``meta.json``
            of YouTube-VOS; None with ``category``.

    Attributes:
        names: All categories.
        ignored: Values that belong to nothing.
    """

    ignored = (255,)

    def __init__(self, category: str | None, path: Path | None) -> None:
        self._all = category
        self._path = path
        self._map = {} if path is None else _without_layout(read_object(path), path)
        self.names = (category,) if category else tuple(sorted(self._listed()))

    def of(self, video: str, value: int) -> str:
        """Return the category of a value in a video.

        Raises:
            ConversionError: If nothing is said about it.
        """
        if value >= _MOTS_STEP:
            raise ConversionError(
                f"video {video!r} holds the value {value}: values from {_MOTS_STEP} on "
                "are those of MOTS (1000 * class + number, 10000 ignored); name the "
                "classes with --mots-classes, or number the objects 1, 2, ..."
            )
        if self._all is not None:
            return self._all
        table = self._map.get(video, self._map)
        name = table.get(str(value)) if isinstance(table, Mapping) else None
        if not isinstance(name, str):
            raise ConversionError(
                f"{self._path}: says nothing about object {value} of video {video!r}; "
                f'add {{"{video}": {{"{value}": "NAME"}}}}'
            )
        return name

    def number_of(self, value: int) -> str:
        """Return the number of an object: its value."""
        return str(value)

    def _listed(self) -> set[str]:
        values = list(self._map.values())
        tables = [table for table in values if isinstance(table, Mapping)]
        values += [name for table in tables for name in table.values()]
        return {name for name in values if isinstance(name, str)}


class MotsCategories:
    """Category of an object of MOTS: that of its class.

    Args:
        names: Of the classes 1, 2, ...

    Attributes:
        names: All categories.
        ignored: Values that belong to nothing.
    """

    ignored = (_MOTS_IGNORED,)

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def of(self, video: str, value: int) -> str:
        """Return the category of a value.

        Raises:
            ConversionError: If it has no class, or one without a name.
        """
        number = value // _MOTS_STEP
        if not 1 <= number <= len(self.names):
            raise ConversionError(
                f"video {video!r} holds the value {value}, which is class {number} of "
                f"MOTS, but --mots-classes names the classes 1 to {len(self.names)}"
            )
        return self.names[number - 1]

    def number_of(self, value: int) -> str:
        """Return the number of an object, without its class."""
        return str(value % _MOTS_STEP)


def listed_classes(src: Path) -> list[str] | None:
    """Read the classes of MOTS PNGs from ``labels.txt``; None if there is none.

    Raises:
        ConversionError: If two videos have other classes.
    """
    found: dict[Path, list[str]] = {}
    for path in sorted(src.rglob(f"{MOTS_FOLDER}/labels.txt")):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        found[path] = [line.strip() for line in lines if line.strip()]
    for path, names in found.items():
        first = next(iter(found))
        if names != found[first]:
            raise ConversionError(
                f"{path} and {first} list other classes; convert the videos one by one"
            )
    return next(iter(found.values()), None)


def _without_layout(content: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """Return a category map; the layout of YouTube-VOS's meta.json is taken off."""
    videos = content.get("videos")
    if not isinstance(videos, Mapping):
        return content
    tables = {}
    for name, video in videos.items():
        objects = video.get("objects") if isinstance(video, Mapping) else None
        if objects is None:
            return content  # a map of a video that is called "videos"
        if not isinstance(objects, Mapping):
            raise ConversionError(f"{path}: 'objects' of {name!r} must be an object")
        tables[name] = {
            number: entry.get("category") if isinstance(entry, Mapping) else None
            for number, entry in objects.items()
        }
    return tables
