"""Training and evaluation read annotation files by one set of rules."""

import json
import pickle

import pytest
from helpers.broken_annotations import BROKEN, edit
from helpers.mini_vis import moving_video, native_json

from tmt_vis.annotations import AnnotationError, AnnotationFile
from tmt_vis.datasets import AnnotationIndex, VISDataset
from tmt_vis.evaluation import load_annotations
from tmt_vis.taxonomy import LabelSpace

SPACE = LabelSpace.load("ytvis19")


def write(path, data, **options):
    path.write_text(json.dumps(data, **options))
    return path


def train(path):
    return VISDataset(name="d", label_space="ytvis19", ann_file=str(path))


def evaluate(path):
    return load_annotations(path, label_space=SPACE)


@pytest.mark.parametrize("read", [train, evaluate], ids=["train", "evaluate"])
@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused_with_file_entry_and_remedy(tmp_path, read, case):
    data = native_json([moving_video(1, 2), moving_video(2, 2)])
    damage, message = BROKEN[case]
    damage(data)
    path = write(tmp_path / "train.json", data)
    if case == "no file names" and read is evaluate:
        return  # its length says as much as evaluation needs
    if case == "no categories" and read is evaluate:
        message = "categories"
    with pytest.raises(AnnotationError, match=message) as error:
        read(path)
    assert "train.json" in str(error.value) and ";" in str(error.value)
    assert "\n" not in str(error.value)


TEXTS = {
    "nested": ("[" * 3000, "not valid JSON"),
    "digits": ('{"videos": ' + "1" * 5000 + "}", "not valid JSON"),
    "UTF-16": (json.dumps({"videos": []}).encode("utf-16"), "not UTF-8.*save it as"),
    "cut": ('{"videos": [', "not valid JSON"),
    "a list": ("[]", "got a list"),
}


@pytest.mark.parametrize("read", [train, evaluate], ids=["train", "evaluate"])
@pytest.mark.parametrize("case", TEXTS)
def test_files_that_are_no_annotation_file_are_refused(tmp_path, read, case):
    text, message = TEXTS[case]
    path = tmp_path / "train.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(AnnotationError, match=message) as error:
        read(path)
    assert "train.json: file: " in str(error.value)


ACCEPTED = {
    "byte-order mark": (lambda data: None, dict(prefix="\ufeff")),
    "integral floats": (edit("videos.0.height", 32.0), {}),
    "integral length": (edit("videos.0.length", 2.0), {}),
    "integral RLE size": (edit("annotations.0.segmentations.0.size", [32.0, 48.0]), {}),
    "null flags": (edit("annotations.0.iscrowd", None), {}),
    "false flags": (edit("annotations.0.ignore", False), {}),
    "number as name": (edit("videos.0.name", 12), {}),
    "no name": (edit("videos.0.name", None), {}),
    "null length": (edit("videos.0.length", None), {}),
    "id of 63 bits": (edit("annotations.0.id", 2**63 - 1), {}),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_harmless_spellings_change_nothing(tmp_path, case):
    change, options = ACCEPTED[case]
    data = native_json([moving_video(1, 2), moving_video(2, 2)])
    expected = evaluate(write(tmp_path / "before.json", data))
    change(data)
    path = tmp_path / "after.json"
    path.write_text(options.get("prefix", "") + json.dumps(data), encoding="utf-8")
    got = evaluate(path)
    assert [v.length for v in got.videos.values()] == [2, 2]
    for video_id, truth in expected.ground_truth.items():
        assert got.ground_truth[video_id].tubes == truth.tubes
        assert (got.ground_truth[video_id].slots == truth.slots).all()
        assert not got.ground_truth[video_id].is_crowd.any()
    index = AnnotationIndex(AnnotationFile(str(path), SPACE), num_slots=len(SPACE))
    assert index.visible.all() and index.instances_per_slot.sum() == 4


@pytest.mark.parametrize("flag", [1, True])
def test_crowds_count_in_evaluation_and_ignored_objects_in_training(tmp_path, flag):
    data = native_json([moving_video(1, 2)])
    data["annotations"][0]["iscrowd"] = flag
    data["annotations"][1]["ignore"] = flag
    path = write(tmp_path / "ann.json", data)
    assert evaluate(path).ground_truth[1].is_crowd.tolist() == [True, False]
    index = AnnotationIndex(AnnotationFile(str(path), SPACE), num_slots=len(SPACE))
    assert index.counts["ignored"] == 2


def test_the_same_annotation_twice_is_refused(tmp_path):
    """It halved recall in evaluation, while training refused the file."""
    data = native_json([moving_video(1, 2)])
    data["annotations"].append(data["annotations"][0])
    path = write(tmp_path / "ann.json", data)
    for read in train, evaluate:
        with pytest.raises(AnnotationError, match="unique within a video"):
            read(path)


def test_names_that_differ_in_spelling_are_told_apart_by_id(tmp_path):
    """Phrases of SA-Co: 'a tuk-tuk' and 'a tuk tuk' are two of 51,248."""
    data = native_json([moving_video(1, 2)])
    ids = sorted({row["category_id"] for row in data["annotations"]})
    names = ["a tuk-tuk", "a tuk tuk", "A Tuk Tuk", "a_tuk tuk"]
    data["categories"] = [
        dict(id=i, name=name) for i, name in zip([*ids, 98, 99], names, strict=True)
    ]
    path = write(tmp_path / "ann.json", data)
    annotations = load_annotations(path)
    assert annotations.label_space.names == tuple(names)
    assert annotations.slot_of_source == {i: s for s, i in enumerate([*ids, 98, 99])}
    data["categories"][1]["name"] = names[0]
    with pytest.raises(AnnotationError, match=f"'a tuk-tuk' stands for.*{ids[0]} and"):
        load_annotations(write(path, data))


def test_errors_travel_between_ranks():
    error = AnnotationError(file="a.json", entry="file", problem="p", remedy="r")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.entry) == ("a.json: file: p; r", "file")
