"""The categories of an annotation file and the slots they belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tmt_vis.taxonomy import Category, LabelSpace, TaxonomyError
from tmt_vis.taxonomy.annotation_categories import id_and_name

from .errors import AnnotationError


@dataclass(frozen=True)
class FileCategories:
    """What the ids of a file mean.

    Args:
        label_space: The one given, or that of the file.
        slot_of_category: Category id -> slot.
        unmapped_ids: Ids of the categories that a map of names leaves out.
        merged_slots: Slot -> slot that it is counted as in evaluation (TAO's
            ``merged``).
    """

    label_space: LabelSpace
    slot_of_category: Mapping[int, int]
    unmapped_ids: frozenset[int] = frozenset()
    merged_slots: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        data: Mapping[str, Any],
        space: LabelSpace | None,
        *,
        path: str,
        category_map: Mapping[str, str] | None = None,
    ) -> "FileCategories":
        """Match the categories of a file with a label space.

        Args:
            data: Tables of :func:`read_annotations`. Without ``categories``, the ids
                are those of the label space.
            space: The label space; None means the categories of the file.
            path: Of the file, for messages.
            category_map: Name in the label space of each category that is read.

        Raises:
            AnnotationError: If a category is unknown or the list is malformed.
        """
        if data.get("categories") is None and space is not None:
            # Nothing refers to them but results, whose ids are the official ones.
            return cls(space, {i: slot for slot, i in enumerate(space.source_ids)})
        rows = data["categories"]
        try:
            space = file_label_space(rows, path) if space is None else space
            if category_map is not None:
                name_of = dict(map(id_and_name, rows))
                slots = _mapped(name_of, space, category_map, path)
                return cls(space, slots, frozenset(set(name_of) - set(slots)))
            slots = match_file_categories(data, space)
        except TaxonomyError as error:
            named = f"label_space is {space.name!r} here" if space else "correct them"
            raise _error(path, "categories", str(error), named) from error
        merged = data.get("merged_category_ids", {}).items()
        pairs = {slots[a]: slots[b] for a, b in merged if a in slots and b in slots}
        return cls(space, slots, merged_slots=pairs)


def _mapped(
    name_of: Mapping[int, str], space: LabelSpace, names: Mapping[str, str], path: str
) -> dict[int, int]:
    """Match categories with a label space by a map of names."""
    absent = sorted(set(names) - set(name_of.values()))
    if absent:
        problem = f"category_map has {absent}, which the file does not"
        remedy = "write the names as the file does"
        raise _error(path, "categories", problem, remedy)
    mapped = {i: names[name] for i, name in name_of.items() if name in names}
    try:
        return {i: space.slot_of_name(name) for i, name in mapped.items()}
    except TaxonomyError as error:
        remedy = f"label_space is {space.name!r} here"
        raise _error(path, "category_map", str(error), remedy) from error


def _error(path: str, entry: str, problem: str, remedy: str) -> AnnotationError:
    return AnnotationError(file=path, entry=entry, problem=problem, remedy=remedy)


def file_label_space(rows: Sequence[Any], path: str) -> LabelSpace:
    """Take the categories of a file as its label space.

    Nothing is matched by name then, so names only have to be told apart.

    Args:
        rows: ``categories`` of the file.
        path: Of the file, for messages.

    Raises:
        TaxonomyError: If there are none, or one has no id or no name.
    """
    pairs = [id_and_name(row) for row in rows]
    categories = tuple(Category(source_id, name) for source_id, name in pairs)
    return LabelSpace("file", f"categories of {path}", categories, matched_by="id")


def match_file_categories(data: Mapping[str, Any], space: LabelSpace) -> dict[int, int]:
    """Match the categories of a file with a label space.

    Args:
        data: Tables of :func:`read_annotations`. BURST may list all categories of TAO;
            those that no track has and the label space does not know are left out.
        space: The label space.

    Returns:
        Slot of each category id of the file.

    Raises:
        TaxonomyError: If a category is unknown or the list is malformed.
    """
    rows, unused = data["categories"], data.get("unused_category_ids", ())
    if unused:
        rows = [r for r in rows if id_and_name(r)[0] not in unused or _has(space, r)]
    return space.check_categories(rows)


def _has(space: LabelSpace, row: Mapping[str, Any]) -> bool:
    try:
        space.slot_of_name(row["name"])
    except TaxonomyError:
        return False
    return True
