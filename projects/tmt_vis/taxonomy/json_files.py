"""Read JSON with errors that say where; check the shape of what was read."""

import json
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import TaxonomyError
from .names import nearest_names, quoted


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # json keeps the last of two equal keys; a category would vanish without a word.
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise TaxonomyError(
                f"the key {reprlib.repr(key)} is given twice in one object"
            )
        table[key] = value
    return table


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Args:
        path: The file.

    Returns:
        The parsed content.

    Raises:
        TaxonomyError: If the file is missing, not UTF-8, not JSON (with line and
            column) or repeats a key inside one object.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TaxonomyError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TaxonomyError(f"{path}: not UTF-8 text ({error})") from error
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        raise TaxonomyError(f"{place}: not valid JSON, {error.msg}") from error
    except TaxonomyError as error:
        raise TaxonomyError(f"{path}: {error}") from error
    except (RecursionError, ValueError) as error:
        # Nested too deep; an integer of more than 4,300 digits.
        raise TaxonomyError(f"{path}: not valid JSON ({error})") from error


_MAX_ID = 2**63 - 1  # ids live in int64 arrays
_KINDS = {str: "a string", int: "an integer", bool: "true or false", list: "a list"}
_KINDS |= {dict: "an object"}


def check_type(value: Any, kind: type, where: str) -> Any:
    """Return a value of the required JSON type or say what is wrong with it.

    Args:
        value: What the file holds.
        kind: One of str, int, bool, list, dict.
        where: File and field, for the error message.

    Returns:
        The value itself.

    Raises:
        TaxonomyError: If the value has another type, or is an empty string.
    """
    is_bool_as_int = kind is int and isinstance(value, bool)
    if not isinstance(value, kind) or is_bool_as_int:
        # Shortened: a wrong file can hold a list of a million annotations.
        got = reprlib.repr(value)
        raise TaxonomyError(f"{where} must be {_KINDS[kind]}, got {got}")
    if kind is str:
        _check_text(value, where)
    if kind is int and not -_MAX_ID <= value <= _MAX_ID:
        raise TaxonomyError(f"{where} must fit into 64 bits; renumber")
    return value


def _check_text(text: str, where: str) -> None:
    if not text.strip():
        raise TaxonomyError(f"{where} must not be empty")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TaxonomyError(
            f"{where} must be Unicode text, got {quoted(text)} with half of a "
            "surrogate pair"
        ) from error


def check_fields(
    table: Any,
    *,
    required: Mapping[str, type],
    optional: Mapping[str, type],
    where: str,
) -> dict[str, Any]:
    """Check that an object has its required fields and no unknown ones.

    Args:
        table: What the file holds.
        required: Name and JSON type of the fields that must be there.
        optional: Name and JSON type of the fields that may be there; ``object``
            leaves the type to the caller.
        where: File and position, for the error message.

    Returns:
        The object.

    Raises:
        TaxonomyError: On a missing field, an unknown field or a wrong type.
    """
    check_type(table, dict, where)
    known = {**required, **optional}
    missing = [field for field in required if field not in table]
    if missing:
        raise TaxonomyError(
            f"{where} lacks {', '.join(map(repr, missing))}; it has "
            f"{reprlib.repr(sorted(table))}"
        )
    for field, value in table.items():
        if field not in known:
            raise TaxonomyError(
                f"{where} has the unknown field {reprlib.repr(field)} "
                f"({nearest_names(field, known)}); allowed: {sorted(known)}"
            )
        if known[field] is not object:
            check_type(value, known[field], f"{where}: {field!r}")
    return table
