"""Write a label space as a file that people can read and change."""

import json
from collections.abc import Mapping
from typing import Any

from .label_space_file import parse_label_space


def format_label_space(content: Mapping[str, Any], *, origin: str) -> str:
    """Format the content of a label-space file: one category to the line.

    Args:
        content: What the file is to hold.
        origin: Used in messages.

    Returns:
        JSON text.

    Raises:
        TaxonomyError: If the content breaks a rule of the format.
    """
    parse_label_space(dict(content), origin=origin)
    lines = [
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},"
        for key, value in content.items()
        if key != "categories"
    ]
    rows = [json.dumps(row, ensure_ascii=False) for row in content["categories"]]
    lines += ['  "categories": [', ",\n".join(f"    {row}" for row in rows), "  ]"]
    return "{\n" + "\n".join(lines) + "\n}\n"
