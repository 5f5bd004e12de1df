"""A new label space for categories that come from a labelling tool."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tmt_vis.taxonomy import LabelSpace, TaxonomyError, bundled_names
from tmt_vis.taxonomy.label_space_file import parse_label_space
from tmt_vis.taxonomy.label_space_writer import format_label_space

from ..errors import ConversionError


class LabelSpaceContent(NamedTuple):
    """A label space, and the text of its file."""

    label_space: LabelSpace
    json: str


def label_space_content(name: str, names: Sequence[str]) -> LabelSpaceContent:
    """Number categories from 1 in the order given; no links, no prompts.

    Args:
        name: Name of the label space.
        names: Category names.

    Raises:
        ConversionError: If there is no category, or names break a rule.
    """
    if not names:
        raise ConversionError(
            "no object was found, so there is no category to make a label space of"
        )
    if name in bundled_names():
        raise ConversionError(
            f"the label space cannot be called {name!r}, which is a bundled one; give "
            "another with --name, or use that one with --label-space"
        )
    rows = [{"source_id": i, "name": text} for i, text in enumerate(names, start=1)]
    content = {"name": name, "categories": rows}
    try:
        space = parse_label_space(content, origin=f"label space {name!r}")
    except TaxonomyError as error:
        raise ConversionError(f"categories of the source: {error}") from error
    return LabelSpaceContent(space, format_label_space(content, origin=name))


def allowed_name(text: str) -> str:
    """Turn a folder's name into one that a label space may have."""
    name = re.sub(r"[^a-z0-9_.-]+", "_", text.lower()).strip("_.-")
    return name or "my_videos"
