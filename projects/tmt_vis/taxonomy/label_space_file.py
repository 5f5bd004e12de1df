"""The JSON file of a label space: one file carries categories, prompts and links.

Format, with everything optional except name and categories::

    {
      "name": "farm",
      "title": "Farm videos",
      "notes": "free text",
      "link_by_name": true,
      "categories": [
        {"source_id": 1, "name": "collie", "same": {"ytvis19": "dog"}},
        {"source_id": 2, "name": "hen", "aliases": ["chicken"],
         "prompt": "hen, a farm bird", "near": {"ovis": ["Poultry"]}}
      ]
    }

A category never joins a union slot because its name looks the same. It joins one by
its own "same", or by "link_by_name" (true: every bundled label space; or a list of
label-space names). A category with a "same" of its own, even an empty one, is left
out of "link_by_name".
"""

import re
import reprlib
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from .bundled import bundled_names, bundled_path
from .errors import TaxonomyError
from .json_files import check_fields, check_type, read_json
from .label_space import EVERY_BUNDLED, Category, LabelSpace, Link
from .names import nearest_names, quoted

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_CATEGORY_OPTIONAL = {
    "aliases": list,
    "prompt": str,
    "has_text": bool,
    "union_name": str,
    "partition": str,
    "same": dict,
    "near": dict,
}


def _category(row: dict[str, Any], where: str) -> Category:
    aliases = row.get("aliases", [])
    return Category(
        source_id=row["source_id"],
        name=row["name"],
        aliases=tuple(check_type(a, str, f"{where}: an alias") for a in aliases),
        prompt=row.get("prompt"),
        has_text=row.get("has_text", True),
        union_name=row.get("union_name"),
        partition=row.get("partition"),
    )


def _category_links(row: dict[str, Any], by_name: list[str], where: str) -> list[Link]:
    name = row["name"]
    links = []
    for space, target in row.get("same", {}).items():
        check_type(target, str, f"{where}: 'same' of {space!r}")
        links.append(Link("same", name, space, target))
    for space, targets in row.get("near", {}).items():
        for target in targets if isinstance(targets, list) else [targets]:
            check_type(target, str, f"{where}: 'near' of {space!r}")
            links.append(Link("near", name, space, target))
    if "same" not in row:
        links.extend(Link("by_name", name, space, name) for space in by_name)
    return links


def _by_name_spaces(value: Any, where: str) -> list[str]:
    if value is False:
        return []
    if value is True:
        return [EVERY_BUNDLED]
    if isinstance(value, list) and all(isinstance(space, str) for space in value):
        return value
    raise TaxonomyError(
        f"{where}: 'link_by_name' must be true, false or a list of label-space names, "
        f"got {reprlib.repr(value)}"
    )


def parse_label_space(content: Any, *, origin: str) -> LabelSpace:
    """Build a label space from the content of its JSON file.

    Args:
        content: The parsed JSON.
        origin: Bundled name or path, used in messages.

    Returns:
        The label space; link targets are not looked up yet.

    Raises:
        TaxonomyError: On a missing, unknown or mistyped field, or duplicates.
    """
    check_fields(
        content,
        required={"name": str, "categories": list},
        optional={"title": str, "notes": str, "link_by_name": object},
        where=origin,
    )
    if not _NAME.fullmatch(content["name"]):
        raise TaxonomyError(
            f"{origin}: 'name' must be lower-case letters, digits, '_', '-' or '.', "
            f"got {reprlib.repr(content['name'])}"
        )
    by_name = _by_name_spaces(content.get("link_by_name", False), origin)
    categories, links = [], []
    for index, row in enumerate(content["categories"]):
        where = f"{origin}: categories[{index}]"
        required = {"source_id": int, "name": str}
        check_fields(row, required=required, optional=_CATEGORY_OPTIONAL, where=where)
        categories.append(_category(row, where))
        links.extend(_category_links(row, by_name, where))
    title = content.get("title", content["name"])
    try:
        return LabelSpace(
            content["name"], title, tuple(categories), tuple(links), origin
        )
    except TaxonomyError as error:
        raise TaxonomyError(f"{origin}: {error}") from error


@cache
def _load_bundled(path: Path) -> LabelSpace:
    # Cached: every union consults all bundled label spaces, 0.3 to 0.6 ms each.
    space = parse_label_space(read_json(path), origin=path.stem)
    if space.name != path.stem:
        raise TaxonomyError(
            f"{path}: 'name' must be {path.stem!r} like the file, got {space.name!r}"
        )
    return space


def _check_bundled_targets(space: LabelSpace) -> None:
    # Links to other users' files are checked when the union is built.
    bundled = bundled_names()
    for link in space.links:
        if link.kind != "by_name" and link.space in bundled:
            try:
                load_label_space(link.space).slot_of_name(link.target)
            except TaxonomyError as error:
                raise TaxonomyError(
                    f"{space.origin}: {link.kind!r} link of {quoted(link.name)}: "
                    f"{error}"
                ) from error


def load_label_space(name_or_path: "str | PathLike[str]") -> LabelSpace:
    """Load a bundled label space or a user's JSON file; see `LabelSpace.load`."""
    text = fspath(name_or_path)
    bundled = bundled_names()
    if text in bundled:
        return _load_bundled(bundled_path(text))
    path = Path(text).expanduser()
    if path.suffix != ".json" and not path.is_file():
        raise TaxonomyError(
            f"unknown label space {quoted(text)} ({nearest_names(text, bundled)}); "
            f"bundled: {', '.join(bundled)}; your own: give the path of its .json file"
        )
    space = parse_label_space(read_json(path), origin=text)
    if space.name in bundled and not path.samefile(bundled_path(space.name)):
        raise TaxonomyError(
            f"{text}: the name {space.name!r} belongs to a bundled label space; "
            "choose another"
        )
    _check_bundled_targets(space)
    return space
