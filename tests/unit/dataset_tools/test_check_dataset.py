"""The checker names every problem of a dataset and goes on."""

import json
import math
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.mini_vis import (
    Track,
    Video,
    moving_video,
    native_json,
    write_frames,
    write_json,
)

from tmt_vis.dataset_tools.checking import CheckReport, check_dataset
from tmt_vis.datasets import AnnotationError, VISDataset
from tmt_vis.taxonomy import LabelSpace

SPACE = LabelSpace.load("ytvis19")


def check(tmp_path: Path, data: dict, **options) -> CheckReport:
    options = dict(label_space=SPACE) | options
    return check_dataset(write_json(tmp_path, data), **options)


def counts(findings) -> dict[str, int]:
    return dict(findings.counts)


@pytest.fixture
def videos() -> list[Video]:
    return [moving_video(1, 3, track_ids=(1, 2)), moving_video(2, 4, track_ids=(3, 4))]


def test_a_sound_dataset_has_no_findings(tmp_path, videos):
    write_frames(tmp_path, videos)
    data = native_json(videos)
    report = check(tmp_path, data, image_root=tmp_path, decode=True)
    assert not report.errors.counts and not report.warnings.counts


def test_every_problem_of_a_file_is_named_with_its_place(tmp_path, videos):
    data = native_json([*videos, moving_video(9, 2, track_ids=(7, 8, 10, 11))])
    spoilt = [entry for entry in data["annotations"] if entry["video_id"] == 9]
    spoilt[0]["segmentations"][1]["size"] = [48, 32]
    spoilt[1]["segmentations"][0]["counts"] = "S5a0"
    spoilt[2]["segmentations"].append(None)
    spoilt[3]["id"] = 7
    data["annotations"][0]["category_id"] = 77
    data["annotations"][1]["video_id"] = 55
    data["annotations"] += [dict(id=3), "text"]
    data["videos"] += [dict(data["videos"][0]), dict(id=5, height=4), 7, "seven"]
    report = check(tmp_path, data)
    places = {kind: " | ".join(p) for kind, p in report.errors.examples.items()}
    expected = {
        r"RLE has size": r"annotation id=7 \(video_id=9, frame 1\)",
        r"runs do not add up": r"annotation id=8 \(video_id=9, frame 0\)",
        r"one entry per frame": r"annotation id=10 .*got 3 for 2",
        r"instance ids must be unique": r"annotation id=7",
        r"has category_id=": r"annotations\[0\] \(id=1\).*=77",
        r"belongs to video_id=": r"annotations\[1\] \(id=2\).*=55",
        r"video ids must be unique": r"videos\[3\]",
        r"needs the keys .*missing": r"videos\[4\].*annotations\[8\]",
        r"must be an object": r"videos\[5\].*videos\[6\].* seven .*tions\[9\]",
    }
    for kind, place in expected.items():
        (found,) = [k for k in places if re.search(kind, k)]
        assert re.search(place, places[found]), (kind, places[found])
    assert sum(report.errors.counts.values()) == 12
    # What is left can be counted.
    table = report.statistics.summary()["table8"]
    assert table["videos"] == 3 and table["instances"] == 4


def test_two_broken_masks_of_one_object_are_two_problems(tmp_path, videos):
    data = native_json(videos)
    for t in (0, 2):
        data["annotations"][0]["segmentations"][t]["counts"] = "S5a0"
    report = check(tmp_path, data)
    ((kind, number),) = report.errors.counts.items()
    assert number == 2 and "frame 2" in report.errors.examples[kind][1]
    assert report.statistics.summary()["table8"]["masks"] == 1 + 3 + 4 + 4


def test_unknown_categories_are_one_problem_each(tmp_path, videos):
    data = native_json(videos)
    data["categories"][1]["name"] = "dgo"
    data["categories"].append(dict(id=1, name="cat"))
    report = check(tmp_path, data)
    text = "\n".join(report.errors.lines())
    assert "'dgo'" in text and "'dog'" in text and "category id 1 twice" in text
    assert report.errors.counts["object of a category that cannot be used"] == 2
    assert report.statistics.summary()["table8"]["instances"] == 2
    data["categories"] = [dict(id=1, name="dgo")]
    with pytest.raises(AnnotationError, match="dgo"):
        check(tmp_path, data)


def test_objects_of_unreadable_videos_are_counted(tmp_path, videos):
    data = native_json(videos)
    data["videos"][0]["height"] = "high"
    report = check(tmp_path, data)
    assert report.errors.counts["object of a video that cannot be read"] == 2
    assert report.errors.counts.total() == 3


@pytest.mark.parametrize("key", ["videos", "annotations"])
def test_tables_of_another_type_are_named(tmp_path, videos, key):
    report = check(tmp_path, native_json(videos) | {key: {"a": 1}})
    assert any("must be a list" in kind for kind in report.errors.counts)


def test_what_the_checker_accepts_the_reader_accepts(tmp_path, videos):
    data = native_json(videos)
    # On both sides, one rule: the checker asks the reader itself.
    edits = [
        ("videos", 0, "height", 33),
        ("videos", 1, "file_names", []),
        ("videos", 0, "id", "x"),
        ("annotations", 0, "id", None),
        ("annotations", 1, "category_id", 5),
        ("annotations", 1, "segmentations", 5),
        ("categories", 0, "id", 8),
        ("annotations", 1, "iscrowd", 1),
        ("annotations", 1, "bboxes", None),
        ("videos", 0, "length", 9),
    ]
    refused = 0
    for table, row, key, value in edits:
        spoilt = json.loads(json.dumps(data))
        spoilt[table][row][key] = value
        try:
            errors = check(tmp_path, spoilt).errors.counts
        except AnnotationError:
            errors = {"fatal": 1}
        options = dict(data_root=str(tmp_path), ann_file="train.json")
        try:
            VISDataset(name="d", label_space=SPACE, **options)
        except AnnotationError:
            refused += 1
            assert errors, (table, key)
        else:
            assert not errors, (table, key, errors)
    assert refused == 7


def test_frames_are_checked_without_stopping(tmp_path, videos):
    write_frames(tmp_path, videos)
    (tmp_path / "v1" / "00000.png").unlink()
    cv2.imwrite(str(tmp_path / "v1" / "00001.png"), np.zeros((4, 5, 3), np.uint8))
    (tmp_path / "v2" / "00000.png").write_text("no image")
    whole = (tmp_path / "v2" / "00001.png").read_bytes()
    (tmp_path / "v2" / "00001.png").write_bytes(whole[: len(whole) // 2])
    data = native_json(videos)
    data["videos"][1]["file_names"][3] = data["videos"][1]["file_names"][2]
    report = check(tmp_path, data, image_root=tmp_path)
    expected = {
        "missing frame": 1,
        "frame of another size": 1,
        "unreadable frame": 1,
    }
    assert counts(report.errors) == expected
    assert (
        "4x5 (height x width), the annotation file says 32x48"
        in (report.errors.examples["frame of another size"][0])
    )
    assert counts(report.warnings) == {"frame listed twice in one video": 1}
    report = check(tmp_path, data, image_root=tmp_path, decode=True)
    assert counts(report.errors) == expected | {"unreadable frame": 2}


def test_warnings_are_what_training_accepts(tmp_path, videos):
    empty = Video(3, 2, [Track([None, None], track_id=1)])
    crowd = Video(4, 1, [Track([(0, 0, 4, 4)], track_id=6, iscrowd=1)])
    data = native_json([*videos, empty, crowd, Video(5, 1)])
    data["videos"][1]["length"] = 5
    boxes = data["annotations"][0]["bboxes"]
    boxes[0][0] += 3
    boxes[1][3] = math.nan
    boxes[2] = [1, 2]
    data["annotations"][1]["bboxes"] = [None]
    narrow, negative, *_ = data["annotations"][2]["bboxes"]
    narrow[2] -= 3
    negative[3] = -1
    report = check(tmp_path, data)
    assert not report.errors.counts
    assert counts(report.warnings) == {
        "length that is not the number of file_names": 1,
        "box that does not enclose its mask": 2,
        "box that is not [x, y, width, height] of finite numbers": 3,
        "bboxes without one entry per frame": 1,
        "object without a pixel in any frame": 1,
        "annotation id used in several videos": 1,
        "crowd region, never trained on": 1,
        "video without objects": 1,
    }


def test_the_numbers_are_those_of_table_8(tmp_path):
    first = Video(1, 4, [Track([(0, 0, 8, 8)] * 3 + [None], track_id=1)])
    crowd = Track([(0, 0, 4, 4)] * 2, track_id=9, iscrowd=1)
    dog = Track([(0, 0, 16, 8), None], track_id=3, category_id=8)
    second = Video(2, 2, [Track([(0, 0, 8, 8)] * 2, track_id=2), dog, crowd])
    third = Video(3, 2, height=10, width=20)
    summary = check(tmp_path, native_json([first, second, third])).statistics.summary()
    assert summary["table8"] == dict(
        videos=3,
        categories=40,
        instances=3,
        masks=6,
        masks_per_frame=6 / 8,
        objects_per_video=1,
    )
    assert summary["crowd_regions"] == 1 and summary["categories_with_objects"] == 2
    assert summary["frame_sizes"] == {"32x48": 2, "10x20": 1}
    assert summary["frames_per_video"]["median"] == 2
    assert summary["object_area_of_frame"]["max"] == 128 / (32 * 48)
    assert summary["categories"][SPACE.slot_of_name("person")] == dict(
        name="person", videos=2, objects=2, masks=5
    )
    assert json.loads(json.dumps(summary)) == summary


def test_without_a_label_space_the_file_names_its_own(tmp_path, videos):
    data = native_json(videos)
    data["categories"][1]["name"] = "dgo"
    report = check(tmp_path, data, label_space=None)
    assert report.label_space.names == ("person", "dgo") and not report.errors.counts


def test_the_tool_reports_draws_and_exits(tmp_path, load_tool, videos, capsys):
    tool = load_tool("check_dataset")
    write_frames(tmp_path, videos)
    data = native_json(videos)
    data["categories"][0]["name"] = "<b>person"
    write_json(tmp_path, data)
    args = ["--data-root", str(tmp_path), "--ann", "train.json"]
    sheet, report = tmp_path / "sheet.html", tmp_path / "report.json"
    assert tool.main([*args, "--sheet", str(sheet), "--json", str(report)]) == 0
    page = sheet.read_text()
    assert page.count("data:image/jpeg;base64,") == 3 + 4
    assert "<b>person" not in page and "&lt;b&gt;person (2)" in page
    assert json.loads(report.read_text())["statistics"]["table8"]["instances"] == 4
    printed = capsys.readouterr().out
    assert "errors: none" in printed and re.search("Masks +14", printed)
    (tmp_path / "v1" / "00000.png").unlink()
    image = tmp_path / "sheet.png"
    assert tool.main([*args, "--sheet", str(image), "--sheet-videos", "1"]) == 1
    assert "missing frame: 1" in capsys.readouterr().out
    drawn = cv2.imread(str(image))
    assert (drawn == 128).all(axis=-1).sum() > 1000  # grey where the frame is missing
    assert tool.main(["--ann", str(tmp_path / "no.json")]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and "does not exist" in error


def test_sheets_of_many_videos_have_several_pages(tmp_path, load_tool, capsys):
    tool = load_tool("check_dataset")
    tool.VIDEOS_PER_PAGE = 2
    write_json(tmp_path, native_json([moving_video(n, 1) for n in range(1, 5)]))
    path = tmp_path / "s.png"
    args = ["--ann", str(tmp_path / "train.json"), "--sheet", str(path)]
    assert tool.main([*args, "--sheet-videos", "3"]) == 0
    assert sorted(p.name for p in tmp_path.glob("s*.png")) == ["s-1.png", "s-2.png"]
    assert "3 videos drawn" in capsys.readouterr().out


def test_pages_replace_sheets_only(tmp_path, load_tool, capsys):
    tool = load_tool("check_dataset")
    tool.VIDEOS_PER_PAGE = 1
    write_json(tmp_path, native_json([moving_video(n, 1) for n in (1, 2)]))
    arguments = ["--ann", str(tmp_path / "train.json"), "--sheet"]
    for _ in range(2):  # sheets of an earlier run may go
        assert tool.main([*arguments, str(tmp_path / "s.png")]) == 0
    other = tmp_path / "s-2.png"
    assert cv2.imwrite(str(other), np.zeros((4, 4, 3), np.uint8))
    before = other.read_bytes()
    assert tool.main([*arguments, str(tmp_path / "s.png")]) == 1
    assert "s-2.png is no sheet of this tool" in capsys.readouterr().err
    assert other.read_bytes() == before


def test_reports_never_replace_the_annotations(tmp_path, load_tool, capsys):
    write_json(tmp_path, native_json([moving_video(1, 1)]))
    before = (tmp_path / "train.json").read_bytes()
    arguments = ["--data-root", str(tmp_path), "--ann", "train.json"]
    tool = load_tool("check_dataset")
    assert tool.main([*arguments, "--json", str(tmp_path / "train.json")]) == 1
    assert "train.json is the annotation file" in capsys.readouterr().err
    assert (tmp_path / "train.json").read_bytes() == before
