"""Plots of two runs category by category, and of confused categories."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .plots import _MAIN, _RUNS, _TRUE, _save, _unbox

_ROW = 0.24  # inches per category
_MOST_LABELLED = 40  # categories beyond which cells of a matrix are too small for text


@dataclass(frozen=True)
class ComparedCategory:
    """One row of :func:`plot_comparison`; AP in [0, 1].

    Args:
        name: Of the category.
        note: Behind the name, e.g. the label spaces that have it.
        marked: Draw it in the second colour.
        first: AP of the first run.
        second: AP of the second run.
        low: Lower end of the interval of the difference; NaN = unknown.
        high: Upper end.
    """

    name: str
    note: str
    marked: bool
    first: float
    second: float
    low: float
    high: float


def plot_comparison(
    path: str | Path,
    rows: Sequence[ComparedCategory],
    *,
    names: tuple[str, str],
    title: str = "",
    legend: tuple[str, str] | None = None,
) -> None:
    """Plot AP per category of two runs, and the differences with their intervals.

    Args:
        path: Picture to write.
        rows: From top to bottom.
        names: Of the runs.
        title: Above the picture.
        legend: What is said of other and of marked rows; None if none is marked.

    Raises:
        ValueError: If there is no row.
    """
    if not rows:
        raise ValueError("no category has objects: there is nothing to compare")
    height = 1.5 + _ROW * len(rows)
    figure = Figure(figsize=(9.5, height), layout="constrained")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.2, 1))
    y = np.arange(len(rows))
    pair = 100 * np.array([[row.first, row.second] for row in rows])
    left.hlines(y, pair.min(axis=1), pair.max(axis=1), color="#c8d0d8", linewidth=2)
    for column, color in enumerate(_RUNS[:2]):
        left.scatter(
            pair[:, column], y, s=24, color=color, label=names[column], zorder=3
        )
    left.set_xlabel("AP (%)", fontsize=9)
    left.set_xlim(-2, 102)
    left.set_yticks(y, [_row_name(row) for row in rows], fontsize=8)
    left.set_ylim(len(rows) - 0.4, -0.6)
    left.legend(
        frameon=False,
        fontsize=9,
        ncols=2,
        loc="lower left",
        bbox_to_anchor=(0, 1),
    )
    _plot_differences(right, rows, pair[:, 1] - pair[:, 0], legend)
    right.set_xlabel(f"{names[1]} - {names[0]} (points), 95 %", fontsize=9)
    for panel in (left, right):
        panel.tick_params(axis="x", labelsize=8)
        panel.grid(axis="x", alpha=0.25)
        _unbox(panel)
    right.tick_params(axis="y", length=0)
    _save(figure, path)


def _row_name(row: ComparedCategory) -> str:
    name = row.name.replace("_", " ")
    return f"{name}  ({row.note})" if row.note else name


def _plot_differences(
    panel: Axes,
    rows: Sequence[ComparedCategory],
    difference: np.ndarray,
    legend: tuple[str, str] | None,
) -> None:
    y = np.arange(len(rows))
    marked = np.array([row.marked for row in rows])
    labels = legend or (None, None)
    for members, color, label in zip(
        (~marked, marked), (_MAIN, _TRUE), labels, strict=True
    ):
        if members.any():
            panel.barh(
                y[members], difference[members], color=color, alpha=0.75, label=label
            )
    ends = 100 * np.array([[row.low, row.high] for row in rows])
    panel.hlines(y, ends[:, 0], ends[:, 1], color="#333333", linewidth=1)
    panel.axvline(0, color="black", linewidth=0.8)
    if legend:
        panel.legend(
            frameon=False,
            fontsize=9,
            ncols=2,
            loc="lower left",
            bbox_to_anchor=(0, 1),
        )


def plot_confusion(
    path: str | Path,
    counts: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str = "",
) -> None:
    """Plot a confusion matrix, each row divided by its sum.

    Args:
        path: Picture to write.
        counts: (r, c) tubes.
        rows: r titles: what the objects are.
        columns: c titles: what the tracks say.
        title: Above the picture.

    Raises:
        ValueError: If the shape does not fit the titles.
    """
    if counts.shape != (len(rows), len(columns)) or not counts.size:
        raise ValueError(
            f"{counts.shape} counts for {len(rows)} x {len(columns)} names"
        )
    sums = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(sums, 1)
    cell = 0.36 if len(rows) <= _MOST_LABELLED else 0.2
    size = (2.6 + cell * len(columns), 2.2 + cell * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    panel = figure.subplots()
    image = panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    bar = figure.colorbar(image, shrink=min(1, 3 / size[1]), aspect=15, pad=0.02)
    bar.set_label("share of the row", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    titles = [name.replace("_", " ") for name in columns]
    panel.set_xticks(range(len(columns)), titles, rotation=90, fontsize=8)
    titles = [
        f"{name.replace('_', ' ')} ({int(total)})"
        for name, total in zip(rows, sums[:, 0], strict=True)
    ]
    panel.set_yticks(range(len(rows)), titles, fontsize=8)
    panel.set_xlabel("predicted", fontsize=9)
    panel.set_ylabel("object (tubes)", fontsize=9)
    panel.set_title(title, fontsize=10, loc="left")
    # What is no category stands apart.
    panel.axhline(len(rows) - 1.5, color="black", linewidth=0.8)
    panel.axvline(len(columns) - 1.5, color="black", linewidth=0.8)
    if len(rows) <= _MOST_LABELLED:
        _write_shares(panel, shares)
    _save(figure, path)


def _write_shares(panel: Axes, shares: np.ndarray) -> None:
    """Write each share of at least half a percent into its cell, in percent."""
    for row, column in np.argwhere(shares >= 0.005).tolist():
        share = shares[row, column]
        ink = "white" if share > 0.6 else "black"
        text = f"{100 * share:.0f}"
        panel.text(column, row, text, ha="center", va="center", fontsize=7, color=ink)
