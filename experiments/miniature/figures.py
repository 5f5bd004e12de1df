"""The tables as pictures: every seed is a dot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from .grid import DATASETS, TABLES, Setting
from .probe import RANKS
from .report import COLUMNS, SHORT, Results

COLOURS = {"m2f": "#8a8f98", "tmt": "#c2410c"}
OTHER = "#1d4ed8"


def draw_settings(results: Results, settings: Sequence[Setting], path: Path) -> None:
    """Draw AP of settings, one panel per dataset.

    Args:
        results: of the runs.
        settings: the rows, first on top.
        path: of the picture.
    """
    height = 1.2 + 0.32 * len(settings)
    figure, axes = plt.subplots(
        1, len(COLUMNS), figsize=(11, height), sharey=True, layout="constrained"
    )
    places = np.arange(len(settings))[::-1]
    for axis, column in zip(axes, COLUMNS, strict=True):
        for place, setting in zip(places, settings, strict=True):
            values = list(results.metric(setting, column).values())
            colour = COLOURS.get(setting.method, OTHER)
            axis.plot(
                values, [place] * len(values), "o", color=colour, alpha=0.45, ms=5
            )
            if values:
                axis.plot(np.mean(values), place, "|", color=colour, ms=16, mew=2.5)
        axis.set_title(SHORT[column], fontsize=10)
        axis.grid(axis="x", alpha=0.25)
        axis.spines[["top", "right", "left"]].set_visible(False)
        # From zero: a close-up would make a hundredth of a point look like a victory.
        axis.set_xlim(0, 1.1 * max(axis.get_xlim()[1], 1))
        axis.set_ylim(-0.6, len(settings) - 0.4)
    axes[0].set_yticks(places, [f"{s.method} ({s.letters})" for s in settings])
    figure.supxlabel("AP on held-out videos; dot = seed, bar = mean", fontsize=9)
    _save(figure, path)


def draw_table3(results: Results, path: Path) -> None:
    """Draw AP of naive joint training and TMT-VIS over the training datasets."""
    mixes = list(dict.fromkeys(s.train_sets for s in TABLES["table3"]))
    figure, axes = plt.subplots(
        1, len(COLUMNS), figsize=(12, 3.2), sharey=True, layout="constrained"
    )
    for axis, column in zip(axes, COLUMNS, strict=True):
        for shift, method in ((-0.15, "m2f"), (0.15, "tmt")):
            for place, mix in enumerate(mixes):
                values = list(results.metric(Setting(method, mix), column).values())
                if not values:
                    continue
                x, colour = place + shift, COLOURS[method]
                axis.bar(x, np.mean(values), 0.28, color=colour, alpha=0.55)
                axis.plot([x] * len(values), values, ".", color=colour, ms=5)
        axis.set_xticks(range(len(mixes)), [Setting("tmt", m).letters for m in mixes])
        tested = SHORT[column] if column in DATASETS else "all, mean"
        axis.set_title(f"tested on {tested}", fontsize=10)
        axis.grid(axis="y", alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("AP")
    for method, name in (("m2f", "Mask2Former-VIS, naive"), ("tmt", "TMT-VIS")):
        axes[0].bar(0, 0, color=COLOURS[method], alpha=0.55, label=name)
    figure.legend(fontsize=8, frameon=False, loc="outside upper right", ncols=2)
    figure.supxlabel("trained on (Y = YTVIS19, O = OVIS, U = UVO); dot = seed")
    _save(figure, path)


def draw_losses(results: Results, settings: Sequence[Setting], path: Path) -> None:
    """Draw the losses over the iterations, mean of the seeds.

    Args:
        results: of the runs.
        settings: one line each.
        path: of the picture.
    """
    names = {"loss_mask": "mask", "loss_cls": "class", "loss_taxo_comp": "compilation"}
    figure, axes = plt.subplots(1, len(names), figsize=(11, 3), layout="constrained")
    for axis, (name, title) in zip(axes, names.items(), strict=True):
        for setting in settings:
            colour = COLOURS.get(setting.method)
            _draw_curve(axis, results, setting, name, color=colour)
        axis.set_title(f"{title} loss", fontsize=10)
    axes[0].legend(fontsize=8, frameon=False)
    _save(figure, path)


def draw_recall(results: Results, settings: Sequence[Setting], path: Path) -> None:
    """Draw how many categories of a training clip TCM ranks first, over the iterations.

    Args:
        results: of the runs.
        settings: one line each; dashed, a ranking by frequency, which ignores the clip.
        path: of the picture.
    """
    figure, axes = plt.subplots(
        1, len(RANKS), figsize=(11, 3), sharey=True, layout="constrained"
    )
    settings = [s for s in settings if "oracle" not in s.method]  # ranks few
    for axis, count in zip(axes, RANKS, strict=True):
        for setting in settings:
            _draw_curve(axis, results, setting, f"recall@{count}")
        prior = f"recall_prior@{count}"
        style = dict(color="black", linestyle="--", linewidth=1)
        _draw_curve(axis, results, settings[0], prior, "by frequency", **style)
        axis.set_title(f"recall@{count}", fontsize=10)
        axis.set_ylim(0, 1.02)
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, fontsize=8, frameon=False, loc="outside right center")
    _save(figure, path)


def _draw_curve(
    axis: plt.Axes,
    results: Results,
    setting: Setting,
    name: str,
    label: str | None = None,
    **style: Any,
) -> None:
    """Draw one quantity of a setting; nothing if its runs do not have it."""
    curves = [r["curves"] for r in results.reports.get(setting, {}).values()]
    curves = [c for c in curves if name in c]
    if curves:
        mean = np.mean([c[name] for c in curves], axis=0)
        axis.plot(curves[0]["step"], mean, label=label or setting.method, **style)
    axis.set_xlabel("iteration")
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _save(figure: plt.Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
