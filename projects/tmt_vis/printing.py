"""Names and messages from files, made safe to print, and text tables."""

import unicodedata
from collections.abc import Sequence

# Joiners shape letters and emoji; they neither hide nor move other text.
_HARMLESS = "\u200c\u200d"


def printable(text: object) -> str:
    r"""Return text in which nothing acts on a terminal or breaks a line.

    Names of categories and videos come from files. Printed as they are, ``\x1b[2J``
    clears the screen, ``\r\n`` forges a row of a table, U+202E turns text around, and a
    lone surrogate cannot be printed at all.

    Args:
        text: Anything; ``str(text)`` is shown.

    Returns:
        The text with control, format and unassigned characters, line separators and
        surrogates as escapes, e.g. ``\x1b``. Other text is unchanged.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def one_line(message: object) -> str:
    """Join a message to one line that is safe to print.

    Args:
        message: An exception or a text, possibly of several lines.
    """
    return printable(" ".join(str(message).split()))


def format_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int | None = None
) -> str:
    """Align columns.

    Args:
        header: Titles.
        rows: Cells.
        left: Columns that are aligned on the left; None means all.
    """
    table = [tuple(header), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    left = len(widths) if left is None else left
    lines = [
        "  ".join(
            f"{cell:<{width}}" if index < left else f"{cell:>{width}}"
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in table
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _shown(character: str) -> str:
    if character.isprintable() or character in _HARMLESS:
        return character
    if unicodedata.category(character) == "Zs":  # a wide or a no-break space
        return character
    return character.encode("unicode_escape").decode("ascii")
