"""Plots show the numbers they are given."""

import json
import os

import numpy as np
import pytest

from tmt_vis.visualization import (
    plot_ap,
    plot_losses,
    plot_taxonomy,
    plots,
    read_scalars,
    smooth,
)


@pytest.fixture
def figure(monkeypatch):
    """Catch the figure instead of rendering it."""
    caught = []
    monkeypatch.setattr(plots, "_save", lambda figure, path: caught.append(figure))
    return lambda: caught[-1]


def write_log(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def training_log(path):
    return write_log(
        path,
        [
            {
                "loss": 20 * 0.5**i,
                "d0.loss_mask": 4 - 0.1 * i,
                "d1.loss_mask": 3 - 0.1 * i,
                "loss_mask": 2 - 0.1 * i,
                "d0.loss_taxo": 1.0,
                "lr": 1e-4,
                "step": 10 * (i + 1),
            }
            for i in range(8)
        ]
        + [{"ytvis19/AP": 0.3, "ovis/APl": float("nan"), "step": 80}],
    )


def test_scalars_are_read_by_name(tmp_path):
    scalars = read_scalars(training_log(tmp_path / "vis_data" / "scalars.json"))
    steps, values = scalars["loss_mask"]
    assert steps.tolist() == [10, 20, 30, 40, 50, 60, 70, 80]
    assert values[:2].tolist() == [2.0, 1.9]
    assert scalars["ytvis19/AP"] == (np.array([80]), np.array([0.3]))
    assert np.isnan(scalars["ovis/APl"][1][0])


def test_newest_log_of_a_folder(tmp_path):
    old = write_log(tmp_path / "a" / "scalars.json", [{"loss": 1, "iter": 5}])
    write_log(tmp_path / "b" / "scalars.json", [{"loss": 2, "iter": 6}])
    os.utime(old, (1, 1))
    assert read_scalars(tmp_path)["loss"][1].tolist() == [2]
    (tmp_path / "c").mkdir()
    with pytest.raises(FileNotFoundError, match="did training start"):
        read_scalars(tmp_path / "c")


def test_damaged_logs_are_named(tmp_path):
    path = tmp_path / "scalars.json"
    path.write_text('{"loss": 1, "step": 1}\n{"loss": 1, "st')
    with pytest.raises(ValueError, match="line 2 is not JSON"):
        read_scalars(path)
    path.write_text("\n")
    with pytest.raises(ValueError, match="no scalars with a step"):
        read_scalars(path)


def test_smoothing_does_not_lag_and_skips_nan():
    line = np.linspace(10, 0, 200)
    np.testing.assert_allclose(smooth(line)[20:-20], line[20:-20], atol=1e-9)
    np.testing.assert_allclose(smooth(np.full(200, 3.0)), 3.0)
    noisy = np.random.default_rng(0).normal(size=200)
    assert smooth(noisy).std() < 0.5 * noisy.std()
    holes = np.where(np.arange(200) % 7 == 0, np.nan, line)
    np.testing.assert_allclose(smooth(holes), smooth(line), atol=0.3)
    short = np.array([3.0, 1.0])
    assert np.array_equal(smooth(short), short)


def test_losses_have_a_panel_per_term(tmp_path, figure):
    path = training_log(tmp_path / "scalars.json")
    plot_losses(tmp_path / "a.png", read_scalars(path))
    panels = [panel for panel in figure().axes if panel.axison]
    titles = [panel.get_title(loc="left") for panel in panels]
    assert titles == ["loss", "loss_mask  (+ 2 earlier)", "d0.loss_taxo"]
    assert [panel.get_yscale() for panel in panels] == ["log", "linear", "linear"]
    bold = max(panels[1].lines, key=lambda line: line.get_linewidth())
    assert bold.get_ydata()[0] == 2.0
    with pytest.raises(ValueError, match="no loss"):
        plot_losses(tmp_path / "a.png", {"lr": (np.zeros(1), np.zeros(1))})


def test_taxonomy_bars_are_ranked_and_marked(tmp_path, figure):
    plot_taxonomy(
        tmp_path / "a.png",
        ["dog", "giant_panda", "cat"],
        [0.2, 0.9, 0.5],
        present=["giant_panda", "surfboard"],
    )
    (panel,) = figure().axes
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["giant panda", "cat", "dog"]
    assert [bar.get_width() for bar in panel.patches] == [0.9, 0.5, 0.2]
    colors = [bar.get_facecolor() for bar in panel.patches]
    assert colors[0] != colors[1] == colors[2]
    assert "missed: surfboard" in panel.get_xlabel()
    with pytest.raises(ValueError, match="2 names and 1 scores"):
        plot_taxonomy(tmp_path / "a.png", ["a", "b"], [1.0])


def test_ap_bars_are_percent_with_differences(tmp_path, figure):
    runs = {
        "joint": {"ytvis19/AP": 0.472, "ovis/AP": 0.172, "ovis/AP50": 0.3},
        "tmt": {"ytvis19/AP": 0.497, "ovis/AP": float("nan")},
    }
    plot_ap(tmp_path / "a.png", runs, baseline="joint")
    (panel,) = figure().axes
    heights = [bar.get_height() for bar in panel.patches]
    assert heights[:3] == pytest.approx([47.2, 17.2, 49.7])
    ticks = [tick.get_text() for tick in panel.get_xticklabels()]
    assert ticks == ["ytvis19", "ovis"]
    texts = [text.get_text() for text in panel.texts]
    assert texts[:3] == ["47.2", "17.2", "49.7\n(+2.5)"]
    with pytest.raises(ValueError, match="baseline 'x'"):
        plot_ap(tmp_path / "a.png", runs, baseline="x")
    with pytest.raises(ValueError, match="'/AR1'"):
        plot_ap(tmp_path / "a.png", runs, metric="AR1")


def test_files_are_written_and_do_not_change(tmp_path):
    for name in ("a", "b"):
        plot_taxonomy(tmp_path / "new" / f"{name}.png", ["dog"], [0.5])
    data = [(tmp_path / "new" / f"{name}.png").read_bytes() for name in ("a", "b")]
    assert data[0] == data[1]
    assert data[0].startswith(b"\x89PNG")
