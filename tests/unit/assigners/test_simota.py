"""One-to-many matching against the version written out, and by hand."""

import numpy as np
import pytest
import torch

from benchmarks.matching import written_assignment, written_costs
from tmt_vis.assigners import FrameBoxes, QuerySimOTAAssigner
from tmt_vis.assigners.simota import match_queries
from tmt_vis.engine import StepCounter


def random_frame(queries, objects, seed, stages=3, **options):
    """Draw queries around objects, so that there is something to share."""
    draw = torch.Generator().manual_seed(seed)
    centers = 0.2 + 0.6 * torch.rand(objects, 2, generator=draw)
    sizes = 0.1 + 0.3 * torch.rand(objects, 2, generator=draw)
    truth = torch.cat([centers, sizes], 1)
    boxes = truth[torch.randint(objects, (stages, queries), generator=draw)]
    boxes = boxes + 0.08 * torch.randn(boxes.shape, generator=draw)
    return FrameBoxes(
        class_logits=2 * torch.randn(stages, queries, 6, generator=draw),
        boxes=boxes.clamp(0.02, 0.98),
        labels=torch.randint(6, (objects,), generator=draw),
        object_boxes=truth,
        **options,
    )


def as_sets(matches):
    """Return the queries of each object in each stage."""
    return [
        [set(np.flatnonzero(row == index).tolist()) for index in range(len(best))]
        for row, best in zip(matches.objects, matches.best, strict=True)
    ]


@pytest.mark.parametrize(
    "queries, objects",
    [(300, 5), (300, 1), (60, 8), (12, 4), (9, 9)],
    ids=["usual", "one object", "fewer than 100 queries", "few", "as many"],
)
def test_equals_the_written_out_version(queries, objects):
    frames = [random_frame(queries, objects, seed) for seed in range(4)]
    assigner = QuerySimOTAAssigner()
    ours = [as_sets(matches) for (matches,) in assigner.assign(frames)]
    assert ours == written_assignment(frames)
    for frame, (matches,) in zip(frames, assigner.assign(frames), strict=True):
        for stage, row in enumerate(as_sets(matches)):
            costs = written_costs(frame, stage)[0]
            for index, chosen in enumerate(row):
                cheapest = min(chosen, key=lambda q: costs[q, index].item())  # noqa: B023
                assert matches.best[stage, index] == cheapest


def test_costs_equal_the_written_out_ones():
    frame = random_frame(50, 4, seed=9)
    costs, overlaps = QuerySimOTAAssigner().costs(frame)
    for stage in range(3):
        expected = written_costs(frame, stage)
        assert torch.allclose(costs[stage], expected[0], rtol=1e-5, atol=1e-4)
        assert torch.allclose(overlaps[stage], expected[1], atol=1e-6)


def test_the_number_of_queries_follows_the_overlaps():
    cost = np.arange(8, dtype=np.float32)[:, None]
    overlap = np.full((8, 1), 0.45, np.float32)
    for candidates, count in ((1, 1), (5, 2), (10, 3), (100, 3)):
        matched = match_queries(cost, overlap, candidates)[:, 0]
        assert matched.tolist() == [query < count for query in range(8)]


@pytest.mark.parametrize(
    "cost, objects",
    [
        # Both want query 0; it is cheaper for object 1, so object 0 takes the next.
        ([[2, 1], [3, 9], [9, 9]], [1, 0, -1]),
        # Three want it; the two that lose want query 1 as well, then the last is free.
        ([[3, 2, 1], [5, 4, 9], [9, 9, 9]], [2, 1, 0]),
        # More objects than queries: the one that fits worst has none.
        ([[1, 2, 3], [4, 3, 6]], [0, 1]),
    ],
    ids=["repair", "repair twice", "more objects"],
)
def test_every_object_gets_a_query_by_hand(cost, objects):
    cost = np.array(cost, np.float32)
    matched = match_queries(cost, np.zeros_like(cost), 10)
    owners = np.where(matched.any(1), matched.argmax(1), -1)
    assert owners.tolist() == objects
    assert matched.sum(1).max() == 1


def test_an_object_with_several_queries_gives_one_away():
    """Where none is free; the released code would not end."""
    cost = np.array([[1, 5], [2, 4], [3, 9]], np.float32)
    overlap = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]], np.float32) + 0.2
    matched = match_queries(cost, overlap, 10)
    assert matched.tolist() == [[True, False], [False, True], [True, False]]


@pytest.mark.parametrize("seed", range(20))
def test_a_query_has_one_object_and_objects_have_queries(seed):
    draw = np.random.default_rng(seed)
    queries, objects = draw.integers(1, 30), draw.integers(1, 30)
    cost = draw.random((queries, objects), np.float32)
    cost += 5 * draw.random((queries, 1), np.float32)  # all want the same
    overlap = draw.random((queries, objects), np.float32)
    matched = match_queries(cost, overlap, 10)
    assert matched.sum(1).max() <= 1
    assert matched.any(0).sum() == min(queries, objects)


def test_more_candidates_are_a_matching_of_their_own():
    frame = random_frame(200, 3, seed=4, candidates=(10, 100))
    few, many = QuerySimOTAAssigner().assign([frame])[0]
    assert (many.objects >= 0).sum() > 2 * (few.objects >= 0).sum()
    lone = frame._replace(candidates=(100,))
    assert np.array_equal(
        QuerySimOTAAssigner().assign([lone])[0][0].objects, many.objects
    )


def test_frames_without_objects():
    none = random_frame(7, 2, seed=5)
    none = FrameBoxes(*none[:2], *(part[:0] for part in none[2:4]))
    (empty,), (full,) = QuerySimOTAAssigner().assign([none, random_frame(7, 2, seed=6)])
    assert (empty.objects == -1).all() and empty.best.shape == (3, 0)
    assert (full.best >= 0).all()


def test_numbers_that_are_not_finite_match_something():
    frame = random_frame(7, 2, seed=7)
    frame.class_logits[:, :3] = float("nan")
    frame.boxes[:, 3] = float("inf")
    (matches,) = QuerySimOTAAssigner().assign([frame])[0]
    assert (matches.best >= 0).all()


def test_one_wait_for_the_device():
    frames = [random_frame(300, 5, seed) for seed in range(4)]
    with StepCounter() as counter:
        QuerySimOTAAssigner().assign(frames)
    assert counter.num_syncs == 1


@pytest.mark.parametrize("options", [dict(center_radius=0), dict(alpha=1.5)])
def test_options_out_of_range(options):
    (name,) = options
    with pytest.raises(ValueError, match=rf"^{name} must be .* IDOL uses"):
        QuerySimOTAAssigner(**options)
