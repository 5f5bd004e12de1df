"""tools/evaluate.py on files."""

import json

import pytest
from vis_files import perfect_predictions, write_annotations

from tmt_vis.evaluation import load_annotations, write_results


@pytest.fixture
def files(tmp_path):
    ann = write_annotations(tmp_path / "ann.json", "ovis")
    annotations = load_annotations(ann)
    predictions = perfect_predictions(annotations)
    del predictions[2]
    written = write_results(tmp_path / "run", predictions, annotations)
    return ["--ann", ann, "--results", str(written.zip_file)]


@pytest.fixture
def evaluate(load_tool):
    return load_tool("evaluate").main


def test_json_report(files, evaluate, capsys):
    assert evaluate([*files, "--json", "--per-class"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["num_videos"] == 4
    assert report["num_videos_with_tracks"] == 2  # video 1 has no object
    assert 0 < report["summary"]["AP"] < 1
    assert report["summary"]["APl"] is None
    assert [row["name"] for row in report["categories"]] == [
        "vehicle",
        "Bird",
        "Person",
    ]


def test_label_space_gives_names_and_order(files, evaluate, capsys):
    evaluate([*files, "--json", "--per-class"])
    plain = json.loads(capsys.readouterr().out)
    assert evaluate([*files, "--label-space", "ovis", "--json", "--per-class"]) == 0
    named = json.loads(capsys.readouterr().out)
    assert named["summary"] == pytest.approx(plain["summary"])
    rows = {row["name"]: row for row in named["categories"]}
    assert list(rows)[0] == "Person"
    assert rows["Bird"] == plain["categories"][1]
    assert rows["Cat"]["AP"] is None


def test_text_report_and_class_agnostic(files, evaluate, capsys):
    assert evaluate([*files, "--per-class", "--class-agnostic"]) == 0
    text = capsys.readouterr().out
    assert "any category" in text
    assert "4 videos, 2 with tracks" in text
    assert "AP50 " in text


def test_errors_are_messages(files, evaluate, capsys, tmp_path):
    assert evaluate([*files, "--label-space", "uvo"]) == 1
    assert "vehicle" in capsys.readouterr().err
    assert evaluate(["--ann", "none.json", *files[2:]]) == 1
    file = json.loads((tmp_path / "ann.json").read_text())
    (tmp_path / "ann.json").write_text(json.dumps({**file, "annotations": None}))
    assert evaluate(files) == 1
    assert "holds no annotations" in capsys.readouterr().err
