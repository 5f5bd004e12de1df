"""tools/analysis on files: tables, numbers, pictures, one-line errors."""

import json
import re

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from vis_files import perfect_predictions, write_annotations

from tmt_vis.evaluation import load_annotations, write_results
from tmt_vis.evaluation.taxonomy_record import TaxonomyRecord


@pytest.fixture
def files(tmp_path):
    ann = write_annotations(tmp_path / "ann.json", "ovis")
    annotations = load_annotations(ann)
    predictions = perfect_predictions(annotations)
    good = write_results(tmp_path / "good", predictions, annotations).zip_file
    del predictions[2]
    poor = write_results(tmp_path / "poor", predictions, annotations).json_file
    return dict(ann=ann, good=str(good), poor=str(poor))


def is_picture(path):
    with Image.open(path) as image:
        return np.ptp(np.asarray(image.convert("L"))) > 100


def test_compare_runs(load_tool, files, tmp_path, capsys):
    words = ["--ann", files["ann"], "--results", files["poor"], files["good"]]
    words += ["--label-space", "ovis", "--taxonomy", "ytvis19", "uvo"]
    words += ["--samples", "20", "--json", str(tmp_path / "r.json")]
    words += ["--plot", str(tmp_path / "r.png")]
    assert load_tool("analysis/compare_runs").main(words) == 0
    out = capsys.readouterr().out
    assert "second is better" in out and "*shared*" in out
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["overall"]["second"] == 1 > report["overall"]["first"]
    spaces = {c["name"]: c["label_spaces"] for c in report["categories"]}
    assert spaces["Person"] == ["ytvis19", "uvo", "ovis"]
    assert is_picture(tmp_path / "r.png")


def test_confusion(load_tool, files, tmp_path, capsys):
    words = ["--ann", files["ann"], "--results", files["poor"]]
    words += ["--json", str(tmp_path / "c.json"), "--plot", str(tmp_path / "c.png")]
    assert load_tool("analysis/confusion").main(words) == 0
    missed = json.loads((tmp_path / "c.json").read_text())["totals"]["missed"]
    assert missed > 0 and f"{missed} missed" in capsys.readouterr().out
    assert is_picture(tmp_path / "c.png")


def test_taxonomy_report_of_records(load_tool, tmp_path, capsys):
    ranks = np.array([[0, 1, -1], [1, 0, -1]])
    record = TaxonomyRecord(
        dataset="zoo",
        categories=("dog", "cat", "other"),
        videos=("v1", "v2"),
        ranks=ranks,
        scores=np.array([[0.9, 0.1, 0.5], [0.2, 0.8, 0.5]]),
        compiled=ranks == 0,
        num_compiled=np.array([1, 1]),
        present=np.array([[True, False, True], [True, False, False]]),
    )
    record.save(tmp_path / "zoo.record.json")
    out = tmp_path / "report"
    words = ["--records", str(tmp_path / "zoo.record.json"), "--out", str(out)]
    assert load_tool("analysis/taxonomy_report").main(words) == 0
    assert "| zoo      |      2 |   1 |     50.0 |" in capsys.readouterr().out
    assert json.loads((out / "report.json").read_text())["zoo"]["recall"] == 0.5
    assert "| v2    | cat " in (out / "zoo.videos.md").read_text()
    assert "dog" in (out / "zoo.categories.md").read_text()
    assert is_picture(out / "report.png")


def test_taxonomy_report_asks_every_metric_for_a_record(load_tool, tmp_path):
    request = load_tool("analysis/taxonomy_report").request_records
    metrics = dict(a=dict(type="VISMetric"), b=[dict(type="VISMetric")], c=None)
    model = dict(head=dict(compilation=dict()))
    cfg = Config(dict(model=model, test_evaluator=dict(metrics=metrics)))
    paths = request(cfg, tmp_path)
    assert paths == [tmp_path / "a.record.json", tmp_path / "b.record.json"]
    assert cfg.test_evaluator.metrics.b[0].taxonomy_file == str(paths[1])
    cfg.model.head.pop("compilation")
    with pytest.raises(ValueError, match="compiles no taxonomy"):
        request(cfg, tmp_path)


@pytest.mark.parametrize(
    "tool, words, message",
    [
        ("compare_runs", "--taxonomy ovis --results {poor} {good}", "--label-space"),
        ("compare_runs", "--results {poor} {good} --names a a", "different names"),
        ("compare_runs", "--results {poor} none.json", "none.json"),
        ("confusion", "--results {ann}", "must be a JSON list"),
    ],
)
def test_errors_are_one_line(load_tool, files, capsys, tool, words, message):
    argv = ["--ann", files["ann"], *words.format(**files).split()]
    assert load_tool(f"analysis/{tool}").main(argv) == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "error" in x]
    assert re.search(message, line) and line[:7] == "error: "


def test_taxonomy_report_errors(load_tool, tmp_path, capsys):
    main = load_tool("analysis/taxonomy_report").main
    assert main(["--records", str(tmp_path / "none.json")]) == 1
    assert "none.json" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([])
