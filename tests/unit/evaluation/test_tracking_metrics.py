"""HOTA, MOTA and IDF1 against numbers worked out by hand, and TrackEval's own loop."""

import contextlib
import io
import sys

import numpy as np
import pytest
from ap_reference import FRAMES, box_tube
from vis_files import perfect_samples, write_annotations

from tmt_vis.evaluation import (
    GroundTruthTubes,
    PredictedTubes,
    VISMetric,
    evaluate_tracking,
)
from tmt_vis.structures import encode_tubes

trackeval = pytest.importorskip("trackeval")

BOX, OTHER = (2, 2, 6, 8), (12, 2, 6, 8)
ALWAYS = np.ones(FRAMES, dtype=bool)
EARLY = np.array([True, True, False, False])


def truth(masks, slots=None, crowd=None, **options):
    slots = np.zeros(len(masks)) if slots is None else np.array(slots)
    crowd = np.zeros(len(masks)) if crowd is None else np.array(crowd)
    return GroundTruthTubes(
        encode_tubes(np.stack(masks)), slots.astype(int), crowd.astype(bool), **options
    )


def found(masks, slots=None, scores=None):
    slots = np.zeros(len(masks)) if slots is None else np.array(slots)
    scores = np.ones(len(masks)) if scores is None else np.array(scores)
    return PredictedTubes(encode_tubes(np.stack(masks)), slots.astype(int), scores)


def evaluate(objects, tracks, names=("cow",), **options):
    return evaluate_tracking({1: objects}, {1: tracks}, names=names, **options)


def test_perfect_tracks():
    masks = [box_tube(BOX, ALWAYS), box_tube(OTHER, EARLY)]
    numbers = evaluate(truth(masks), found(masks)).class_averaged
    assert numbers.pop("IDSW") == 0
    assert set(numbers.values()) == {1.0}


def test_one_switch_of_identity_half_way():
    """All is found: DetA 1. Each frame shares its object with 2 of 4: AssA 1/2."""
    tracks = found([box_tube(BOX, EARLY), box_tube(BOX, ~EARLY)])
    numbers = evaluate(truth([box_tube(BOX, ALWAYS)]), tracks).class_averaged
    assert numbers["DetA"] == 1.0
    assert numbers["AssA"] == pytest.approx(0.5)
    assert numbers["HOTA"] == pytest.approx(0.5**0.5)
    assert numbers["IDSW"] == 1
    assert numbers["MOTA"] == pytest.approx(1 - 1 / 4)
    assert numbers["IDF1"] == pytest.approx(0.5)


def test_hota_averages_over_localisation():
    """Half of the box overlaps: IoU 1/3 passes 0.05 to 0.30, six of 19 thresholds."""
    y, x, h, w = BOX
    tracks = found([box_tube((y, x + w // 2, h, w), ALWAYS)])
    numbers = evaluate(truth([box_tube(BOX, ALWAYS)]), tracks).class_averaged
    assert numbers["HOTA"] == pytest.approx(6 / 19)
    assert numbers["MOTA"] == pytest.approx(-1.0)  # at 0.5: four misses, four wrong


def test_averages_over_classes_and_over_detections():
    """One class perfect, one missed, one without objects but with a track."""
    masks = [box_tube(BOX, ALWAYS), box_tube(OTHER, ALWAYS)]
    table = evaluate(
        truth(masks, slots=[0, 1]), found(masks, slots=[0, 2]), names=("a", "b", "c")
    )
    assert table.class_averaged["HOTA"] == pytest.approx(0.5)
    assert table.detection_averaged["HOTA"] == pytest.approx((1 / 3) ** 0.5)
    assert [row["HOTA"] for row in table.per_class[:2]] == [1.0, 0.0]
    assert np.isnan(table.per_class[2]["HOTA"])


def test_one_class_for_everything():
    masks = [box_tube(BOX, ALWAYS), box_tube(OTHER, ALWAYS)]
    objects, tracks = truth(masks, slots=[0, 3]), found(masks, slots=[2, 1])
    numbers = evaluate(objects, tracks, names=["any category"]).class_averaged
    assert numbers["HOTA"] == 1.0


def test_weak_tracks_count_unless_left_out():
    masks = [box_tube(BOX, ALWAYS), box_tube(OTHER, ALWAYS)]
    tracks = found(masks, scores=[0.9, 0.1])
    everything = evaluate(truth(masks[:1]), tracks).class_averaged
    assert everything["DetA"] == pytest.approx(0.5)
    strong = evaluate(truth(masks[:1]), tracks, min_score=0.5).class_averaged
    assert strong["DetA"] == 1.0


def test_crowds_are_no_objects():
    masks = [box_tube(BOX, ALWAYS), box_tube(OTHER, ALWAYS)]
    table = evaluate(truth(masks, crowd=[0, 1]), found(masks[:1]))
    assert table.class_averaged["HOTA"] == 1.0


def test_detections_of_ignored_categories_need_an_object():
    """Frame by frame: the track on the object counts, the other one is left out."""
    masks = [box_tube(BOX, ALWAYS), box_tube(OTHER, ALWAYS)]
    strict = evaluate(truth(masks[:1]), found(masks)).class_averaged
    assert strict["DetPr"] == pytest.approx(0.5)
    objects = truth(masks[:1], ignored_slots=frozenset({0}))
    assert evaluate(objects, found(masks)).class_averaged["DetPr"] == 1.0


def test_without_objects_nothing_can_be_measured():
    empty = GroundTruthTubes((), np.zeros(0, dtype=int), np.zeros(0, dtype=bool))
    table = evaluate(empty, found([box_tube(BOX, ALWAYS)]))
    assert np.isnan(list(table.class_averaged.values())).all()
    assert np.isnan(list(table.detection_averaged.values())).all()


def random_videos(seed):
    rng = np.random.default_rng(seed)
    videos = {}
    for video_id in (3, 11):
        masks = [
            box_tube(rng.integers([0, 0, 4, 4], [9, 12, 11, 11]), rng.random(4) < 0.8)
            for _ in range(4)
        ]
        moved = [np.roll(m, rng.integers(-1, 2), axis=2) for m in masks]
        videos[video_id] = (
            truth(masks, slots=rng.integers(0, 2, 4)),
            found([*moved, masks[0]], slots=rng.integers(0, 2, 5)),
        )
    return [{i: pair[k] for i, pair in videos.items()} for k in (0, 1)]


def test_equals_trackevals_own_evaluator():
    """Ours skips the classes a video does not have; the numbers stay."""
    from tmt_vis.evaluation.tracking_dataset import TRACKER, TubeTrackingDataset

    objects, tracks = random_videos(0)
    dataset = TubeTrackingDataset(objects, tracks, names=["a", "b"])
    off = ("PRINT_RESULTS", "PRINT_CONFIG", "TIME_PROGRESS", "PLOT_CURVES")
    off += ("OUTPUT_SUMMARY", "OUTPUT_DETAILED")
    config = {**dict.fromkeys(off, False), "LOG_ON_ERROR": None}
    metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR({"PRINT_CONFIG": 0})]
    with contextlib.redirect_stdout(io.StringIO()):
        results, _ = trackeval.Evaluator(config).evaluate([dataset], metrics)
    combined = results["TubeTrackingDataset"][TRACKER]["COMBINED_SEQ"]
    table = evaluate_tracking(objects, tracks, names=["a", "b"])
    for ours, key in (
        (table.class_averaged, "cls_comb_cls_av"),
        (table.detection_averaged, "cls_comb_det_av"),
        (table.per_class[0], "a"),
    ):
        theirs = {**combined[key]["HOTA"], **combined[key]["CLEAR"]}
        for name in ("HOTA", "DetA", "AssA", "LocA", "MOTA", "IDSW"):
            assert ours[name] == pytest.approx(np.mean(theirs[name]), abs=1e-12)
    assert 0.1 < table.class_averaged["HOTA"] < 0.9


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    with pytest.raises(ImportError, match=r"pip install tmt-vis\[tracking\]"):
        evaluate_tracking({}, {}, names=["a"])


@pytest.mark.parametrize(("min_score", "expected"), [(0.0, 1.0), (0.95, 0.0)])
def test_the_metric_of_a_validation_reports_hota(tmp_path, min_score, expected):
    path = write_annotations(tmp_path / "ann.json", "ovis")
    metric = VISMetric(dataset="ovis", ann_file=path, hota=True, min_score=min_score)
    for sample in perfect_samples("ovis", metric.annotations):
        metric.process(None, [sample.to_dict()])
    metrics = metric.evaluate(1)
    assert metrics["ovis/AP"] == 1
    assert {metrics[f"ovis/{name}"] for name in ("HOTA", "DetA", "IDF1")} == {expected}
    assert metrics["ovis/IDSW"] == 0
