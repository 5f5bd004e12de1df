"""LabelSpace: the ordered, validated category list of one dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from .annotation_categories import match_categories
from .errors import TaxonomyError
from .names import nearest_names, normalise_name, quoted, spoken_name

LinkKind = Literal["same", "near", "by_name"]
EVERY_BUNDLED = "*"


@dataclass(frozen=True)
class Category:
    """One category of one dataset.

    Args:
        source_id: Its id in the dataset's annotation file.
        name: Its name, spelt as in that file.
        aliases: Other spellings the file may use.
        prompt: What to call it in a prompt, when its name misleads a text encoder.
        has_text: False when the name means nothing to a text encoder (UVO's
            'other'); such a category keeps its classifier slot and gets no text.
        union_name: How to show it in a union, when its name would be confusing.
        partition: Part of the list it belongs to (LV-VIS: base or novel); AP is then
            reported per part as well.
    """

    source_id: int
    name: str
    aliases: tuple[str, ...] = ()
    prompt: str | None = None
    has_text: bool = True
    union_name: str | None = None
    partition: str | None = None

    @property
    def noun(self) -> str | None:
        """What a prompt calls this category; None without text."""
        if not self.has_text:
            return None
        return self.prompt or spoken_name(self.name)


@dataclass(frozen=True)
class Link:
    """A statement of a label space about a category of another (or its own) one.

    Args:
        kind: 'same' (share a union slot), 'near' (related, kept apart) or 'by_name'
            (same, wherever the target label space has that name).
        name: The category of the label space that states the link.
        space: Name of the target label space; '*' with 'by_name': all bundled ones.
        target: Name of the category over there.
    """

    kind: LinkKind
    name: str
    space: str
    target: str


@dataclass(frozen=True)
class LabelSpace:
    """The categories of one dataset, in slot order.

    Args:
        name: Key of the label space in configs and links.
        title: Its name for people.
        categories: The categories; the position of each is its slot.
        links: What this label space declares about others.
        origin: Bundled name or path it was loaded from, for messages and commands.
        matched_by: "name": spellings that differ in case, spaces, underscores and
            hyphens are one name, as annotation files spell names freely. "id": the
            categories of one file, whose entries refer to ids; names only have to
            differ.

    Raises:
        TaxonomyError: If it is empty or repeats a source id, a name or an alias.
    """

    name: str
    title: str
    categories: tuple[Category, ...]
    links: tuple[Link, ...] = ()
    origin: str | None = None
    matched_by: Literal["name", "id"] = "name"

    def __post_init__(self) -> None:
        if not self.categories:
            raise TaxonomyError(f"label space {self.name!r} has no categories")
        by_id, by_name = self._id_clashes(), self._name_clashes()
        if by_name and self.matched_by == "name":
            by_name[-1] += " (case, spaces, underscores and hyphens do not count)"
        if by_id or by_name:
            clashes = "; ".join(by_id + by_name)
            raise TaxonomyError(f"label space {self.name!r}: {clashes}")

    def _id_clashes(self) -> list[str]:
        seen: dict[int, Category] = {}
        pairs = [(seen.setdefault(c.source_id, c), c) for c in self.categories]
        return [
            f"source_id {new.source_id} means {quoted(old.name)} and "
            f"{quoted(new.name)}; give each category its own"
            for old, new in pairs
            if old is not new
        ]

    def _name_clashes(self) -> list[str]:
        seen: dict[str, Category] = {}
        pairs = [
            (name, seen.setdefault(self._key(name), category), category)
            for category in self.categories
            for name in (category.name, *category.aliases)
        ]
        return [
            f"the name {quoted(name)} stands for source_id {old.source_id} and "
            f"{new.source_id}"
            for name, old, new in pairs
            if old is not new
        ]

    def _key(self, name: str) -> str:
        """Return what names are looked up by."""
        return normalise_name(name) if self.matched_by == "name" else name

    @classmethod
    def load(cls, name_or_path: "str | PathLike[str]") -> "LabelSpace":
        """Load a bundled label space or a user's JSON file.

        Args:
            name_or_path: A bundled name ('ytvis19', 'ytvis21', 'ovis', 'uvo',
                'coco', 'lvvis', 'burst') or the path of a JSON file.

        Returns:
            The label space.

        Raises:
            TaxonomyError: If the name is unknown or the file breaks a rule.
        """
        # Imported here: the file format builds LabelSpaces, so it imports this module.
        from .label_space_file import load_label_space

        return load_label_space(name_or_path)

    def __len__(self) -> int:
        return len(self.categories)

    @property
    def names(self) -> tuple[str, ...]:
        """Category names in slot order."""
        return tuple(category.name for category in self.categories)

    @property
    def source_ids(self) -> tuple[int, ...]:
        """Source ids in slot order."""
        return tuple(category.source_id for category in self.categories)

    @cached_property
    def _slots_by_source(self) -> dict[int, int]:
        return {source_id: slot for slot, source_id in enumerate(self.source_ids)}

    @cached_property
    def _slots_by_name(self) -> dict[str, int]:
        return {
            self._key(spelling): slot
            for slot, category in enumerate(self.categories)
            for spelling in (category.name, *category.aliases)
        }

    @cached_property
    def partitions(self) -> dict[str, tuple[int, ...]]:
        """Slots of each partition, in order of first appearance; often empty."""
        parts: dict[str, list[int]] = {}
        for slot, category in enumerate(self.categories):
            if category.partition is not None:
                parts.setdefault(category.partition, []).append(slot)
        return {part: tuple(slots) for part, slots in parts.items()}

    @cached_property
    def slots_by_own_name(self) -> dict[str, int]:
        """Slot of each normalised category name, aliases left out."""
        return {self._key(name): slot for slot, name in enumerate(self.names)}

    def slot_of_source(self, source_id: int) -> int:
        """Return the slot of a source id.

        Raises:
            TaxonomyError: If no category has that source id.
        """
        try:
            return self._slots_by_source[source_id]
        except KeyError:
            raise TaxonomyError(
                f"label space {self.name!r} has no source_id {source_id}; "
                f"its {len(self)} ids are {list(self.source_ids)}"
            ) from None

    def source_of_slot(self, slot: int) -> int:
        """Return the source id of a slot.

        Raises:
            TaxonomyError: If the slot is outside [0, len(self)).
        """
        if not 0 <= slot < len(self):
            raise TaxonomyError(
                f"slot must be in [0, {len(self)}) for label space {self.name!r}, "
                f"got {slot}"
            )
        return self.categories[slot].source_id

    def slot_of_name(self, name: str) -> int:
        """Return the slot of a category name or alias, whatever its spelling.

        Raises:
            TaxonomyError: If no category has that name.
        """
        slot = self._slots_by_name.get(self._key(name))
        if slot is None:
            raise TaxonomyError(
                f"label space {self.name!r} has no category {quoted(name)} "
                f"({nearest_names(name, self.names)})"
            )
        return slot

    def check_categories(
        self, file_categories: Sequence[Mapping[str, Any]]
    ) -> dict[int, int]:
        """Match the 'categories' list of an annotation file with this label space.

        Matching is by name or alias, never by id or position: files permute, skip
        and subset ids. Nothing is dropped: every file category must find its slot.

        Args:
            file_categories: Objects with at least 'id' and 'name'.

        Returns:
            Slot of each source id of the file.

        Raises:
            TaxonomyError: If the list is malformed, names are unknown, an id repeats
                or two file categories mean one slot.
        """
        return match_categories(self, file_categories)

    def to_dict(self) -> dict[str, Any]:
        """Return the label space as plain JSON data; `from_dict` reads it back.

        Only the name of the file it came from is kept: the data travels in published
        checkpoints, and folders of a user's machine do not belong there.
        """
        file_only = {} if self.matched_by == "name" else {"matched_by": "id"}
        return {
            **file_only,
            "name": self.name,
            "title": self.title,
            "origin": self.origin and Path(self.origin).name,
            "categories": [asdict(category) for category in self.categories],
            "links": [asdict(link) for link in self.links],
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "LabelSpace":
        """Rebuild a label space from `to_dict`.

        Raises:
            TaxonomyError: If the data is not that of a label space.
        """
        try:
            categories = tuple(
                Category(**{**category, "aliases": tuple(category["aliases"])})
                for category in state["categories"]
            )
            links = tuple(Link(**link) for link in state["links"])
            return cls(
                state["name"],
                state["title"],
                categories,
                links,
                state["origin"],
                state.get("matched_by", "name"),
            )
        except (KeyError, TypeError) as error:
            raise TaxonomyError(f"not a saved label space: {error!r}") from error
