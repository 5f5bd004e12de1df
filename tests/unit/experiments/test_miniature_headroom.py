"""What knowing the categories of a video is worth."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments.miniature.headroom import shown_only, weighted
from tmt_vis.evaluation import PredictedTubes
from tmt_vis.evaluation.taxonomy_record import TaxonomyRecord


def _tracks(slots, scores):
    tubes = [f"tube {i}" for i in range(len(slots))]
    return PredictedTubes(tubes, np.array(slots, dtype=np.int64), np.array(scores))


PREDICTIONS = {
    7: _tracks([0, 2, 1], [0.9, 0.8, 0.4]),
    9: _tracks([1], [0.5]),
    11: _tracks([], np.zeros(0)),
}
ANNOTATIONS = SimpleNamespace(
    ground_truth={
        7: SimpleNamespace(slots=np.array([2, 2])),
        9: SimpleNamespace(slots=np.array([0])),
        11: SimpleNamespace(slots=np.array([1])),
    },
    videos={v: SimpleNamespace(name=f"v{v}") for v in PREDICTIONS},
)


def test_tracks_of_categories_that_are_not_shown_are_dropped():
    kept = shown_only(PREDICTIONS, ANNOTATIONS)
    assert kept[7].tubes == ["tube 1"]
    assert kept[7].slots.tolist() == [2] and kept[7].scores.tolist() == [0.8]
    assert len(kept[9]) == len(kept[11]) == 0


def test_scores_are_weighted_by_those_of_the_own_video():
    record = TaxonomyRecord(
        dataset="zoo",
        categories=("a", "b", "c"),
        videos=("v11", "v7", "v9"),
        ranks=np.zeros((3, 3), dtype=np.int64),
        scores=np.array([[0, 0, 0], [0.25, 1, 0.04], [0, 0.16, 0]]),
        compiled=np.ones((3, 3), dtype=bool),
        num_compiled=np.full(3, 3),
        present=None,
    )
    scaled = weighted(PREDICTIONS, ANNOTATIONS, record, power=0.5)
    assert scaled[7].scores.tolist() == pytest.approx([0.45, 0.16, 0.4])
    assert scaled[9].scores.tolist() == pytest.approx([0.2])
    assert scaled[7].slots.tolist() == [0, 2, 1] and len(scaled[11]) == 0
