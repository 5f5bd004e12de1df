"""Single values of annotation and result files: read, or refused by rule."""

import reprlib
from collections.abc import Mapping
from typing import Any

_MAX_ID = 2**63 - 1  # ids live in int64 arrays


def read_flag(entry: Mapping[str, Any], key: str) -> bool:
    """Read a flag such as ``iscrowd`` or ``ignore``.

    Args:
        entry: The JSON object; a key that is missing is False.
        key: Name of the flag.

    Raises:
        ValueError: If the value is not 0, 1, true, false or null. The texts ``"0"``
            and ``"false"`` are true in Python; an object read as crowd is lost.
    """
    value = entry.get(key)
    if value is None or value is False or value is True:
        return bool(value)
    if type(value) is int and value in (0, 1):
        return value == 1
    raise ValueError(f"{key} must be 0, 1, true, false or null, got {shorten(value)}")


def read_id(entry: Mapping[str, Any], key: str) -> int:
    """Read an id: an integer of at most 63 bits.

    Args:
        entry: The JSON object.
        key: Name of the id.

    Raises:
        ValueError: If the value is missing, of another type or too large.
    """
    value = entry.get(key)
    if type(value) is not int:
        raise ValueError(f"{key} must be an integer, got {shorten(value)}")
    if not -_MAX_ID <= value <= _MAX_ID:
        raise ValueError(f"{key} must fit into 64 bits, got {shorten(value)}; renumber")
    return value


def read_size(entry: Mapping[str, Any], key: str) -> int:
    """Read a size or a count: an integer >= 0, possibly written as 48.0.

    Args:
        entry: The JSON object.
        key: Name of the size.

    Raises:
        ValueError: If the value is no such number.
    """
    value = entry.get(key)
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= _MAX_ID:
        raise ValueError(
            f"{key} must be an integer >= 0, got {shorten(entry.get(key))}"
        )
    return value


def with_slashes(file_name: str) -> str:
    """Spell a file name that may come from Windows with slashes."""
    return file_name.replace("\\", "/")


def shorten(value: Any) -> str:
    """Show a value of a file in a message: short, and on one line."""
    if type(value) is int and abs(value) > _MAX_ID:
        # str() refuses integers of more than 4,300 digits.
        return f"an integer of {value.bit_length()} bits"
    return reprlib.repr(value)
