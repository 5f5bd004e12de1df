"""JSON files of strangers: read with errors that name the file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmt_vis.annotations.values import shorten

from ..errors import ConversionError

_KINDS = {dict: "an object", int: "an integer", list: "a list", str: "a text"}


def read_object(path: Path) -> Mapping[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        ConversionError: If it is no such file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConversionError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(content, Mapping):
        raise ConversionError(
            f"{path}: must hold an object, got a {type(content).__name__}"
        )
    return content


def field(table: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """Return a field of the right type; 48.0 is an integer.

    Args:
        table: The object.
        key: Name of the field.
        kind: Type or types it may have.
        where: File and entry, for the message.

    Raises:
        ConversionError: If it is missing or of another type.
    """
    value = table.get(key) if isinstance(table, Mapping) else None
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        names = " or ".join(_KINDS.get(one, "a value") for one in kinds)
        raise ConversionError(f"{where}: {key!r} must be {names}, got {shorten(value)}")
    return value


def optional_size(table: Mapping[str, Any], key: str, where: str) -> int | None:
    """Return a side in pixels, None if it is missing or null.

    Raises:
        ConversionError: If it is no integer >= 1.
    """
    if table.get(key) is None:
        return None
    side = field(table, key, int, where)
    if side < 1:
        raise ConversionError(f"{where}: {key!r} must be >= 1, got {shorten(side)}")
    return side


def identity(value: Any, what: str, where: str) -> str:
    """Return an id as a text: 4 and 4.0 and "4" are one.

    Args:
        value: The id.
        what: Name of the field, for the message.
        where: File and entry, for the message.

    Raises:
        ConversionError: If it is neither a text nor a whole number.
    """
    if type(value) is float and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ConversionError(
            f"{where}: {what!r} must be a whole number or a text, got {shorten(value)}"
        )
    return value if isinstance(value, str) else shorten(value)
