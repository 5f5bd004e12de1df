"""Chained matching against the published cost matrices, and where it goes beyond."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from tmt_vis.assigners.clip_chain import ClipChain


def as_published(costs, present, protect=True):
    """Match every clip: (C, Q, N) costs, (C, N) present -> (C, N) queries."""
    seen = np.zeros(present.shape[1], bool)
    last = np.full(present.shape[1], -1)
    out = []
    for clip, (cost, valid) in enumerate(zip(costs, present, strict=True)):
        new, old = valid & ~seen, valid & seen
        cost = cost.copy()
        cost[:, ~new] = 1e6
        if clip > 0 and protect:
            cost[last[old]] = 1e6
        rows, columns = linear_sum_assignment(cost)
        found = np.full(len(valid), -1)
        found[columns] = rows
        last = np.where(new, found, last)
        seen |= valid
        out.append(np.where(valid, last, -1))
    return np.stack(out)


def random_video(seed, clips=7, stages=2, queries=9, objects=5):
    random = np.random.RandomState(seed)
    costs = random.standard_normal((clips, stages, queries, objects))
    return costs.astype(np.float32), random.random((clips, objects)) < 0.45


def chained(costs, present, **options):
    clips, stages, _, objects = costs.shape
    chain = ClipChain(num_objects=objects, num_stages=stages, **options)
    return [chain.step(costs[clip], present[clip]) for clip in range(clips)]


def test_random_videos_are_matched_as_published():
    unprotected = 0
    for seed in range(30):
        costs, present = random_video(seed)
        matches = np.stack([match.masks for match in chained(costs, present)], 1)
        for stage, got in enumerate(matches):
            expected = as_published(costs[:, stage], present)
            assert np.array_equal(got, expected)
            free = as_published(costs[:, stage], present, protect=False)
            unprotected += not np.array_equal(expected, free)
    assert unprotected > 5


def one_stage(rows):
    return np.array(rows, np.float32)[None]


def test_a_returning_object_shares_its_query_and_the_older_one_is_named():
    likes_0 = one_stage([[0, 0], [9, 9], [9, 9]])
    present = np.array([[True, False], [False, True], [True, True]])
    costs = np.stack([likes_0] * 3)
    first, second, third = chained(costs, present)
    assert first.masks.tolist() == [[0, -1]] and second.masks.tolist() == [[-1, 0]]
    assert third.masks.tolist() == [[0, 0]]
    assert third.classes.tolist() == [[0, -1]]
    # The same with the objects listed the other way round.
    *_, third = chained(costs, present[:, ::-1])
    assert third.classes.tolist() == [[-1, 0]]


def test_vanished_objects_can_hold_their_query():
    costs = np.stack([one_stage([[0, 0], [9, 5], [9, 9]])] * 3)
    present = np.array([[True, False], [False, True], [True, True]])
    *_, third = chained(costs, present, protect_vanished=True)
    assert third.masks.tolist() == third.classes.tolist() == [[0, 1]]


def test_objects_without_a_query_are_counted_and_tried_again():
    cost = one_stage([[3, 1, 2], [1, 2, 3]])  # two queries, three objects
    present = np.array([[True] * 3, [False, True, True]])
    first, second = chained(np.stack([cost] * 2), present)
    assert first.masks.tolist() == [[1, 0, -1]] and first.leftover == 1
    # Query 1 is free again, and the object is new as long as nothing has it.
    assert second.masks.tolist() == [[-1, 0, 1]] and second.leftover == 0


def test_nothing_to_match():
    empty = np.zeros((3, 4, 0), np.float32)
    (match,) = chained(empty[None], np.zeros((1, 0), bool))
    assert match.masks.shape == match.classes.shape == (3, 0) and match.leftover == 0
    costs, present = random_video(0)
    (match, *_) = chained(costs, np.zeros_like(present))
    assert (match.masks == -1).all() and (match.classes == -1).all()
