"""Differences are those of two evaluations, intervals those of resampled videos."""

import json
from dataclasses import astuple

import numpy as np
import pytest
from ap_reference import random_case
from vis_files import perfect_predictions, write_annotations

from tmt_vis.evaluation import (
    PredictedTubes,
    VISProtocol,
    evaluate_tubes,
    load_annotations,
    read_results,
)
from tmt_vis.evaluation.analysis import compare_runs
from tmt_vis.evaluation.analysis.bootstrap import draw_videos, resampled_class_ap
from tmt_vis.evaluation.average_precision import match_videos
from tmt_vis.taxonomy import LabelSpace, Taxonomy

ALL = VISProtocol(area_ranges={"all": (0, 1e10)}, occlusion_ranges={})


def case(tmp_path, seed):
    """Annotations and tracks of a random case, without score ties."""
    file, entries = random_case(seed, num_videos=6)
    for index, entry in enumerate(entries):
        entry["score"] += index * 1e-4
    (tmp_path / "ann.json").write_text(json.dumps(file))
    (tmp_path / "run.json").write_text(json.dumps(entries))
    annotations = load_annotations(tmp_path / "ann.json")
    return annotations, read_results(tmp_path / "run.json", annotations)


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_copies_of_videos(tmp_path, seed):
    annotations, found = case(tmp_path, seed)
    truth = annotations.ground_truth
    options = dict(num_slots=len(annotations.label_space), protocol=ALL)
    matches = match_videos(truth, found, **options)
    ids = sorted(truth)
    copies = np.vstack([np.ones(len(ids), int), draw_videos(len(ids), 4, seed=seed)])
    got = resampled_class_ap(matches, copies, video_ids=ids, **options)
    for row, times in zip(got, copies, strict=True):
        repeated = [
            i for i, n in zip(ids, times.tolist(), strict=True) for _ in range(n)
        ]
        expected = evaluate_tubes(
            {new: truth[old] for new, old in enumerate(repeated)},
            {
                new: found.get(old, PredictedTubes.none())
                for new, old in enumerate(repeated)
            },
            **options,
        )
        np.testing.assert_allclose(row, expected.class_ap(), rtol=0, atol=1e-12)
    assert 0 < np.nanmean(got) < 1


def test_chunks_do_not_change_the_numbers(tmp_path, monkeypatch):
    annotations, found = case(tmp_path, 1)
    runs = dict(a=found, b={})
    whole = compare_runs(annotations, runs, num_samples=20)
    monkeypatch.setattr("tmt_vis.evaluation.analysis.bootstrap._CHUNK", 7)
    parts = compare_runs(annotations, runs, num_samples=20)
    for ours, expected in zip(
        [parts.overall, *(c.ap for c in parts.categories)],
        [whole.overall, *(c.ap for c in whole.categories)],
        strict=True,
    ):
        assert astuple(ours) == pytest.approx(astuple(expected), nan_ok=True)


@pytest.fixture
def ovis(tmp_path):
    path = write_annotations(tmp_path / "ann.json", "ovis")
    annotations = load_annotations(path, label_space=LabelSpace.load("ovis"))
    return annotations, perfect_predictions(annotations)


def without(predictions, slot):
    """Lose every track of a category."""
    return {
        video_id: PredictedTubes(
            [t for t, s in zip(p.tubes, p.slots, strict=True) if s != slot],
            p.slots[p.slots != slot],
            p.scores[p.slots != slot],
        )
        for video_id, p in predictions.items()
    }


def test_categories_and_groups(ovis):
    annotations, perfect = ovis
    bird = annotations.label_space.slot_of_name("Bird")
    result = compare_runs(
        annotations,
        {"old": without(perfect, bird), "new": perfect},
        taxonomy=Taxonomy.from_label_spaces(["ytvis19", "ovis"]),
        num_samples=50,
    )
    first = result.categories[0]
    assert (first.name, first.ap.first, first.ap.second) == ("Bird", 0.0, 1.0)
    assert first.label_spaces == ("ovis",) and first.ap.difference == 1.0
    assert {c.name: c.label_spaces for c in result.categories}["Person"] == (
        "ytvis19",
        "ovis",
    )
    birds = [v.slots == bird for v in annotations.ground_truth.values()]
    assert first.num_objects == sum(b.sum() for b in birds)
    assert first.num_videos == sum(b.any() for b in birds)
    # Bird and Vehical are OVIS's own; Person is shared, and equal in both runs.
    assert result.groups["shared"].difference == 0
    assert result.groups["single"].difference == pytest.approx(0.5)
    assert result.overall.difference == pytest.approx(1 / 3)
    assert result.overall.low <= 1 / 3 <= result.overall.high
    # Samples without any bird see no difference.
    assert 0.5 < result.share_better <= 1
    text = result.to_text()
    assert "| Bird " in text.splitlines()[2] and "+100.0" in text.splitlines()[2]
    assert "50 samples, seed 0" in text


def test_seed_decides_the_interval(ovis):
    annotations, perfect = ovis
    runs = {"old": without(perfect, 0), "new": without(perfect, 1)}
    results = [
        compare_runs(annotations, runs, num_samples=30, seed=seed) for seed in (0, 0, 1)
    ]
    assert results[0] == results[1] and results[0] != results[2]
    assert results[0].categories[0].label_spaces == ()
    assert "shared" not in results[0].to_text()


def test_two_runs_are_needed(ovis):
    with pytest.raises(ValueError, match=r"two runs of different names.*\['a'\]"):
        compare_runs(ovis[0], {"a": {}})
