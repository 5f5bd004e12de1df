"""Ground truth of BURST, HQ-YTVIS, sparse and federated files."""

import json

import numpy as np
import pytest
from helpers.mini_burst import burst_json
from helpers.mini_vis import Track, Video, box_mask, encode, moving_video, native_json
from vis_files import data_sample, perfect_predictions

from tmt_vis.annotations import AnnotationError
from tmt_vis.evaluation import PredictedTubes, VISMetric, load_annotations
from tmt_vis.structures import TubeRLE
from tmt_vis.taxonomy import LabelSpace

# Some categories of the label space lvvis (base, novel) and of the mini data set.
CATEGORIES = [dict(id=1, name="person"), dict(id=8, name="dog")]
CATEGORIES += [dict(id=14, name="cat"), dict(id=15, name="cow")]


def load(tmp_path, data, **options):
    path = tmp_path / "ann.json"
    path.write_text(json.dumps(data))
    return load_annotations(path, **options)


def tube(length, box=(20, 20, 6, 6)):
    return TubeRLE.from_masks(np.stack([box_mask(box) > 0] * length))


def test_burst_equals_the_same_videos_in_the_other_layout(tmp_path):
    videos = [moving_video(3, 4, track_ids=(1, 2)), moving_video(9, 2, track_ids=(1,))]
    space = LabelSpace.load("burst")
    burst = load(tmp_path, burst_json(videos), label_space=space)
    names = [dict(id=1, name="person"), dict(id=8, name="dog")]
    native = load(tmp_path, native_json(videos, categories=names), label_space=space)
    for video_id, truth in native.ground_truth.items():
        assert burst.ground_truth[video_id].tubes == truth.tubes
        assert (burst.ground_truth[video_id].slots == truth.slots).all()
    assert burst.videos[3].name == "HACS/v3"


def test_ignored_are_the_unknown_and_the_not_exhaustive(tmp_path):
    lists = dict(neg_category_ids=[15], not_exhaustive_category_ids=[8])
    video = moving_video(1, 2, extra=lists)  # person and dog are annotated
    space = load(tmp_path, native_json([video], categories=CATEGORIES)).label_space
    truth = load(
        tmp_path, native_json([video], categories=CATEGORIES), label_space=space
    ).ground_truth[1]
    assert sorted(space.names[slot] for slot in truth.ignored_slots) == ["cat", "dog"]
    plain = load(tmp_path, native_json([moving_video(1, 2)])).ground_truth[1]
    assert plain.ignored_slots == frozenset()


@pytest.mark.parametrize(
    ("category", "expected"),
    [("cow", 0.5), ("cat", 1.0), ("dog", 1.0), ("person", 0.5)],
)
def test_false_tracks_of_ignored_categories_cost_nothing(tmp_path, category, expected):
    """A second video holds one object of each category, found with a lower score."""
    lists = dict(neg_category_ids=[15], not_exhaustive_category_ids=[8])
    tracks = [
        Track([(1 + 9 * i, 2, 8, 10)] * 2, track_id=i, category_id=c["id"])
        for i, c in enumerate(CATEGORIES)
    ]
    videos = [moving_video(1, 2, extra=lists), Video(2, 2, tracks)]
    path = tmp_path / "ann.json"
    path.write_text(json.dumps(native_json(videos, categories=CATEGORIES)))
    metric = VISMetric(dataset="d", ann_file=str(path), label_space="lvvis")
    slot = metric.label_space.slot_of_name(category)
    for video_id, found in perfect_predictions(metric.annotations).items():
        keep = (found.slots == slot) & (video_id == 2)
        tubes = [t for t, k in zip(found.tubes, keep, strict=True) if k]
        tubes += [tube(2)] * (video_id == 1)
        scores = np.full(len(tubes), 0.9 if video_id == 1 else 0.2)
        slots = np.full(len(tubes), slot)
        sample = data_sample(
            "d", video_id, PredictedTubes(tubes, slots, scores), label_space="lvvis"
        )
        metric.process(None, [sample.to_dict()])
    truth = metric.annotations.ground_truth
    num_objects = sum((video.slots == slot).sum() for video in truth.values())
    metrics = metric.evaluate(2)
    # Recall is 1 / num_objects of one category in four; precision at the hit is 1 / 2
    # if the false track counts.
    reached = (np.linspace(0, 1, 101) <= 1 / num_objects).mean()
    np.testing.assert_allclose(metrics["d/AP50"], expected * reached / 4)


def test_partitions_of_the_label_space_get_their_own_ap(tmp_path):
    names = [dict(id=1, name="person"), dict(id=8, name="accordion")]
    videos = [moving_video(1, 2, track_ids=(1, 2))]
    path = tmp_path / "ann.json"
    path.write_text(json.dumps(native_json(videos, categories=names)))
    metric = VISMetric(dataset="d", ann_file=str(path), label_space="lvvis")
    found = perfect_predictions(metric.annotations)[1]
    one = PredictedTubes(found.tubes[:1], found.slots[:1], found.scores[:1])
    metric.process(None, [data_sample("d", 1, one, label_space="lvvis").to_dict()])
    metrics = metric.evaluate(1)
    assert metrics["d/AP_base"] == 1  # person was found
    assert metrics["d/AP_novel"] == 0  # the accordion was not


def test_the_segmentation_key_is_that_of_the_dataset(tmp_path):
    data = native_json([moving_video(1, 2, track_ids=(3,))])
    fine = encode(box_mask((5, 5, 4, 4)))
    data["annotations"][0]["segmentations_refined"] = [fine, None]
    plain = load(tmp_path, data)
    refined = load(tmp_path, data, segmentation_key="segmentations_refined")
    assert plain.ground_truth[1].tubes[0].area == 2 * 80
    assert refined.ground_truth[1].tubes[0].area == 16
    with pytest.raises(ValueError, match=r"'x'.*\['segmentations', 'segm.*_refined'\]"):
        load(tmp_path, data, segmentation_key="x")


def test_sparse_frames_are_those_of_the_dataset(tmp_path):
    track = Track([(1, 1, 5, 5), None, None, (9, 9, 5, 5), None], track_id=4)
    data = native_json([Video(1, 5, [track]), Video(2, 3)])
    sparse = load(tmp_path, data, annotated_frames_only=True)
    assert list(sparse.videos) == list(sparse.ground_truth) == [1]
    (tube,) = sparse.ground_truth[1].tubes
    assert sparse.videos[1].length == tube.num_frames == 2
    assert (tube.frame_areas() == 25).all()
    assert load(tmp_path, data).videos[1].length == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"videos": [', "not valid JSON"), ("[]", "got a list"), ("\x80", "not UTF-8")],
)
def test_files_that_are_no_annotation_file(tmp_path, text, message):
    path = tmp_path / "ann.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(AnnotationError, match=message):
        load_annotations(path)
    with pytest.raises(AnnotationError, match="does not exist"):
        load_annotations(tmp_path / "no.json")
