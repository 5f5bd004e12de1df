"""What BURST's evaluator does: annotated frames, merged categories, distractors."""

import json

import numpy as np
import pytest
from helpers.mini_burst import burst_json
from helpers.mini_vis import moving_video
from vis_files import data_sample, perfect_predictions

from tmt_vis.annotations import AnnotationError, AnnotationFile
from tmt_vis.datasets import AnnotationIndex, VISDataset
from tmt_vis.evaluation import (
    PredictedTubes,
    VISMetric,
    load_annotations,
    read_results,
    write_results,
)
from tmt_vis.structures import TubeRLE
from tmt_vis.taxonomy import LabelSpace

BURST = LabelSpace.load("burst")


@pytest.fixture
def data():
    """Two videos of four annotated frames; a frame between comes first."""
    ids = dict(track_ids=(1, 2))
    return burst_json([moving_video(3, 4, **ids), moving_video(9, 4, **ids)])


def write(tmp_path, data):
    path = tmp_path / "ann.json"
    path.write_text(json.dumps(data))
    return str(path)


def longer(tracks):
    """The same tracks over all five frames, with an object in the first as well."""
    tubes = []
    for tube in tracks.tubes:
        masks = tube.decode()
        tubes.append(TubeRLE.from_masks(np.concatenate([masks[:1], masks])))
    return PredictedTubes(tuple(tubes), tracks.slots, tracks.scores)


def test_all_frames_are_read_in_tests_and_scored_where_annotated(tmp_path, data):
    path = write(tmp_path, data)
    options = dict(name="burst", label_space="burst", ann_file=path, test_mode=True)
    dataset = VISDataset(all_frames=True, **options)
    assert dataset.video(0).length == 5
    assert dataset.index.frame(0, 0).file_name == "HACS/v3/between.jpg"
    index = AnnotationIndex(
        AnnotationFile(path, BURST, all_frames=True), num_slots=len(BURST)
    )
    assert index.visible_in(0).tolist() == [False, True, True, True, True]
    assert VISDataset(**options).video(0).length == 4
    with pytest.raises(ValueError, match="all_frames=True is for tests"):
        VISDataset(all_frames=True, **dict(options, test_mode=False))
    metric = VISMetric(
        dataset="burst", ann_file=path, outfile_prefix=str(tmp_path / "sub")
    )
    for video_id, tracks in perfect_predictions(metric.annotations).items():
        sample = data_sample("burst", video_id, longer(tracks))
        metric.process(None, [sample.to_dict()])
    assert metric.evaluate(2)["burst/AP"] == 1
    read = read_results(tmp_path / "sub.zip", metric.annotations)
    assert {t.num_frames for v in read.values() for t in v.tubes} == {4}


def test_merged_categories_are_one(tmp_path, data):
    person, dog = (row for row in data["categories"][:2])
    dog["merged"] = [dict(id=person["id"], name="person")]
    annotations = load_annotations(write(tmp_path, data), label_space=BURST)
    slot = BURST.slot_of_source(dog["id"])
    assert annotations.ground_truth[3].slots.tolist() == [slot, slot]
    found = perfect_predictions(annotations)
    found[3].slots[0] = BURST.slot_of_source(person["id"])
    assert annotations.counted(found)[3].slots.tolist() == [slot, slot]
    again = write_results(tmp_path / "sub", found, annotations)
    ids = [row["category_id"] for row in json.loads(again.json_file.read_text())]
    assert ids[:2] == [person["id"], dog["id"]]  # a submission says what was found


def test_distractors_are_left_out(tmp_path, data):
    distractor = next(c for c in BURST.categories if c.source_id == 20)
    data["categories"].append(dict(id=20, name=distractor.name))
    data["sequences"][0]["track_category_ids"]["1"] = 20
    path = write(tmp_path, data)
    metric = VISMetric(dataset="burst", ann_file=path)
    truth = metric.annotations.ground_truth
    assert truth[3].is_crowd.tolist() == [True, False]
    for video_id, tracks in perfect_predictions(metric.annotations).items():
        wrong = PredictedTubes(
            tubes=(*tracks.tubes, *truth[video_id].tubes[:1]),
            slots=np.append(tracks.slots, BURST.slot_of_source(20)),
            scores=np.append(tracks.scores, 0.99),
        )
        metric.process(None, [data_sample("burst", video_id, wrong).to_dict()])
    assert metric.evaluate(2)["burst/AP"] == 1


def edit(*keys, value):
    def apply(data):
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return apply


SEQUENCE = ("sequences", 0)
BROKEN = {
    "no list": (edit("sequences", value={}), "sequences: must be a list"),
    "null": (edit(*SEQUENCE, value=None), r"sequences\[0\]: must be an object"),
    "no name": (edit(*SEQUENCE, "seq_name", value=None), "'seq_name'. missing"),
    "name": (edit(*SEQUENCE, "seq_name", value=[1]), "seq_name must be a text"),
    "images": (edit(*SEQUENCE, "annotated_image_paths", value="abcd"), "list of texts"),
    "image": (edit(*SEQUENCE, "annotated_image_paths", 0, value=3), "list of texts"),
    "other": (edit(*SEQUENCE, "all_image_paths", value=["x"]), "all_image_paths does"),
    "frames": (edit(*SEQUENCE, "segmentations", value=3), "one entry per annotated"),
    "frame list": (
        edit(*SEQUENCE, "segmentations", 0, value=[1]),
        "frame 0 must be an",
    ),
    "frame text": (
        edit(*SEQUENCE, "segmentations", 1, value="x"),
        "frame 1 must be an",
    ),
    "tracks": (edit(*SEQUENCE, "track_category_ids", value=[1]), "track_category_ids"),
    "category": (edit(*SEQUENCE, "track_category_ids", "1", value=[1]), "an integer"),
    "no track": (edit(*SEQUENCE, "track_category_ids", value={}), "has no category"),
    "categories": (edit("categories", value=1), "categories: must be a list"),
    "no id": (edit("categories", 0, value={"name": "dog"}), "integer 'id'"),
    "id list": (edit("categories", 0, "id", value=[1]), "integer 'id'"),
    "merged": (edit("categories", 0, "merged", value=[3]), "merged must be a list"),
    "negative": (edit(*SEQUENCE, "neg_category_ids", value=3), "neg_category_ids must"),
    "rle": (edit(*SEQUENCE, "segmentations", 0, "1", value=[2]), "segmentation"),
    "counts": (edit(*SEQUENCE, "segmentations", 0, "1", value={"rle": "\x00"}), "alph"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_are_refused_with_file_entry_and_remedy(tmp_path, data, case):
    damage, message = BROKEN[case]
    damage(data)
    path = write(tmp_path, data)
    with pytest.raises(AnnotationError, match=message) as error:
        load_annotations(path, label_space=BURST)
    assert "ann.json" in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(AnnotationError, match=message):
        VISDataset(name="d", label_space="burst", ann_file=path)
