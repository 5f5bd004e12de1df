"""Plots of what the taxonomy compilation chose, over all videos of a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .plots import _FAINT, _MAIN, _RUNS, _save, _unbox

_FREQUENCY = _RUNS[3]


@dataclass(frozen=True, eq=False)
class CompiledDataset:
    """One row of :func:`plot_compilation`; K' categories.

    Args:
        name: Of the dataset.
        num_compiled: Categories compiled per video.
        curve: (n,) recall among the best 1 ... n categories.
        mean_curve: (K',) of the ranking by mean score.
        frequency_curve: (K',) of the ranking by frequency.
        categories: K' names.
        compiled_share: (K',) share of the videos.
        present_share: (K',) share of the videos.
        mean_logit: (K',) over videos.
        std_logit: (K',) over videos.
        notes: Title of each of the three panels.
    """

    name: str
    num_compiled: float
    curve: np.ndarray
    mean_curve: np.ndarray
    frequency_curve: np.ndarray
    categories: Sequence[str]
    compiled_share: np.ndarray
    present_share: np.ndarray
    mean_logit: np.ndarray
    std_logit: np.ndarray
    notes: tuple[str, str, str]


def plot_compilation(path: str | Path, datasets: Sequence[CompiledDataset]) -> None:
    """Plot recall@N, how often categories are compiled, and how scores vary.

    Args:
        path: Picture to write.
        datasets: One row of panels each.

    Raises:
        ValueError: If there is none.
    """
    if not datasets:
        raise ValueError("no dataset has a compiled taxonomy")
    size = (13, 3.9 * len(datasets))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(datasets), 3, squeeze=False)
    for panels, dataset in zip(grid, datasets, strict=True):
        _plot_recall(panels[0], dataset)
        _plot_frequency(panels[1], dataset)
        _plot_scores(panels[2], dataset)
        for panel, note in zip(panels, dataset.notes, strict=True):
            panel.set_title(note, fontsize=9, loc="left")
            panel.tick_params(labelsize=8)
            panel.grid(alpha=0.25)
            _unbox(panel)
    _save(figure, path)


def _plot_recall(panel: Axes, data: CompiledDataset) -> None:
    for curve, color, label, style in (
        (data.frequency_curve, _FREQUENCY, "ranked by frequency", "--"),
        (data.mean_curve, _RUNS[2], "ranked by mean score", "--"),
        (data.curve, _MAIN, "the model, per video", "-"),
    ):
        steps = np.arange(1, len(curve) + 1)
        panel.plot(steps, 100 * curve, style, color=color, label=label, linewidth=1.8)
    panel.axvline(data.num_compiled, color="#888888", linewidth=0.8, linestyle=":")
    panel.annotate(
        f" N_T = {data.num_compiled:g}",
        (data.num_compiled, 2),
        fontsize=8,
        color="#555",
    )
    panel.set_ylim(0, 103)
    panel.set_xlabel("best N categories", fontsize=9)
    panel.set_ylabel("recall (%)", fontsize=9)
    panel.legend(frameon=False, fontsize=8, loc="lower right")


def _plot_frequency(panel: Axes, data: CompiledDataset) -> None:
    x, y = 100 * data.present_share, 100 * data.compiled_share
    panel.plot([0, 100], [0, 100], color="#bbbbbb", linewidth=0.8)
    panel.scatter(x, y, s=16, color=_MAIN, alpha=0.8)
    panel.set_xlim(-2, max(10, 1.1 * np.nanmax(x, initial=0)))
    panel.set_ylim(-4, 108)
    panel.set_xlabel("videos that show the category (%)", fontsize=9)
    panel.set_ylabel("compiled for (%) of the videos", fontsize=9)
    _name_some(panel, x, y, data.categories)


def _plot_scores(panel: Axes, data: CompiledDataset) -> None:
    order = np.argsort(-data.mean_logit, kind="stable")
    x = np.arange(len(order))
    mean, spread = data.mean_logit[order], data.std_logit[order]
    panel.errorbar(
        x, mean, spread, fmt="o", markersize=3, color=_MAIN, ecolor=_FAINT, elinewidth=2
    )
    size = 7 if len(order) <= 30 else 5
    names = [data.categories[i].replace("_", " ") for i in order]
    panel.set_xticks(x, names, rotation=90, fontsize=size)
    panel.tick_params(axis="x", length=0)
    panel.set_ylabel("logit: mean and std over videos", fontsize=9)


def _name_some(panel: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    """Name the points farthest from the diagonal, as long as names do not collide."""
    placed: list[tuple[float, float]] = []
    width, height = (float(np.ptp(limits)) for limits in (panel.get_xlim(), (0, 100)))
    distance = np.where(np.isnan(x), -1.0, np.abs(y - x))
    for i in np.argsort(-distance, kind="stable")[:12]:
        near = any(
            abs(x[i] - a) < 0.3 * width and abs(y[i] - b) < 0.06 * height
            for a, b in placed
        )
        if distance[i] < 5 or near:
            continue
        placed.append((x[i], y[i]))
        panel.annotate(
            names[i].replace("_", " "),
            (x[i], y[i]),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=7,
        )
