"""A conversion as a file, and as lines for people."""

import io
from collections import Counter

import torch

from .conversion import Conversion
from .reading import SourceCheckpoint


def conversion_bytes(result: Conversion) -> bytes:
    """Make the content of a file that loads with torch's default settings."""
    buffer = io.BytesIO()
    torch.save(dict(meta=result.meta, state_dict=result.state_dict), buffer)
    return buffer.getvalue()


def describe_conversion(source: SourceCheckpoint, result: Conversion) -> list[str]:
    """Say what was read, what was left out and what became of the classifier.

    Args:
        source: The checkpoint.
        result: What it became.

    Returns:
        Lines.
    """
    counts = Counter(key.split(".")[0] for key in result.state_dict)
    info = result.meta["source"]
    lines = [
        f"{info['file']}: {info['architecture']}, sha256 {info['sha256']}",
        "converted: " + ", ".join(f"{n} of {room}" for room, n in counts.items()),
        f"ignored: {', '.join(result.ignored) or 'nothing'}",
    ]
    if source.other_entries:
        lines.append(f"besides the weights: {', '.join(source.other_entries)}")
    if result.rows is None:
        rows = len(result.state_dict["head.query_decoder.cls_embed.bias"])
        return [*lines, f"classifier: {rows} rows (with no-object), as they are"]
    rows = result.rows
    renamed = [f"{ours} = {theirs}" for ours, theirs in rows.copied if ours != theirs]
    lines.append(f"classifier: {len(rows.copied)} rows of {rows.label_space} copied")
    lists = (
        ("under another name", renamed),
        ("missing in the source, random", rows.missing),
        ("of the source, unused", rows.unused),
    )
    return lines + [f"  {len(x)} {what}: {', '.join(x)}" for what, x in lists if x]
