"""AP and AR equal the official YouTube-VIS evaluator; where that is wrong, ours."""

import numpy as np
import pytest
from ap_reference import (
    FRAMES,
    annotation_file,
    box_tube,
    official_evaluation,
    our_evaluation,
    random_case,
    result_entries,
)

from tmt_vis.evaluation import (
    GroundTruthTubes,
    PredictedTubes,
    evaluate_tubes,
)
from tmt_vis.structures import TubeRLE

ALWAYS = np.ones(FRAMES, dtype=bool)


@pytest.fixture(autouse=True)
def numpy_float(monkeypatch):
    monkeypatch.setattr(np, "float", float, raising=False)


def assert_same(file, entries, **options):
    precision, recall, stats = official_evaluation(file, entries, **options)
    table = our_evaluation(file, entries, **options)
    np.testing.assert_allclose(table.precision, precision, rtol=0, atol=1e-9)
    np.testing.assert_allclose(table.recall, recall, rtol=0, atol=1e-9)
    numbers = list(table.summary().values())
    np.testing.assert_allclose(numbers, stats[: len(numbers)], rtol=0, atol=1e-9)
    return table


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("class_agnostic", [False, True])
def test_equals_official_evaluator(seed, class_agnostic):
    """Gaps, crowds, score ties, empty videos, classes without objects or tracks."""
    file, entries = random_case(seed)
    assert_same(file, entries, class_agnostic=class_agnostic)


def test_random_cases_are_not_trivial():
    tables = [our_evaluation(*random_case(seed)) for seed in range(12)]
    values = np.array([list(table.summary().values()) for table in tables])
    assert (np.nanmean(values, axis=0) > 0.05).all()
    assert (np.nanmean(values, axis=0) < 0.95).all()
    assert np.isnan(tables[0].class_ap()[-1])  # a class without object
    assert any(np.isnan(table.class_ap()[:-1]).any() for table in tables)


def test_equals_official_evaluator_with_more_tracks_than_counted():
    """More than 100 tracks a video: the rest is cut before matching."""
    file, _ = random_case(1, num_videos=2, num_classes=2)
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(130):
        box = rng.integers([0, 0, 3, 3], [9, 12, 11, 11])
        rows.append(
            (2, 1, box_tube(box, rng.random(FRAMES) < 0.8), float(rng.random()))
        )
    rows[0] = (*rows[0][:3], 2.0)
    table = assert_same(file, result_entries(rows))
    assert table.num_tracks.tolist() == [100, 0]


def test_without_predictions_everything_is_zero():
    file, _ = random_case(2)
    table = assert_same(file, [])
    assert table.ap() == 0.0
    assert table.ar(1) == 0.0


def test_without_objects_nothing_can_be_measured():
    file = annotation_file([], num_videos=2, category_ids=[1, 2])
    found = result_entries([(1, 1, box_tube((2, 2, 5, 5), ALWAYS), 0.5)])
    table = our_evaluation(file, found)
    assert np.isnan(list(table.summary().values())).all()


def test_official_area_ranges():
    """Mean areas on and around 128**2 and 256**2; both borders belong to both sides."""
    sides = [(127, 128), (128, 128), (128, 129), (256, 256), (256, 257)]
    truth, found = {}, {}
    for video_id, (h, w) in enumerate(sides):
        masks = np.zeros((2, 260, 260), dtype=bool)
        masks[0, :h, :w] = True  # absent in the other frame, which must not halve it
        tube = [TubeRLE.from_masks(masks)]
        slot = np.array([video_id])
        truth[video_id] = GroundTruthTubes(tube, slot, np.zeros(1, bool))
        found[video_id] = PredictedTubes(tube, slot, np.ones(1))
    table = evaluate_tubes(truth, found, num_slots=5)
    measured = {a: ~np.isnan(table.class_ap(group=a)) for a in ("s", "m", "l")}
    assert measured["s"].tolist() == [True, True, False, False, False]
    assert measured["m"].tolist() == [False, True, True, True, False]
    assert measured["l"].tolist() == [False, False, False, True, True]


def test_object_ids_do_not_matter():
    """The official code cannot match an object with id 0; we have no ids."""
    masks = box_tube((2, 2, 6, 6), ALWAYS)
    file = annotation_file([(1, 1, masks, False)], num_videos=1, category_ids=[1])
    file["annotations"][0]["id"] = 0
    entries = result_entries([(1, 1, masks, 0.9)])
    assert official_evaluation(file, entries)[2][0] == 0.0
    assert our_evaluation(file, entries).ap() == 1.0


def test_area_of_an_object_is_that_of_its_masks():
    """The official code believes the file, where box areas can be found."""
    masks = box_tube((2, 2, 5, 5), ALWAYS)
    file = annotation_file([(1, 1, masks, False)], num_videos=1, category_ids=[1])
    file["annotations"][0]["areas"] = [50] * FRAMES
    entries = result_entries([(1, 1, masks, 0.9)])
    official = official_evaluation(file, entries)[2]
    assert np.isnan(official[3])
    assert official[4] == pytest.approx(1.0)  # "medium"
    assert our_evaluation(file, entries).ap(group="s") == 1.0


def test_crowd_by_prediction_forgives_a_track_inside_a_crowd():
    """Plain IoU calls a small track in a large crowd region wrong."""
    crowd = box_tube((0, 0, 16, 20), ALWAYS)
    person = box_tube((17, 2, 3, 5), ALWAYS)
    inside = box_tube((4, 4, 4, 4), ALWAYS)
    rows = [(1, 1, crowd, True), (1, 1, person, False)]
    file = annotation_file(rows, num_videos=1, category_ids=[1])
    entries = result_entries([(1, 1, inside, 0.9), (1, 1, person, 0.8)])
    assert assert_same(file, entries).ap() == pytest.approx(0.5)
    assert our_evaluation(file, entries, crowd_by_prediction=True).ap() == 1.0


def test_of_two_equally_good_objects_the_later_is_taken():
    """Then the second track finds only what the first left; the order decides AP."""
    objects = [(1, 1, box_tube((2, x, 12, 12), ALWAYS), False) for x in (1, 3)]
    tracks = [
        (1, 1, box_tube((2, x, 12, 12), ALWAYS), s) for x, s in ((2, 0.9), (3, 0.8))
    ]
    tables = []
    for rows in (objects, objects[::-1]):
        file = annotation_file(rows, num_videos=1, category_ids=[1])
        tables.append(assert_same(file, result_entries(tracks)))
    assert tables[0].ap() < tables[1].ap()


def test_subset_of_slots_and_single_thresholds():
    masks = box_tube((2, 2, 6, 6), ALWAYS)
    rows = [(1, 1, masks, False), (1, 2, masks, False)]
    file = annotation_file(rows, num_videos=1, category_ids=[1, 2, 3])
    table = our_evaluation(file, result_entries([(1, 1, masks, 0.9)]))
    assert table.ap() == 0.5
    assert table.ap(slots=np.array([True, False, False])) == 1.0
    assert np.isnan(table.ap(slots=np.array([False, False, True])))
    with pytest.raises(ValueError, match="not measured"):
        table.ap(iou=0.3)


def test_malformed_input_is_named():
    tube = [TubeRLE.from_masks(np.ones((1, 2, 2), dtype=bool))]
    one = np.ones(1)
    slot = np.zeros(1, dtype=np.int64)
    with pytest.raises(ValueError, match="finite"):
        PredictedTubes(tube, slot, np.array([np.nan]))
    with pytest.raises(ValueError, match="one entry per tube"):
        GroundTruthTubes(tube, np.zeros(2, dtype=np.int64), one > 2)
    with pytest.raises(ValueError, match="not in the ground truth"):
        evaluate_tubes({}, {3: PredictedTubes(tube, slot, one)}, num_slots=1)
    with pytest.raises(ValueError, match=r"slots must be in \[0, 1\)"):
        evaluate_tubes({3: GroundTruthTubes(tube, slot + 1, one > 2)}, {}, num_slots=1)
