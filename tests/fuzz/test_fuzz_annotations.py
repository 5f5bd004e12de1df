"""Damaged annotation files: refused by entry, or read as plain code would read them."""

import json
import tempfile
from pathlib import Path

import numpy as np
from helpers.mini_burst import burst_json
from helpers.mini_vis import moving_video, native_json
from mutations import as_json, damaged_bytes, damaged_trees, fuzzed, outcome_of
from pycocotools import mask as coco_mask

from tmt_vis.annotations import AnnotationError, AnnotationFile
from tmt_vis.dataset_tools.checking import check_dataset
from tmt_vis.datasets import AnnotationIndex
from tmt_vis.evaluation import load_annotations
from tmt_vis.taxonomy import LabelSpace

FOLDER = tempfile.TemporaryDirectory()
PATH = Path(FOLDER.name) / "ann.json"
SPACE = LabelSpace.load("ytvis19")
BURST = LabelSpace.load("burst")

VIDEOS = [moving_video(1, 3), moving_video(2, 2)]
NATIVE = native_json(VIDEOS)
for row in NATIVE["annotations"]:
    row["ignore"] = 0
NATIVE["annotations"][1]["segmentations"][0] = [[1, 1, 9, 1, 9, 9]]
NATIVE["annotations"][2]["segmentations"][1] = {"size": [32, 48], "counts": [500, 1036]}
NATIVE["videos"][1]["neg_category_ids"] = [1]
NATIVE_TEXT = as_json(NATIVE)
BURST_TREE = burst_json([moving_video(3, 2, track_ids=(1, 2)), moving_video(9, 1)])


def plain_areas(row, video):
    """Pixels per frame of one annotation, by pycocotools alone."""
    areas = []
    for mask in row["segmentations"][: len(video["file_names"])]:
        if mask is None or mask == []:
            areas.append(0)
            continue
        if isinstance(mask, list):
            polygons = [p for p in mask if len(p) >= 6]
            rles = coco_mask.frPyObjects(polygons, *size(video)) if polygons else []
            areas.append(int(coco_mask.area(coco_mask.merge(rles))) if rles else 0)
            continue
        assert mask["size"] == size(video)
        counts = mask["counts"]
        if isinstance(counts, list):
            areas.append(sum(counts[1::2]))
        else:
            areas.append(int(coco_mask.area(dict(size=size(video), counts=counts))))
    return areas + [0] * (len(video["file_names"]) - len(areas))


def size(video):
    return [int(video["height"]), int(video["width"])]


def check_truth(data, annotations):
    """Every object of the file is there, as it stands in the file."""
    rows = data.get("annotations") or []
    truth = annotations.ground_truth
    if not rows:
        assert truth is None
        return
    assert sum(map(len, truth.values())) == len(rows)
    names = {row["id"]: row["name"] for row in data["categories"]}
    for video in data["videos"]:
        own = [row for row in rows if row["video_id"] == video["id"]]
        found = truth[video["id"]]
        flags = [row.get("iscrowd") in (1, True) for row in own]
        assert found.is_crowd.tolist() == flags
        slots = [SPACE.slot_of_name(names[row["category_id"]]) for row in own]
        assert found.slots.tolist() == slots
        if video.get("file_names"):
            areas = [tube.frame_areas().tolist() for tube in found.tubes]
            assert areas == [plain_areas(row, video) for row in own]


def read_all(content, space):
    """Read a file with all of its readers; return what evaluation and training see."""
    PATH.write_bytes(content)
    refusals = dict(refusals=AnnotationError, names="ann.json")
    truth = outcome_of(lambda: load_annotations(PATH, label_space=space), **refusals)
    own = outcome_of(lambda: load_annotations(PATH), **refusals)
    index = outcome_of(
        lambda: AnnotationIndex(AnnotationFile(str(PATH), space), num_slots=len(space)),
        **refusals,
    )
    report = outcome_of(lambda: check_dataset(PATH, label_space=space), **refusals)
    if truth is not None and truth.ground_truth is not None:
        assert own is not None, "its own categories are the weaker rule"
    return truth, index, report


def check_native(data):
    truth, index, report = read_all(as_json(data), SPACE)
    if truth is not None:
        data = json.loads(as_json(data))
        check_truth(data, truth)
        if all(video.get("file_names") for video in data["videos"]):
            assert index is not None, "evaluation reads what training refuses"
    if index is not None:
        assert report is not None and not report.errors.counts
    elif report is not None:
        assert report.errors.counts, "the checker misses what training refuses"


def check_burst(data):
    truth, index, _ = read_all(as_json(data), BURST)
    if truth is not None and truth.ground_truth is not None:
        tracks = [s.get("track_category_ids") for s in data["sequences"]]
        shown = [s.get("segmentations") is not None for s in data["sequences"]]
        number = sum(len(t or ()) for t, s in zip(tracks, shown, strict=True) if s)
        assert sum(map(len, truth.ground_truth.values())) == number
        assert index is not None
    if index is not None:
        assert np.isfinite(index.visible).all()


def check_text(content):
    read_all(content, SPACE)


test_native_files = fuzzed(check_native, damaged_trees(NATIVE), cases=80)
test_burst_files = fuzzed(check_burst, damaged_trees(BURST_TREE), cases=60)
test_native_bytes = fuzzed(check_text, damaged_bytes(NATIVE_TEXT), cases=30)
