"""Results as a table for people and as plain data for machines."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .ap_table import APTable


def class_rows(table: APTable, names: Sequence[str]) -> list[dict[str, Any]]:
    """List AP, AP50 and the counts of every category, in slot order.

    Args:
        table: The outcome; K categories.
        names: K category names.

    Returns:
        One dict per category: name, AP, AP50 (fractions or NaN), num_objects,
        num_tracks.
    """
    ap, ap50 = table.class_ap(), table.class_ap(iou=0.5)
    return [
        {
            "name": name,
            "AP": float(ap[slot]),
            "AP50": float(ap50[slot]),
            "num_objects": int(table.num_objects[slot]),
            "num_tracks": int(table.num_tracks[slot]),
        }
        for slot, name in enumerate(names)
    ]


def format_classes(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay the categories out as a text table, AP in percent.

    Categories without objects cannot have an AP and get a dash.
    """
    width = max([len("category"), *(len(row["name"]) for row in rows)])
    header = (
        f"{'category':<{width}}  {'AP':>5}  {'AP50':>5}  {'objects':>7}  {'tracks':>6}"
    )
    lines = [header, "-" * len(header)]
    lines += [
        f"{row['name']:<{width}}  {_percent(row['AP']):>5}  {_percent(row['AP50']):>5}"
        f"  {row['num_objects']:>7}  {row['num_tracks']:>6}"
        for row in rows
    ]
    return "\n".join(lines)


def format_summary(numbers: Mapping[str, float]) -> str:
    """Write metrics in one line, in percent: ``AP 49.7  AP50 73.4  ...``."""
    return "  ".join(f"{name} {_percent(value)}" for name, value in numbers.items())


def without_nan(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Replace NaN by None, because JSON has no NaN."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in numbers.items()
    }


def _percent(fraction: float) -> str:
    return "-" if math.isnan(fraction) else f"{100 * fraction:.1f}"
