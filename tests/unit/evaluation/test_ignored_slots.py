"""Federated annotations: what nobody looked for is neither right nor wrong."""

import numpy as np
import pytest
from ap_reference import (
    AREAS,
    FRAMES,
    box_tube,
    official_evaluation,
    random_case,
    slots_of,
    tubes_of,
)

from tmt_vis.evaluation import (
    GroundTruthTubes,
    PredictedTubes,
    VISProtocol,
    evaluate_tubes,
)
from tmt_vis.structures import encode_tubes

ALWAYS = np.ones(FRAMES, dtype=bool)
BOXES = [(2, 2, 6, 6), (11, 2, 6, 6), (2, 14, 6, 6)]


def evaluate(truth, found, num_slots, **options):
    protocol = VISProtocol(**{"area_ranges": AREAS, **options})
    return evaluate_tubes(truth, found, num_slots=num_slots, protocol=protocol)


def one_video(ignored, **options):
    """One object of slot 0; a wrong track of slot 1, one of slot 0, then the right."""
    tubes = encode_tubes(np.stack([box_tube(box, ALWAYS) for box in BOXES]))
    truth = GroundTruthTubes(
        tubes[2:], np.zeros(1, int), np.zeros(1, bool), ignored_slots=ignored
    )
    found = PredictedTubes(tubes, np.array([1, 0, 0]), np.array([0.9, 0.8, 0.7]))
    return evaluate({1: truth}, {1: found}, 2, **options)


@pytest.mark.parametrize(
    ("ignored", "by_class", "agnostic"),
    [((), 1 / 2, 1 / 3), ((1,), 1 / 2, 1 / 2), ((0,), 1, 1 / 2), ((0, 1), 1, 1)],
)
def test_a_track_counts_if_it_finds_an_object(ignored, by_class, agnostic):
    """The right track counts in each case: only unmatched ones are ignored."""
    ignored = frozenset(ignored)
    assert one_video(ignored).ap() == pytest.approx(by_class)
    assert one_video(ignored, class_agnostic=True).ap() == pytest.approx(agnostic)


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_official_evaluator_without_the_tracks(seed, monkeypatch):
    """Categories nobody looked for in a video: as if their tracks were not there."""
    monkeypatch.setattr(np, "float", float, raising=False)
    file, entries = random_case(seed)
    present = {(r["video_id"], r["category_id"]) for r in file["annotations"]}
    kept = [e for e in entries if (e["video_id"], e["category_id"]) in present]
    assert 0 < len(kept) < len(entries)
    truth, found = {}, {}
    for video_id in (video["id"] for video in file["videos"]):
        rows = [r for r in file["annotations"] if r["video_id"] == video_id]
        crowd = np.array([r["iscrowd"] for r in rows], dtype=bool)
        shown = {slot for slot in range(4) if (video_id, slot + 1) in present}
        truth[video_id] = GroundTruthTubes(
            tubes_of(rows),
            slots_of(rows),
            crowd,
            ignored_slots=frozenset(range(4)) - shown,
        )
        rows = [r for r in entries if r["video_id"] == video_id]
        scores = np.array([r["score"] for r in rows], dtype=np.float64)
        found[video_id] = PredictedTubes(tubes_of(rows), slots_of(rows), scores)
    precision, recall, _ = official_evaluation(file, kept)
    table = evaluate(truth, found, 4)
    np.testing.assert_allclose(table.precision, precision, rtol=0, atol=1e-9)
    np.testing.assert_allclose(table.recall, recall, rtol=0, atol=1e-9)
