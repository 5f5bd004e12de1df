"""Damaged result files: refused by entry, or read as plain code would read them."""

import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from helpers.mini_vis import moving_video, native_json
from hypothesis import strategies as st
from mutations import as_json, damaged_bytes, damaged_trees, fuzzed, outcome_of
from pycocotools import mask as coco_mask

from tmt_vis.evaluation import evaluate_tubes, load_annotations, read_results
from tmt_vis.structures import TubeRLE
from tmt_vis.taxonomy import LabelSpace

FOLDER = tempfile.TemporaryDirectory()
PATH = Path(FOLDER.name) / "results.json"
SPACE = LabelSpace.load("ytvis19")
NATIVE = native_json([moving_video(1, 3), moving_video(2, 2)])
(Path(FOLDER.name) / "ann.json").write_bytes(as_json(NATIVE))
ANNOTATIONS = load_annotations(Path(FOLDER.name) / "ann.json", label_space=SPACE)
RESULTS = [
    {key: row[key] for key in ("video_id", "category_id", "segmentations")}
    | {"score": 0.9 - 0.1 * number}
    for number, row in enumerate(NATIVE["annotations"])
]
RESULTS[0]["segmentations"][1] = {"size": [32, 48], "counts": [600, 936]}


def zipped(name, data, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(name, data)
    return stream.getvalue()


ZIPS = [
    zipped("results.json", as_json(RESULTS), method)
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
]


def read(content):
    PATH.write_bytes(content)
    return outcome_of(
        lambda: read_results(PATH, ANNOTATIONS),
        refusals=ValueError,
        names="results.json",
    )


def plain_areas(entry):
    areas = []
    for mask in entry["segmentations"]:
        if mask is None or mask == []:
            areas.append(0)
        elif isinstance(mask["counts"], list):
            areas.append(sum(mask["counts"][1::2]))
        else:
            areas.append(int(coco_mask.area(dict(mask, size=[32, 48]))))
    return areas


def check_results(entries):
    found = read(as_json(entries))
    if found is None:
        return
    entries = json.loads(as_json(entries))
    assert sum(map(len, found.values())) == len(entries)
    for video_id, tracks in found.items():
        own = [entry for entry in entries if entry["video_id"] == video_id]
        assert tracks.scores.tolist() == [float(entry["score"]) for entry in own]
        assert not any(isinstance(entry["score"], bool) for entry in own)
        slots = [ANNOTATIONS.slot_of_source[entry["category_id"]] for entry in own]
        assert tracks.slots.tolist() == slots
        areas = [tube.frame_areas().tolist() for tube in tracks.tubes]
        assert areas == [plain_areas(entry) for entry in own]
    table = evaluate_tubes(ANNOTATIONS.ground_truth, found, num_slots=len(SPACE))
    assert 0 <= table.summary()["AP"] <= 1


def check_tube(case):
    """Counts that no check of a file has seen: from a stored inference."""
    counts, frames = case
    tube = outcome_of(lambda: TubeRLE(counts, 32, 48, frames), refusals=ValueError)
    if tube is None:
        return
    for use in (tube.decode, tube.to_frames, tube.as_coco, tube.frame_areas):
        outcome_of(use, refusals=ValueError)


test_results = fuzzed(check_results, damaged_trees(RESULTS), cases=100)
test_result_bytes = fuzzed(read, damaged_bytes(as_json(RESULTS)), cases=50)
test_zips = fuzzed(read, st.one_of([damaged_bytes(data) for data in ZIPS]), cases=80)
GOOD = NATIVE["annotations"][0]["segmentations"][0]["counts"].encode()
TUBES = st.tuples(
    st.one_of(damaged_bytes(GOOD), st.binary(max_size=40)), st.integers(1, 2)
)
test_tubes = fuzzed(check_tube, TUBES, cases=100, slow_cases=5000)


def test_undamaged_results_are_read():
    found = read(as_json(RESULTS))
    assert sum(map(len, found.values())) == len(RESULTS)
    assert all(np.isfinite(tracks.scores).all() for tracks in found.values())
    assert all(read(data) is not None for data in ZIPS)
