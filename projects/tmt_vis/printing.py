"""Names and messages from files, made safe to print."""

import unicodedata

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


def _shown(character: str) -> str:
    if character.isprintable() or character in _HARMLESS:
        return character
    if unicodedata.category(character) == "Zs":  # a wide or a no-break space
        return character
    return character.encode("unicode_escape").decode("ascii")
