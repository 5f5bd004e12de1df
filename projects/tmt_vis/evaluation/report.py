"""Results as a table for people and as plain data for machines."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tmt_vis.printing import printable
from tmt_vis.taxonomy import LabelSpace

from .ap_table import APTable
from .tracking import TrackingTable


def partition_ap(table: APTable, label_space: LabelSpace) -> dict[str, float]:
    """Split AP by the partitions of a label space.

    Returns:
        ``AP_base`` and ``AP_novel`` for LV-VIS; empty without partitions.
    """
    every = np.arange(len(label_space))
    return {
        f"AP_{part}": table.ap(slots=np.isin(every, slots))
        for part, slots in label_space.partitions.items()
    }


def class_rows(
    table: APTable,
    names: Sequence[str],
    *,
    boundary: APTable | None = None,
    tracking: TrackingTable | None = None,
) -> list[dict[str, Any]]:
    """List AP, AP50 and the counts of every category, in slot order.

    Args:
        table: The outcome; K categories.
        names: K category names.
        boundary: The outcome for boundaries; adds AP_boundary.
        tracking: Tracking metrics; adds HOTA, DetA and AssA.

    Returns:
        One dict per category: name, AP, AP50 (fractions or NaN), what the options add,
        num_objects, num_tracks.
    """
    columns: dict[str, Sequence[Any]] = {"name": names, "AP": table.class_ap().tolist()}
    columns["AP50"] = table.class_ap(iou=0.5).tolist()
    if boundary is not None:
        columns["AP_boundary"] = boundary.class_ap().tolist()
    if tracking is not None:
        for field in ("HOTA", "DetA", "AssA"):
            columns[field] = [row[field] for row in tracking.per_class]
    columns["num_objects"] = table.num_objects.tolist()
    columns["num_tracks"] = table.num_tracks.tolist()
    cells = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in cells]


def format_classes(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay the categories out as a text table, fractions in percent.

    Categories without objects cannot have an AP and get a dash.

    Args:
        rows: What ``class_rows`` returns; at least one.
    """
    # From files: a name with control characters could forge a row.
    names = [printable(row["name"]) for row in rows]
    width = max([len("category"), *map(len, names)])
    keys = [key for key in rows[0] if key != "name"]
    titles = [key.removeprefix("num_") for key in keys]
    header = "  ".join([f"{'category':<{width}}", *(f"{t:>5}" for t in titles)])
    lines = [header, "-" * len(header)]
    for name, row in zip(names, rows, strict=True):
        cells = [f"{name:<{width}}"]
        for key, title in zip(keys, titles, strict=True):
            cells.append(f"{_cell(row[key]):>{max(len(title), 5)}}")
        lines.append("  ".join(cells))
    return "\n".join(lines)


def format_summary(numbers: Mapping[str, float]) -> str:
    """Write metrics in one line, fractions in percent: ``AP 49.7  AP50 73.4  ...``."""
    return "  ".join(f"{name} {_cell(value)}" for name, value in numbers.items())


def without_nan(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Replace NaN by None, because JSON has no NaN."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in numbers.items()
    }


def _cell(value: float | int) -> str:
    """Write a fraction in percent and a number as it is."""
    if isinstance(value, int):
        return str(value)
    return "-" if math.isnan(value) else f"{100 * value:.1f}"
