"""Which categories of different label spaces are the same, near, or false friends.

Links are closed over *all* label spaces, also those outside the union at hand: OVIS
'Motorcycle' and UVO 'motorcycle' share a slot because both equal COCO 'motorcycle'.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from .bundled import LINKS_FILE, bundled_names, data_root
from .errors import TaxonomyError
from .json_files import check_fields, check_type, read_json
from .label_space import EVERY_BUNDLED, LabelSpace, Link
from .label_space_file import load_label_space
from .names import nearest_names, normalise_name, quoted


class Node(NamedTuple):
    """One category: its label space and its slot there."""

    space: str
    slot: int


class NearPair(NamedTuple):
    """Two classes that are related and stay apart.

    Args:
        a: Index of a class.
        b: Index of another class.
        not_for: Label spaces whose scores must not be pooled over this pair.
    """

    a: int
    b: int
    not_for: tuple[str, ...]


@dataclass(frozen=True)
class CategoryClasses:
    """Categories of all known label spaces, grouped by what is the same.

    Args:
        class_of: Class index of every node.
        near: Near pairs between classes.
        apart: Pairs of classes declared false friends.
    """

    class_of: Mapping[Node, int]
    near: tuple[NearPair, ...]
    apart: frozenset[frozenset[int]]


@dataclass(frozen=True)
class _DeclaredLinks:
    same: list[tuple[Node, Node]]
    near: list[tuple[Node, Node, tuple[str, ...]]]
    apart: list[tuple[Node, Node]]


class _Resolver:
    """Turns names into nodes and nodes into classes."""

    def __init__(self, spaces: Mapping[str, LabelSpace]) -> None:
        self.spaces = spaces
        self.parent = {
            Node(name, slot): Node(name, slot)
            for name, space in spaces.items()
            for slot in range(len(space))
        }

    def node(self, space: str, category: str, where: str) -> Node:
        if space not in self.spaces:
            raise TaxonomyError(
                f"{where} points at the unknown label space {space!r} "
                f"({nearest_names(space, self.spaces)}); known here: "
                f"{', '.join(sorted(self.spaces))}; list its JSON file as well"
            )
        try:
            return Node(space, self.spaces[space].slot_of_name(category))
        except TaxonomyError as error:
            raise TaxonomyError(f"{where}: {error}") from error

    def root(self, node: Node) -> Node:
        while self.parent[node] != node:
            node = self.parent[node]
        return node

    def merge(self, a: Node, b: Node) -> None:
        self.parent[self.root(b)] = self.root(a)

    def describe(self, node: Node) -> str:
        return f"{node.space}:{self.spaces[node.space].names[node.slot]}"


def _one_member(table: Any, where: str) -> tuple[str, str]:
    check_type(table, dict, where)
    if len(table) != 1:
        raise TaxonomyError(f"{where} must name one category, got {table!r}")
    space, category = next(iter(table.items()))
    return space, check_type(category, str, where)


def _bundled_links(resolver: _Resolver) -> _DeclaredLinks:
    path = data_root() / "taxonomies" / LINKS_FILE
    content = read_json(path)
    sections = {"same": list, "near": list, "apart": list}
    check_fields(content, required=sections, optional={"notes": str}, where=str(path))
    declared = _DeclaredLinks([], [], [])
    for index, group in enumerate(content["same"]):
        where = f"{path}: same[{index}]"
        check_type(group, dict, where)
        nodes = [resolver.node(space, name, where) for space, name in group.items()]
        declared.same.extend((nodes[0], node) for node in nodes[1:])
    for kind in ("near", "apart"):
        for index, row in enumerate(content[kind]):
            where = f"{path}: {kind}[{index}]"
            sides = {"a": dict, "b": dict}
            extra = {"note": str} | ({"not_for": list} if kind == "near" else {})
            check_fields(row, required=sides, optional=extra, where=where)
            a, b = (resolver.node(*_one_member(row[s], where), where) for s in sides)
            if kind == "apart":
                declared.apart.append((a, b))
            else:
                declared.near.append((a, b, tuple(row.get("not_for", ()))))
    return declared


def _by_name_nodes(resolver: _Resolver, link: Link, where: str) -> Iterable[Node]:
    if link.space != EVERY_BUNDLED and link.space not in resolver.spaces:
        resolver.node(link.space, link.target, where)
    targets = bundled_names() if link.space == EVERY_BUNDLED else [link.space]
    name = normalise_name(link.target)
    for target in targets:
        slot = resolver.spaces[target].slots_by_own_name.get(name)
        if slot is not None:
            yield Node(target, slot)


def _own_links(resolver: _Resolver, space: LabelSpace, into: _DeclaredLinks) -> None:
    for link in space.links:
        where = f"{space.origin}: {link.kind!r} link of {quoted(link.name)}"
        own = resolver.node(space.name, link.name, where)
        if link.kind == "by_name":
            into.same.extend((n, own) for n in _by_name_nodes(resolver, link, where))
            continue
        target = resolver.node(link.space, link.target, where)
        if link.kind == "same":
            into.same.append((target, own))
        else:
            into.near.append((own, target, ()))


def _members(resolver: _Resolver, root: Node) -> str:
    nodes = (node for node in resolver.parent if resolver.root(node) == root)
    return ", ".join(resolver.describe(node) for node in nodes)


def _check_one_per_space(resolver: _Resolver) -> None:
    seen: dict[tuple[str, Node], Node] = {}
    for node in resolver.parent:
        root = resolver.root(node)
        other = seen.setdefault((node.space, root), node)
        if other != node:
            raise TaxonomyError(
                f"links put {resolver.describe(other)} and {resolver.describe(node)} "
                "into one union slot, so their dataset could not tell them apart; the "
                f"slot would hold {_members(resolver, root)}; remove one 'same' link"
            )


def _check_not_merged(resolver: _Resolver, a: Node, b: Node, kind: str) -> None:
    if resolver.root(a) == resolver.root(b):
        raise TaxonomyError(
            f"{resolver.describe(a)} and {resolver.describe(b)} are declared {kind}, "
            "but links make them the same; the slot would hold "
            f"{_members(resolver, resolver.root(a))}; give your category a 'same' of "
            "its own, which also leaves it out of 'link_by_name'"
        )


def resolve_links(given: Iterable[LabelSpace]) -> CategoryClasses:
    """Group the categories of all bundled and given label spaces into classes.

    Args:
        given: The label spaces of a union.

    Returns:
        The classes with their near and apart pairs.

    Raises:
        TaxonomyError: If a link target is unknown, two categories of one label space
            would share a slot, or a near or apart pair would be merged.
    """
    bundled = _bundled_spaces()
    own = {s.name: s for s in given if s is not bundled.get(s.name)}
    if own:
        return _classes(bundled | own)
    links = data_root() / "taxonomies" / LINKS_FILE
    return _bundled_classes(data_root(), links.read_bytes())


def _bundled_spaces() -> dict[str, LabelSpace]:
    return {name: load_label_space(name) for name in bundled_names()}


@lru_cache(maxsize=4)  # 10 ms, for every model, taxonomy and vocabulary
def _bundled_classes(root: Path, links: bytes) -> CategoryClasses:
    """Resolve the links of the bundled label spaces, once per content of the file."""
    return _classes(_bundled_spaces())


def _classes(spaces: Mapping[str, LabelSpace]) -> CategoryClasses:
    resolver = _Resolver(spaces)
    declared = _bundled_links(resolver)
    for space in spaces.values():
        _own_links(resolver, space, declared)
    for a, b in declared.same:
        resolver.merge(a, b)
    for a, b in declared.apart:
        _check_not_merged(resolver, a, b, "apart")
    for a, b, _ in declared.near:
        _check_not_merged(resolver, a, b, "near")
    _check_one_per_space(resolver)

    roots = {resolver.root(node): None for node in resolver.parent}
    index = {root: position for position, root in enumerate(roots)}
    class_of = {node: index[resolver.root(node)] for node in resolver.parent}
    return CategoryClasses(
        class_of=class_of,
        near=tuple(NearPair(class_of[a], class_of[b], n) for a, b, n in declared.near),
        apart=frozenset(
            frozenset((class_of[a], class_of[b])) for a, b in declared.apart
        ),
    )
