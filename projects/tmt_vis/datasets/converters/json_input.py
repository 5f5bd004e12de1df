"""JSON files of strangers: read with errors that name the file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConversionError


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
    """Return a field of the right type.

    Args:
        table: The object.
        key: Name of the field.
        kind: Type or types it may have.
        where: File and entry, for the message.

    Raises:
        ConversionError: If it is missing or of another type.
    """
    value = table.get(key) if isinstance(table, Mapping) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        names = " or ".join(one.__name__ for one in kinds)
        raise ConversionError(f"{where}: {key!r} must be a {names}, got {value!r:.60}")
    return value
