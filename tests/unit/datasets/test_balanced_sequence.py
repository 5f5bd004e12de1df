"""Shares of the mixture, in every window."""

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmt_vis.datasets import BalancedSequence

PAPER = dict(ovis=1, uvo=0.75, ytvis19=1)
MIXES = [
    PAPER,
    dict(a=1, b=1, c=1, d=0.75),
    dict(a=1, b=1),
    dict(a=5, b=2),
    dict(a=2883, b=3859, c=901),
    dict(a=1, b=2, c=4, d=8, e=16),
    dict(a=100, b=1, c=1, d=1),
    dict(a=3, b=5, c=7, d=11, e=13, f=17),
]


def word(sequence: BalancedSequence, length: int) -> np.ndarray:
    """Return (length, n) bool, one-hot over the names in sorted order."""
    names = list(sequence.weights)
    drawn = [names.index(sequence.at(p)[0]) for p in range(length)]
    return np.eye(len(names), dtype=bool)[drawn]


def worst_window_errors(sequence: BalancedSequence) -> np.ndarray:
    """Return the largest |count - n * share| over all windows, per name.

    A window is the difference of two prefixes and the sequence is periodic, so the
    spread of the prefix errors over one period covers windows of every length.
    """
    period = sequence.period
    counts = np.cumsum(word(sequence, period), axis=0)
    shares = np.array(list(sequence.weights.values())) / period
    errors = counts - np.arange(1, period + 1)[:, None] * shares
    return errors.max(axis=0) - errors.min(axis=0)


def test_the_papers_mix_is_off_by_less_than_one_clip_in_every_window():
    sequence = BalancedSequence(PAPER)
    assert sequence.weights == dict(ovis=4, uvo=3, ytvis19=4)
    counts = np.cumsum(np.vstack([np.zeros((1, 3)), word(sequence, 220)]), axis=0)
    shares = np.array([4, 3, 4]) / 11
    for length in range(1, 111):  # every window, one by one
        window = counts[length:] - counts[:-length]
        assert np.abs(window - length * shares).max() < 1
    assert set(sequence.window_error_bounds.values()) == {1.0}


@pytest.mark.parametrize("weights", MIXES)
def test_every_window_stays_within_the_stated_bound(weights):
    sequence = BalancedSequence(weights)
    bounds = np.array(list(sequence.window_error_bounds.values()))
    worst = worst_window_errors(sequence)
    assert (worst < bounds + 1e-9).all(), (worst, bounds)
    assert bounds.max() < 2.2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_the_bound_holds_for_any_mix(weights):
    sequence = BalancedSequence({f"d{i}": w for i, w in enumerate(weights)})
    bounds = np.array(list(sequence.window_error_bounds.values()))
    assert (worst_window_errors(sequence) < bounds + 1e-9).all()
    if len(set(weights)) <= 2:
        assert bounds.max() <= 1


def test_turns_count_earlier_occurrences():
    sequence = BalancedSequence(MIXES[-1])
    seen = dict.fromkeys(sequence.weights, 0)
    for position in range(200):
        name, turn = sequence.at(position)
        assert turn == seen[name]
        seen[name] += 1


def test_the_sequence_is_periodic_so_far_positions_need_no_loop():
    sequence = BalancedSequence(PAPER)
    far = 11 * 10**12
    for position in range(11):
        name, turn = sequence.at(position)
        per_period = sequence.weights[name] * 10**12
        assert sequence.at(far + position) == (name, turn + per_period)
    start = time.process_time()  # not the time of other programs
    for position in range(far, far + 2000):
        sequence.at(position)
    assert time.process_time() - start < 0.5  # about 1 microsecond each


def test_order_of_the_mapping_does_not_matter():
    backwards = dict(reversed(PAPER.items()))
    one, other = BalancedSequence(PAPER), BalancedSequence(backwards)
    assert [one.at(p) for p in range(50)] == [other.at(p) for p in range(50)]


def test_decimals_are_taken_as_written():
    tenths = BalancedSequence(dict(a=0.1, b=0.2, c=0.7))
    assert tenths.weights == dict(a=1, b=2, c=7)
    thirds = BalancedSequence(dict(a=1e-3, b=np.float32(2.0)))
    assert Fraction(thirds.weights["a"], thirds.weights["b"]) == Fraction(1, 2000)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf")])
def test_ratios_must_be_positive_numbers(bad):
    with pytest.raises(ValueError, match="'b' must be a positive number"):
        BalancedSequence(dict(a=1, b=bad))
    with pytest.raises(ValueError, match="at least one"):
        BalancedSequence({})
