"""Annotation files as they are found: every mask form, permuted ids, nothing inside."""

import json

import numpy as np
import pytest
from ap_reference import annotation_file, box_tube, segmentations
from vis_files import CATEGORIES, write_annotations

from tmt_vis.annotations import AnnotationError
from tmt_vis.evaluation import load_annotations
from tmt_vis.taxonomy import LabelSpace

HERE = np.array([True, True, False, True])
MASKS = box_tube((2, 3, 5, 6), HERE)


def load(tmp_path, change, label_space=None):
    rows = [(1, 4, MASKS, False), (1, 7, MASKS, True)]
    file = annotation_file(rows, num_videos=2, category_ids=[7, 4])
    change(file)
    path = tmp_path / "ann.json"
    path.write_text(json.dumps(file))
    return load_annotations(path, label_space=label_space)


def test_own_categories_videos_and_crowd(tmp_path):
    annotations = load(tmp_path, lambda file: None)
    assert annotations.label_space.names == ("class 7", "class 4")
    assert annotations.slot_of_source == {7: 0, 4: 1}
    assert annotations.ground_truth[1].slots.tolist() == [1, 0]
    assert annotations.ground_truth[1].is_crowd.tolist() == [False, True]
    assert len(annotations.ground_truth[2]) == 0
    video = annotations.videos[2]
    assert (video.name, video.height, video.width, video.length) == ("2", 20, 28, 4)


def uncompressed(mask):
    flat = mask.T.reshape(-1)
    cuts = np.flatnonzero(np.diff(flat.astype(int))) + 1
    runs = np.diff([0, *cuts, flat.size]).tolist()
    return {"size": list(mask.shape), "counts": runs if not flat[0] else [0, *runs]}


@pytest.mark.parametrize("form", ["compressed", "uncompressed", "polygon"])
def test_mask_forms_are_the_same(tmp_path, form):
    def change(file):
        frames = segmentations(MASKS)
        if form == "uncompressed":
            frames = [uncompressed(m) if m.any() else None for m in MASKS]
        elif form == "polygon":
            x = [3, 4, None, 6]
            frames = [
                [[s, 2, s + 6, 2, s + 6, 7, s, 7]] if s is not None else [] for s in x
            ]
        file["annotations"][0]["segmentations"] = frames

    tube = load(tmp_path, change).ground_truth[1].tubes[0]
    assert np.array_equal(tube.decode(), MASKS)


def test_polygons_without_an_area_are_nothing(tmp_path):
    """pycocotools would take the four numbers for a box."""

    def change(file):
        file["annotations"][0]["segmentations"][0] = [[1, 1, 8, 8]]

    tube = load(tmp_path, change).ground_truth[1].tubes[0]
    assert tube.frame_areas().tolist() == [0, 30, 0, 30]


@pytest.mark.parametrize("name", ["ytvis19", "ovis"])
def test_categories_are_matched_by_name(tmp_path, name):
    space = LabelSpace.load(name)
    path = write_annotations(tmp_path / "ann.json", name)
    annotations = load_annotations(path, label_space=space)
    assert annotations.slot_of_source == {
        source_id: space.slot_of_name(text) for source_id, text in CATEGORIES[name]
    }
    file = json.loads((tmp_path / "ann.json").read_text())
    for video_id, video in annotations.ground_truth.items():
        rows = [r for r in file["annotations"] if r["video_id"] == video_id]
        expected = [annotations.slot_of_source[r["category_id"]] for r in rows]
        assert video.slots.tolist() == expected


def test_a_file_without_categories_has_those_of_its_label_space(tmp_path):
    def change(file):
        del file["categories"]
        file["annotations"] = None

    annotations = load(tmp_path, change, LabelSpace.load("ovis"))
    assert annotations.slot_of_source[25] == 24
    assert annotations.ground_truth is None


@pytest.mark.parametrize("nothing", [None, []])
def test_withheld_annotations(tmp_path, nothing):
    annotations = load(tmp_path, lambda file: file.update(annotations=nothing))
    assert annotations.ground_truth is None
    assert len(annotations.videos) == 2


def edit(key, value, row=0):
    def change(file):
        file["annotations"][row][key] = value

    return change


def shorten(file):
    file["annotations"][1]["segmentations"].pop()


def wrong_size(file):
    file["annotations"][0]["segmentations"][1]["size"] = [28, 20]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.update(videos=[], annotations=[]), "nothing to evaluate"),
        (lambda f: f.update(categories=None), "needs the keys .'categories'"),
        (lambda f: f["videos"].append(f["videos"][0]), "ids must be unique"),
        (lambda f: f["videos"][0].pop("height"), "'height'. missing"),
        (
            lambda f: f["videos"][0].update(length=None, file_names=[]),
            "has no file_names",
        ),
        (edit("video_id", 9), r"annotations\[0\] \(id=1\): belongs to video_id=9"),
        (edit("category_id", 5), r"annotations\[0\] \(id=1\): has category_id=5"),
        (edit("segmentations", None), r"annotation id=1 \(video_id=1\)"),
        (
            shorten,
            r"annotation id=2 \(video_id=1\): .* one entry per frame, got 3 for 4",
        ),
        (wrong_size, r"frame 1\): .* the RLE has size"),
    ],
)
def test_contradictions_are_named(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        load(tmp_path, change)


def test_unknown_category_names_are_refused(tmp_path):
    with pytest.raises(AnnotationError, match="class 7"):
        load(tmp_path, lambda file: None, LabelSpace.load("ovis"))


@pytest.mark.parametrize("length", [3, 5, None])
def test_the_files_decide_the_length(tmp_path, length):
    """UVO's ``length`` differs from its files for some videos; training accepts it."""

    def change(file):
        file["videos"][0]["length"] = length
        if length is not None:
            for row in file["annotations"]:
                if row["video_id"] == 1:
                    row["segmentations"] = [*row["segmentations"], None][:length]

    plain, changed = load(tmp_path, lambda file: None), load(tmp_path, change)
    assert changed.videos[1].length == 4
    for before, after in zip(
        plain.ground_truth[1].tubes, changed.ground_truth[1].tubes, strict=True
    ):
        kept = 4 if length is None else min(length, 4)
        assert after.num_frames == 4
        assert (after.decode()[:kept] == before.decode()[:kept]).all()
        assert not after.decode()[kept:].any()
