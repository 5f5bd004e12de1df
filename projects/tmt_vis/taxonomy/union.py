"""Order, name and voice the classes that a set of label spaces covers."""

from collections.abc import Mapping
from dataclasses import dataclass

from .label_space import Category, LabelSpace
from .links import CategoryClasses, NearPair, Node, resolve_links
from .names import normalise_name


@dataclass(frozen=True)
class Union:
    """The tables of a taxonomy.

    Args:
        names: Unique display name per union id, (K,).
        nouns: What prompts call it; None without text, (K,).
        slots_to_union: Union id of each slot, per label space.
        near_pairs: Near pairs of union ids.
        kept_apart: Sentences about equal names that share no slot.
    """

    names: tuple[str, ...]
    nouns: tuple[str | None, ...]
    slots_to_union: dict[str, tuple[int, ...]]
    near_pairs: tuple[NearPair, ...]
    kept_apart: tuple[str, ...]


Members = list[tuple[LabelSpace, Category]]


def _members_by_class(
    spaces: Mapping[str, LabelSpace], classes: CategoryClasses
) -> dict[int, Members]:
    members: dict[int, Members] = {}
    for name, space in spaces.items():
        for slot, category in enumerate(space.categories):
            class_index = classes.class_of[Node(name, slot)]
            members.setdefault(class_index, []).append((space, category))
    return members


def _noun(members: Members) -> str | None:
    # A declared prompt beats a name: whoever wrote it knew the name misleads.
    with_text = [category for _, category in members if category.has_text]
    declared = [category.noun for category in with_text if category.prompt]
    return next(iter(declared + [category.noun for category in with_text]), None)


def _names(ordered: list[Members]) -> tuple[str, ...]:
    names: list[str] = []
    for members in ordered:
        space, category = members[0]
        name = normalise_name(category.union_name or category.name)
        names.append(name if name not in names else f"{name}@{space.name}")
    return tuple(names)


def _kept_apart(
    members: Mapping[int, Members], classes: CategoryClasses
) -> tuple[str, ...]:
    # Whoever declared a pair near or apart has thought about it.
    decided = classes.apart | {frozenset((pair.a, pair.b)) for pair in classes.near}
    first: dict[str, tuple[int, LabelSpace]] = {}
    notes: list[str] = []
    for class_index, group in members.items():
        for space, category in group:
            name = normalise_name(category.name)
            other, other_space = first.setdefault(name, (class_index, space))
            pair = frozenset((class_index, other))
            if other != class_index and pair not in decided:
                notes.append(
                    f"{space.name}:{category.name} and {other_space.name}:{name} have "
                    "one name and two union slots; if they are the same, declare "
                    f'"same": {{"{other_space.name}": "{name}"}} or "link_by_name", '
                    f"otherwise a union_name for one of them"
                )
    return tuple(notes)


def build_union(spaces: Mapping[str, LabelSpace]) -> Union:
    """Build the tables of the union of label spaces.

    Args:
        spaces: Label spaces by name, in order.

    Returns:
        The tables; union ids follow first appearance, text-less classes come last.

    Raises:
        TaxonomyError: If the links of the label spaces break a rule.
    """
    classes = resolve_links(spaces.values())
    members = _members_by_class(spaces, classes)
    nouns = {index: _noun(group) for index, group in members.items()}
    order = sorted(members, key=lambda index: nouns[index] is None)
    union_ids = {class_index: union_id for union_id, class_index in enumerate(order)}
    near = {
        NearPair(union_ids[pair.a], union_ids[pair.b], pair.not_for)
        for pair in classes.near
        if pair.a in union_ids and pair.b in union_ids
    }
    return Union(
        names=_names([members[index] for index in order]),
        nouns=tuple(nouns[index] for index in order),
        slots_to_union={
            name: tuple(
                union_ids[classes.class_of[Node(name, slot)]]
                for slot in range(len(space))
            )
            for name, space in spaces.items()
        },
        near_pairs=tuple(sorted(near)),
        kept_apart=_kept_apart(members, classes),
    )
