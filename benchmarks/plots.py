"""Plots of the results, without pyplot."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from tmt_vis.files import replacing

Results = Sequence[Mapping[str, Any]]
_COLORS = dict(met="#009e73", close="#e69f00", missed="#d55e00", reported="#0072b2")
_LEGEND = dict(met="target met", close="within 10 %", missed="target missed")


def plot_ratios(path: Path, results: Results) -> None:
    """Draw A / B of every row with its quartiles and its target.

    Args:
        path: picture to write.
        results: as read from the JSON files.
    """
    rows = [
        (result["name"], row)
        for result in results
        for row in result["rows"]
        if row["ratio"] and row["ratio"][0] > 0
    ]
    figure = Figure(figsize=(9, 1.2 + 0.36 * max(1, len(rows))), layout="constrained")
    axes = figure.subplots()
    for place, (_, row) in enumerate(rows):
        _draw(axes, place, row)
    labels = [f"{name}  {_short(row['size'])}" for name, row in rows]
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.invert_yaxis()
    _style(axes)
    verdicts = {row["verdict"] for _, row in rows}
    shown = [
        Patch(color=_COLORS[v], label=_LEGEND[v]) for v in _LEGEND if v in verdicts
    ]
    if shown:
        mark = dict(color="k", marker="|", markersize=11, markeredgewidth=2)
        shown.append(Line2D([], [], linestyle="", label="target", **mark))
        place = "outside upper right"
        figure.legend(handles=shown, loc=place, ncols=len(shown), fontsize=8)
    _save(figure, path)


def _draw(axes: Axes, place: int, row: Mapping[str, Any]) -> None:
    middle, low, high = row["ratio"]
    axes.barh(place, middle - 1, left=1, color=_COLORS[row["verdict"]], height=0.62)
    axes.hlines(place, low, high, color="#222222", linewidth=1.2)
    target = row["target"] and row["target"]["ratio"]
    if target:
        axes.plot([target], [place], "k|", markersize=11, markeredgewidth=2)
    ends = max(high, middle, 1.0)
    if target and ends < target < 1.6 * ends:
        ends = target  # the number would lie on the mark
    axes.annotate(
        f"{middle:.3g}",
        (ends, place),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )


def _style(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvline(1, color="#222222", linewidth=0.8)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.8), high * 1.6)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("reference / ours (time, bytes, counts), logarithmic; 1 = equal")


def _short(size: str, length: int = 46) -> str:
    return size if len(size) <= length else f"{size[: length - 1]}…"


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as draft:
        figure.savefig(draft, dpi=110)
