"""Matching equals a written-out reference, stays in the label space, never fails."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment

from tmt_vis.assigners import (
    TaxoHungarianAssigner,
    bce_cost,
    dice_cost,
    mask_costs,
    solve,
)
from tmt_vis.losses import restrict_logits
from tmt_vis.ops import PointSampler, clip_generator, mask_logits, sample_points
from tmt_vis.structures import ClipTargets

POINTS = PointSampler(num_points=128)


def _batch(counts=(2, 3), stages=3, queries=6, frames=2, categories=5):
    generator = torch.Generator().manual_seed(0)
    clips = len(counts)
    logits = torch.randn(stages, clips, queries, categories + 1, generator=generator)
    embeds = torch.randn(stages, clips, queries, 8, generator=generator)
    features = torch.randn(clips, frames, 8, 6, 10, generator=generator)
    targets = [
        ClipTargets(
            torch.randint(categories, (n,), generator=generator),
            torch.rand(n, frames, 24, 40, generator=generator) > 0.5,
            seed=10 + i,
        )
        for i, n in enumerate(counts)
    ]
    return logits, embeds, features, targets


def _reference_cost(logits, embeds, features, target):
    """One stage of one clip, from full masks, term by term."""
    masks = mask_logits(embeds[None], features[None])[0]  # (Q, T, H, W)
    points = POINTS.matching_points(
        masks.device, clip_generator(target.seed, masks.device)
    )

    def read(maps):
        return sample_points(maps, points.expand(len(maps), -1, -1)).flatten(1)

    queries, truth = read(masks), read(target.masks.float())
    cost = torch.empty(len(queries), len(truth))
    for q, x in enumerate(queries):
        for n, t in enumerate(truth):
            bce = F.binary_cross_entropy_with_logits(x, t)
            p = x.sigmoid()
            dice = 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
            cls = -logits[q].softmax(-1)[target.labels[n]]
            cost[q, n] = 2 * cls + 5 * bce + 5 * dice
    return cost


def test_costs_and_matches_equal_the_reference():
    logits, embeds, features, targets = _batch()
    assigner = TaxoHungarianAssigner()
    matches = assigner.assign(logits, embeds, features, targets, POINTS)
    for clip, target in enumerate(targets):
        fast = assigner.clip_costs(
            logits[:, clip], embeds[:, clip], features[clip], target, POINTS
        )
        for stage in range(3):
            slow = _reference_cost(
                logits[stage, clip], embeds[stage, clip], features[clip], target
            )
            torch.testing.assert_close(fast[stage], slow, atol=1e-4, rtol=1e-4)
            rows, columns = linear_sum_assignment(slow.numpy())
            expected = np.empty(len(target), dtype=np.int64)
            expected[columns] = rows
            assert matches[clip][stage].tolist() == expected.tolist()


def test_a_category_outside_the_label_space_attracts_no_query():
    logits, embeds, features, targets = _batch(counts=(1,))
    logits[..., 0] = 50.0  # every query is sure of category 0 ...
    logits[:, :, 3, 2] = 5.0  # ... query 3 has a hint of the true one
    target = ClipTargets(torch.tensor([2]), targets[0].masks, seed=1)
    strong = TaxoHungarianAssigner(class_weight=1e3)
    free = strong.assign(logits, embeds, features, [target], POINTS)[0]
    keep = torch.tensor([[False, True, True, True, True]])
    restricted = restrict_logits(logits, keep)
    bound = strong.assign(restricted, embeds, features, [target], POINTS)[0]
    assert (bound == 3).all() and not (free == 3).all()


@pytest.mark.parametrize("counts", [(0,), (0, 2), (9, 1), (1, 0, 4)])
def test_any_number_of_targets(counts):
    logits, embeds, features, targets = _batch(counts=counts)
    matches = TaxoHungarianAssigner().assign(logits, embeds, features, targets, POINTS)
    for match, count in zip(matches, counts, strict=True):
        assert match.shape == (3, count)
        for row in match:
            used = row[row >= 0]
            assert len(used) == min(count, 6) == len(used.unique())


def test_permuting_queries_permutes_matches():
    logits, embeds, features, targets = _batch()
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    assigner = TaxoHungarianAssigner()
    plain = assigner.assign(logits, embeds, features, targets, POINTS)
    moved = assigner.assign(
        logits[:, :, order], embeds[:, :, order], features, targets, POINTS
    )
    for a, b in zip(plain, moved, strict=True):
        assert torch.equal(a, order[b])


def test_half_precision_sums_do_not_overflow():
    """12,544 logits of 8 sum to 100k, which float16 cannot hold."""
    logits, embeds, features, targets = _batch(counts=(2,))
    half = [x.mul(8).half() for x in (logits, embeds, features)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        matches = TaxoHungarianAssigner().assign(
            *half, targets, PointSampler(num_points=12544)
        )
    full = TaxoHungarianAssigner().assign(
        *(x.float() for x in half), targets, PointSampler(num_points=12544)
    )
    assert torch.equal(matches[0], full[0])


def test_a_prediction_that_is_not_finite_is_survived():
    logits, embeds, features, targets = _batch()
    embeds[0, 0, 0] = float("nan")
    matches = TaxoHungarianAssigner().assign(logits, embeds, features, targets, POINTS)
    assert not (matches[0][0] == 0).any(), "a finite query is preferred"


def test_pairwise_costs_equal_the_row_losses():
    from tmt_vis.losses import point_bce, point_dice

    torch.manual_seed(0)
    logits, truth = torch.randn(4, 50), (torch.rand(4, 50) > 0.5).float()
    torch.testing.assert_close(
        bce_cost(logits, truth).diagonal(), point_bce(logits, truth)
    )
    torch.testing.assert_close(
        dice_cost(logits, truth).diagonal(), point_dice(logits, truth)
    )


@pytest.mark.parametrize("at_once", [1, 130, 10**9])
@pytest.mark.parametrize("num_points, num_targets", [(1, 1), (65, 3), (128, 2), (9, 0)])
def test_shared_sums_equal_the_costs_of_logits(num_points, num_targets, at_once):
    torch.manual_seed(0)
    embeds, features = torch.randn(2, 3, 8), torch.randn(num_points, 8)
    embeds[0, 0] *= 100  # logits far beyond the range of a float32 sigmoid
    truth = torch.rand(num_targets, num_points)
    logits = embeds.double() @ features.double().T
    assert num_points == 1 or logits.abs().max() > 120
    slow = 2 * bce_cost(logits, truth.double()) + 3 * dice_cost(logits, truth.double())
    fast = mask_costs(
        embeds, features, truth, bce_weight=2, dice_weight=3, logits_at_once=at_once
    )
    assert fast.shape == (2, 3, num_targets)
    torch.testing.assert_close(fast.double(), slow, atol=1e-5, rtol=1e-5)


def assignments(targets, queries):
    """Yield every way to give different queries to some of the targets."""
    for size in range(min(targets, queries) + 1):
        for some in itertools.combinations(range(targets), size):
            for chosen in itertools.permutations(range(queries), size):
                yield list(zip(chosen, some, strict=True))


def test_blocked_pairs_are_never_matched():
    random = np.random.RandomState(0)
    for _ in range(50):
        costs = random.standard_normal((1, 4, 3)).astype(np.float32) * 100
        blocked = random.random((4, 3)) < 0.4
        (match,) = solve(costs, blocked)
        found = [(query, n) for n, query in enumerate(match.tolist()) if query >= 0]
        assert not any(blocked[pair] for pair in found)
        best = min(
            (-len(pairs), sum(costs[0][pair] for pair in pairs))
            for pairs in assignments(3, 4)
            if not any(blocked[pair] for pair in pairs)
        )
        assert -len(found) == best[0]
        assert sum(costs[0][pair] for pair in found) == pytest.approx(best[1])
    assert solve(costs, np.ones((4, 3), bool)).tolist() == [[-1] * 3]
