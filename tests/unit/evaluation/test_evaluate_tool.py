"""tools/evaluate.py on files."""

import json
import sys
from pathlib import Path

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


def test_the_dataset_is_named_either_way(files, evaluate, capsys):
    reports = []
    for option in ("--dataset", "--label-space"):
        assert evaluate([*files, option, "ovis", "--json", "--per-class"]) == 0
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0] == reports[1]
    assert reports[0]["categories"][0]["name"] == "Person"


def test_boundary_and_tracking_reports(files, evaluate, capsys):
    pytest.importorskip("trackeval")
    options = ["--boundary", "--hota", "--min-score", "0.1", "--per-class"]
    assert evaluate([*files, *options, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["boundary"]) == set(report["summary"])
    assert report["boundary"]["AP"] == pytest.approx(report["summary"]["AP"])
    tracking = report["tracking"]
    assert 0 < tracking["class_averaged"]["HOTA"] < 1
    assert tracking["class_averaged"]["IDSW"] == 0
    assert tracking["detection_averaged"]["DetPr"] == 1.0
    assert {"AP_boundary", "HOTA", "num_tracks"} < set(report["categories"][0])
    assert evaluate([*files, *options]) == 0
    text = capsys.readouterr().out
    header = text.splitlines()[0].split()
    assert header[:5] == ["category", "AP", "AP50", "AP_boundary", "HOTA"]
    lines = [line.partition(": ") for line in text.splitlines()[-4:]]
    assert [title for title, *_ in lines] == [
        "masks",
        "boundaries",
        "tracking, mean of categories",
        "tracking, all detections",
    ]
    assert "IDSW 0  IDF1" in lines[3][2]


def test_the_annotation_file_may_hold_several_masks_and_unannotated_frames(
    files, evaluate, capsys, tmp_path
):
    """Frame 2 is not annotated; the refined masks are what was predicted."""
    file = json.loads((tmp_path / "ann.json").read_text())
    for row in file["annotations"]:
        row["segmentations"][2] = None
        row["refined"] = [*row["segmentations"]]
        row["segmentations"] = [None, None, None, row["segmentations"][3]]
    (tmp_path / "ann.json").write_text(json.dumps(file))
    numbers = {}
    for options in ([], ["--segmentation-key", "refined"]):
        for more in ([], ["--annotated-frames-only"]):
            assert evaluate([*files, *options, *more, "--json"]) == 0
            report = json.loads(capsys.readouterr().out)
            numbers[len(options), len(more)] = report["summary"]["AR100"]
    assert numbers[0, 0] < numbers[2, 0] < numbers[2, 1]


def test_tracking_without_its_package(files, evaluate, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    assert evaluate([*files, "--hota"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: HOTA needs the package trackeval")


def test_a_minimum_score_is_for_tracking_metrics_only(files, evaluate, capsys):
    with pytest.raises(SystemExit):
        evaluate([*files, "--min-score", "0.5"])
    assert "--min-score needs --hota" in capsys.readouterr().err


def test_results_without_tracks_are_evaluated_with_a_warning(
    files, evaluate, capsys, tmp_path
):
    (tmp_path / "none.json").write_text("[]")
    assert evaluate([*files[:3], str(tmp_path / "none.json"), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["summary"]["AP"] == 0.0
    assert "none.json holds no track" in captured.err


def test_results_of_another_dataset_are_refused(files, evaluate, capsys, tmp_path):
    other = [{"video_id": 99, "category_id": 5, "score": 1, "segmentations": []}]
    (tmp_path / "other.json").write_text(json.dumps(other))
    assert evaluate([*files[:3], str(tmp_path / "other.json")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "entry 0: video_id 99 is not in" in line


def test_errors_are_messages(files, evaluate, capsys, tmp_path):
    assert evaluate([*files, "--label-space", "uvo"]) == 1
    assert "vehicle" in capsys.readouterr().err
    assert evaluate(["--ann", "none.json", *files[2:]]) == 1
    file = json.loads((tmp_path / "ann.json").read_text())
    (tmp_path / "ann.json").write_text(json.dumps({**file, "annotations": None}))
    assert evaluate(files) == 1
    assert "holds no annotations" in capsys.readouterr().err


def test_names_of_the_file_cannot_act_on_the_terminal(files, evaluate, capsys):
    """They could set its title, clear it and print rows of their own."""
    path = Path(files[1])
    data = json.loads(path.read_text())
    names = ["cat\x1b[2J\r\nFAKE: AP 99.9", "a tuk-tuk", "a tuk tuk"]
    for row, name in zip(data["categories"], names, strict=True):
        row["name"] = name
    path.write_text(json.dumps(data))
    assert evaluate([*files, "--per-class"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "\r" not in printed
    assert r"cat\x1b[2J\r\nFAKE: AP 99.9 " in printed
    assert "\na tuk-tuk " in printed and "\na tuk tuk " in printed
