"""Match the category list of an annotation file with a label space."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .errors import TaxonomyError
from .json_files import check_type
from .names import nearest_names, quoted

if TYPE_CHECKING:
    from .label_space import LabelSpace


def id_and_name(category: Any) -> tuple[int, str]:
    """Return the id and the name of an entry of ``categories``.

    Raises:
        TaxonomyError: If it has none, or they cannot be stored.
    """
    is_table = isinstance(category, Mapping)
    source_id = category.get("id") if is_table else None
    name = category.get("name") if is_table else None
    if type(source_id) is not int or not isinstance(name, str):
        raise TaxonomyError(
            "categories of an annotation file must be objects with an integer 'id' and "
            f"a string 'name', got {reprlib.repr(category)}"
        )
    check_type(source_id, int, f"the id of category {name!r:.60}")
    if name:  # an empty one is one: nothing may be matched by name
        check_type(name, str, f"the name of category {source_id}")
    return source_id, name


def _unknown_names_error(space: LabelSpace, unknown: Sequence[tuple[int, str]]) -> str:
    names = ", ".join(
        f"id {source_id} {quoted(name)} ({nearest_names(name, space.names)})"
        for source_id, name in unknown
    )
    return (
        f"{len(unknown)} categories of the annotation file are not in label space "
        f"{space.name!r}: {names}; choose the label space of that file, or write one: "
        "copy its JSON from data/taxonomies under a new name and add the category or "
        "an alias"
    )


def _clashes_error(space: LabelSpace, clashes: Sequence[tuple[str, str]]) -> str:
    pairs = ", ".join(
        f"{quoted(first)} and {quoted(second)} "
        f"({space.names[space.slot_of_name(second)]!r})"
        for first, second in clashes
    )
    return (
        f"{len(clashes)} pairs of file categories are one category of label space "
        f"{space.name!r}: {pairs}; merge them in the file, or use a label space that "
        "tells them apart"
    )


def match_categories(
    space: LabelSpace, file_categories: Sequence[Mapping[str, Any]]
) -> dict[int, int]:
    """Match file categories with slots; see `LabelSpace.check_categories`."""
    slots: dict[int, int] = {}
    names_by_slot: dict[int, str] = {}
    unknown: list[tuple[int, str]] = []
    clashes: list[tuple[str, str]] = []
    for category in file_categories:
        source_id, name = id_and_name(category)
        if source_id in slots:
            raise TaxonomyError(
                f"the annotation file uses category id {source_id} twice "
                f"({quoted(names_by_slot[slots[source_id]])} and {quoted(name)})"
            )
        try:
            slot = space.slot_of_name(name)
        except TaxonomyError:
            unknown.append((source_id, name))
            continue
        if slot in names_by_slot:
            clashes.append((names_by_slot[slot], name))
            continue
        slots[source_id] = slot
        names_by_slot[slot] = name
    if unknown:
        raise TaxonomyError(_unknown_names_error(space, unknown))
    if clashes:
        raise TaxonomyError(_clashes_error(space, clashes))
    if not slots:
        raise TaxonomyError(
            f"the annotation file for label space {space.name!r} lists no categories; "
            "it needs a 'categories' list with ids and names"
        )
    return slots
