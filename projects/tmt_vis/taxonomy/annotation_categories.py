"""Match the category list of an annotation file with a label space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import TaxonomyError
from .names import nearest_names

if TYPE_CHECKING:
    from .label_space import LabelSpace


def _id_and_name(space: LabelSpace, category: Any) -> tuple[int, str]:
    is_table = isinstance(category, Mapping)
    source_id = category.get("id") if is_table else None
    name = category.get("name") if is_table else None
    if type(source_id) is not int or not isinstance(name, str):
        raise TaxonomyError(
            f"categories of a {space.name!r} annotation file must be objects with an "
            f"integer 'id' and a string 'name', got {category!r}"
        )
    return source_id, name


def _unknown_names_error(space: LabelSpace, unknown: Sequence[tuple[int, str]]) -> str:
    lines = [
        f"  id {source_id} {name!r}: {nearest_names(name, space.names)}"
        for source_id, name in unknown
    ]
    return "\n".join(
        [
            f"{len(unknown)} categories of the annotation file are not in label space "
            f"{space.name!r}:",
            *lines,
            "choose the label space of that file, or write one: copy its JSON from "
            "data/taxonomies under a new name and add the category or an alias",
        ]
    )


def match_categories(
    space: LabelSpace, file_categories: Sequence[Mapping[str, Any]]
) -> dict[int, int]:
    """Match file categories with slots; see `LabelSpace.check_categories`."""
    slots: dict[int, int] = {}
    names_by_slot: dict[int, str] = {}
    unknown: list[tuple[int, str]] = []
    for category in file_categories:
        source_id, name = _id_and_name(space, category)
        if source_id in slots:
            raise TaxonomyError(
                f"the annotation file uses category id {source_id} twice "
                f"({names_by_slot[slots[source_id]]!r} and {name!r})"
            )
        try:
            slot = space.slot_of_name(name)
        except TaxonomyError:
            unknown.append((source_id, name))
            continue
        if slot in names_by_slot:
            raise TaxonomyError(
                f"the file categories {names_by_slot[slot]!r} and {name!r} are both "
                f"{space.names[slot]!r} of label space {space.name!r}; merge them in "
                "the file, or use a label space that tells them apart"
            )
        slots[source_id] = slot
        names_by_slot[slot] = name
    if unknown:
        raise TaxonomyError(_unknown_names_error(space, unknown))
    if not slots:
        raise TaxonomyError(
            f"the annotation file for label space {space.name!r} lists no categories; "
            "it needs a 'categories' list with ids and names"
        )
    return slots
