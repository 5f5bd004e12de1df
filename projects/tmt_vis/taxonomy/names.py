"""How category names are compared, displayed and read aloud."""

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache

_SEPARATORS = re.compile(r"[\s_\-]+")


@lru_cache(maxsize=8192)  # each union asks for some 3,000 names, the same every time
def normalise_name(name: str) -> str:
    """Return the form under which two spellings count as one name.

    Case is folded; runs of spaces, underscores and hyphens become one underscore.

    Args:
        name: A category name as some file spells it.

    Returns:
        The normalised name, e.g. ``'Giant panda'`` -> ``'giant_panda'``.
    """
    return _SEPARATORS.sub("_", name.strip()).casefold()


def spoken_name(name: str) -> str:
    """Return a name as it would stand in a sentence, for prompts.

    Hyphens stay: they belong to the word (``t-shirt``), underscores do not.

    Args:
        name: A category name as some file spells it.

    Returns:
        The name with spaces for underscores, in lower case.
    """
    return " ".join(name.replace("_", " ").split()).lower()


def quoted(name: str) -> str:
    """Return a name as messages show it: escaped, and cut if it is very long."""
    return repr(name if len(name) <= 100 else f"{name[:97]}...")


def nearest_names(name: str, known: Iterable[str]) -> str:
    """Describe which known names come closest to an unknown one.

    Args:
        name: The unknown name.
        known: The names it may have been meant to be.

    Returns:
        ``"nearest: 'a', 'b'"``, or ``'nothing similar is known'``.
    """
    if len(name) > 1000:  # no name; comparing it would take long
        return "nothing similar is known"
    by_normalised = {normalise_name(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(normalise_name(name), by_normalised, n=3)
    if not close:
        return "nothing similar is known"
    return "nearest: " + ", ".join(quoted(by_normalised[match]) for match in close)
