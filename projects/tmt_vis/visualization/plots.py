"""Plots of training and results, from the files MMEngine writes.

Figures are made without pyplot: nothing global, nothing to close, any thread.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from tmt_vis.files import replacing

from .scalars import Curve, smooth

_MAIN = "#1f4e79"
_FAINT = "#9db8d2"
_TRUE = "#d55e00"
_LAYER = re.compile(r"d(\d+)\.")
# Grey for what one compares with, blue for what one compares; then Okabe & Ito.
_RUNS = ("#9aa5b1", "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")


def plot_losses(path: str | Path, scalars: Mapping[str, Curve]) -> None:
    """Plot the total loss and a panel per term, the layers of a term together.

    The last decoder layer is drawn bold, earlier ones (``d0.loss_mask`` ...) faint. The
    value axis is logarithmic where a curve spans more than a factor of eight.

    Args:
        path: Picture to write.
        scalars: From :func:`read_scalars`; names with ``loss`` are used.

    Raises:
        ValueError: If no loss was logged.
    """
    terms: dict[str, list[tuple[str, Curve]]] = {}
    for name, curve in scalars.items():
        term = _LAYER.sub("", name)
        if term.startswith("loss"):
            terms.setdefault(term, []).append((name, curve))
    if not terms:
        raise ValueError(f"no loss among the scalars {sorted(scalars)[:10]}")
    order = sorted(terms, key=lambda term: (term != "loss", term))
    axes, figure = _panels(len(order))
    for panel, term in zip(axes, order, strict=True):
        # d0, d1, ... and the last layer, which has no number, at the end.
        _plot_term(
            panel, sorted(terms[term], key=lambda item: (item[0] == term, item[0]))
        )
    _save(figure, path)


def plot_taxonomy(
    path: str | Path,
    names: Sequence[str],
    scores: Sequence[float],
    *,
    present: Sequence[str] = (),
    title: str = "compiled taxonomy",
) -> None:
    """Plot the categories the compilation module chose for a video (Fig. 3 of TMT-VIS).

    Args:
        path: Picture to write.
        names: The N_T compiled categories.
        scores: Their N_T scores.
        present: Categories that are in the video; highlighted, and named if missed.
        title: Above the bars, e.g. the video's name.

    Raises:
        ValueError: If there are not as many scores as names, or none.
    """
    if len(names) != len(scores) or not names:
        raise ValueError(f"got {len(names)} names and {len(scores)} scores")
    order = np.argsort(-np.asarray(scores, dtype=float), kind="stable")
    figure = Figure(figsize=(5.2, 1.1 + 0.28 * len(names)), layout="constrained")
    panel = figure.subplots()
    ranked = [names[i] for i in order]
    values = [float(scores[i]) for i in order]
    colors = [_TRUE if name in present else _FAINT for name in ranked]
    bars = panel.barh(range(len(ranked)), values, color=colors)
    panel.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
    panel.set_yticks(range(len(ranked)), [name.replace("_", " ") for name in ranked])
    for label, name in zip(panel.get_yticklabels(), ranked, strict=True):
        if name in present:
            label.set(color=_TRUE, fontweight="bold")
    panel.invert_yaxis()
    panel.set_xlim(right=max(values) * 1.15 if max(values) > 0 else None)
    missed = [name for name in present if name not in names]
    note = f"missed: {', '.join(missed)}" if missed else "orange: in the video"
    panel.set_xlabel(f"score   ({note})", fontsize=9)
    panel.set_title(title, fontsize=10, loc="left")
    _unbox(panel)
    _save(figure, path)


def plot_ap(
    path: str | Path,
    results: Mapping[str, Mapping[str, float]],
    *,
    metric: str = "AP",
    baseline: str | None = None,
) -> None:
    """Plot the AP of several runs on several datasets as grouped bars.

    Args:
        path: Picture to write.
        results: Run name -> metrics as ``MultiDatasetVISEvaluator`` reports them
            (``ytvis19/AP`` ..., fractions).
        metric: What follows the slash.
        baseline: Run whose difference is written above the bars of the others.

    Raises:
        ValueError: If no run reports the metric, or ``baseline`` is no run.
    """
    if baseline is not None and baseline not in results:
        raise ValueError(f"baseline {baseline!r} is not among {list(results)}")
    ending = f"/{metric}"
    datasets = _datasets(results, ending)
    if not datasets:
        raise ValueError(f"no run reports a metric that ends in {ending!r}")
    width = 0.8 / len(results)
    size = (1.6 + 1.1 * len(datasets) * max(1, len(results) / 2), 3.2)
    figure = Figure(figsize=size, layout="constrained")
    panel = figure.subplots()
    for index, (run, metrics) in enumerate(results.items()):
        values = [100 * metrics.get(name + ending, np.nan) for name in datasets]
        x = np.arange(len(datasets)) + (index - (len(results) - 1) / 2) * width
        color = _RUNS[(index + (len(results) == 1)) % len(_RUNS)]
        bars = panel.bar(x, values, width=0.92 * width, label=run, color=color)
        base = results.get(baseline) if baseline != run else None
        panel.bar_label(
            bars, _ap_labels(values, base, datasets, ending), padding=2, fontsize=8
        )
    panel.set_xticks(range(len(datasets)), datasets)
    panel.set_ylabel(f"{metric} (%)")
    panel.margins(y=0.15)
    if len(results) > 1:
        panel.legend(
            frameon=False,
            fontsize=9,
            ncols=len(results),
            loc="lower left",
            bbox_to_anchor=(0, 1),
        )
    _unbox(panel)
    _save(figure, path)


def _datasets(results: Mapping[str, Mapping[str, float]], ending: str) -> list[str]:
    """List the datasets any run reports, in order of first appearance."""
    names = [name for run in results.values() for name in run if name.endswith(ending)]
    return list(dict.fromkeys(name.removesuffix(ending) for name in names))


def _ap_labels(
    values: Sequence[float],
    base: Mapping[str, float] | None,
    datasets: Sequence[str],
    ending: str,
) -> list[str]:
    """Write the value and, under a baseline, the difference to it."""
    labels = []
    for value, name in zip(values, datasets, strict=True):
        text = "-" if np.isnan(value) else f"{value:.1f}"
        if base is not None and name + ending in base:
            text += f"\n({value - 100 * base[name + ending]:+.1f})"
        labels.append(text)
    return labels


def _panels(count: int) -> tuple[list[Axes], Figure]:
    columns = min(count, 3)
    rows = -(-count // columns)
    figure = Figure(figsize=(3.6 * columns, 2.5 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in grid[count:]:
        unused.set_axis_off()
    return grid[:count], figure


def _plot_term(panel: Axes, curves: list[tuple[str, Curve]]) -> None:
    """Plot all layers of one loss term; the last of the list is the main one."""
    low, high = np.inf, -np.inf
    for name, (steps, values) in curves:
        is_main = name == curves[-1][0]
        smoothed = smooth(values)
        if is_main:
            panel.plot(steps, values, color=_FAINT, linewidth=0.6, alpha=0.5)
        panel.plot(
            steps,
            smoothed,
            color=_MAIN if is_main else _FAINT,
            linewidth=1.8 if is_main else 0.9,
            zorder=3 if is_main else 2,
        )
        low = min(low, np.nanmin(smoothed))
        high = max(high, np.nanmax(smoothed))
    if 0 < 8 * low < high:
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panel.yaxis.set_minor_locator(NullLocator())
    note = f"  (+ {len(curves) - 1} earlier)" if len(curves) > 1 else ""
    panel.set_title(curves[-1][0] + note, fontsize=10, loc="left")
    panel.set_xlabel("iteration", fontsize=8)
    panel.tick_params(labelsize=8)
    panel.grid(alpha=0.25)
    _unbox(panel)


def _unbox(panel: Axes) -> None:
    panel.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, path: str | Path) -> None:
    metadata: dict[str, Any] = {"Software": None}  # else the same plot, other bytes
    with replacing(path) as draft:
        figure.savefig(draft, dpi=150, metadata=metadata)
