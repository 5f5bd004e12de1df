"""Which frames make a clip."""

import numpy as np
import pytest

from tmt_vis.datasets import ClipSampler


def draw(visible, *, times=300, **options) -> list[list[int]]:
    sampler = ClipSampler(**options)
    visible = np.asarray(visible, dtype=bool)
    return [sampler(visible, np.random.default_rng(seed)) for seed in range(times)]


def test_clips_are_sorted_distinct_and_within_the_range_of_one_reference():
    for frames in draw(np.ones(60), num_frames=4, frame_range=5):
        assert frames == sorted(set(frames)) and len(frames) == 4
        assert any(all(abs(f - ref) <= 5 for f in frames) for ref in frames)


def test_every_frame_and_every_distance_occurs():
    clips = draw(np.ones(12), num_frames=2, frame_range=3, times=600)
    assert {f for frames in clips for f in frames} == set(range(12))
    assert {b - a for a, b in clips} == {1, 2, 3}
    first = sum(frames[0] == 0 for frames in clips)
    last = sum(frames[-1] == 11 for frames in clips)
    assert abs(first - last) < 16 < first / 4  # mirrored borders, about 81 each


def test_one_frame_clips():
    clips = draw(np.ones(7), num_frames=1)
    assert {tuple(frames) for frames in clips} == {(f,) for f in range(7)}


def test_stride_keeps_frames_on_one_grid():
    for frames in draw(np.ones(60), num_frames=4, frame_range=20, stride=5):
        assert {(f - frames[0]) % 5 for f in frames} == {0}
        assert len(set(frames)) == 4


@pytest.mark.parametrize(("frame_range", "stride"), [(1, 1), (0, 1), (20, 50)])
def test_a_small_neighbourhood_grows_by_the_nearest_frames(frame_range, stride):
    options = dict(num_frames=5, frame_range=frame_range, stride=stride)
    for frames in draw(np.ones(9), **options):
        assert frames == list(range(frames[0], frames[0] + 5))


def test_no_frame_repeats_when_the_video_is_exactly_long_enough():
    assert all(f == [0, 1, 2] for f in draw(np.ones(3), num_frames=3, frame_range=1))


def test_short_videos_repeat_frames_evenly_and_in_order():
    assert draw(np.ones(3), num_frames=7, times=1) == [[0, 0, 0, 1, 1, 2, 2]]
    assert draw(np.ones(1), num_frames=2, times=1) == [[0, 0]]


def test_some_instance_is_visible_in_every_clip_even_if_it_shows_once():
    visible = np.zeros(400)
    visible[123] = 1
    options = dict(num_frames=2, frame_range=3, max_resample=1, times=100)
    assert all(123 in frames for frames in draw(visible, **options))


def test_clips_of_empty_videos_are_plain_draws():
    clips = draw(np.zeros(30), num_frames=2)
    assert len({tuple(frames) for frames in clips}) > 50


def test_frames_without_object_are_sampled_too():
    visible = np.arange(20) < 10
    clips = draw(visible, num_frames=2, frame_range=20)
    assert any(not visible[frames[1]] for frames in clips)


def test_orders_change_the_order_only():
    options = dict(num_frames=4, frame_range=9, times=60)
    ascending = draw(np.ones(40), **options)
    backwards = draw(np.ones(40), frame_order="reversed", **options)
    assert backwards == [frames[::-1] for frames in ascending]
    shuffled = draw(np.ones(40), frame_order="shuffled", **options)
    assert [sorted(frames) for frames in shuffled] == ascending
    ranks = {tuple(np.argsort(frames).tolist()) for frames in shuffled}
    assert len(ranks) > 12  # of 24


def test_orders_occur_with_their_probabilities():
    order = dict(sorted=0.25, reversed=0.75)
    clips = draw(np.ones(40), num_frames=3, frame_order=order, times=600)
    rising = sum(frames == sorted(frames) for frames in clips)
    assert 115 < rising < 185
    assert all(frames in (sorted(frames), sorted(frames)[::-1]) for frames in clips)


@pytest.mark.parametrize(
    ("length", "ratio", "expected"),
    [
        (7, 1.0, [0, 1, 2, 3, 4, 5, 6]),
        (10, 0.3, [0, 3, 6]),
        (40, 0.05, [0, 20]),
        (40, 0.01, [20]),  # at least one: the middle
        (1, 0.01, [0]),
    ],
)
def test_few_annotated_frames_are_always_the_same(length, ratio, expected):
    sampler = ClipSampler(num_frames=1, sampling_frame_ratio=ratio)
    assert sampler.usable_frames(length).tolist() == expected
    clips = draw(np.ones(length), num_frames=1, sampling_frame_ratio=ratio)
    assert {frame for (frame,) in clips} == set(expected)


def test_neighbours_are_counted_among_the_usable_frames():
    options = dict(num_frames=2, frame_range=1, sampling_frame_ratio=0.1)
    visible = np.arange(60) == 20  # usable are 0, 10, ... 50
    assert {tuple(c) for c in draw(visible, **options)} == {(10, 20), (20, 30)}


@pytest.mark.parametrize("order", ["random", {}, dict(sorted=0.5), dict(sorted=1.5)])
def test_unknown_orders_are_refused(order):
    with pytest.raises(ValueError, match="frame_order must be one of"):
        ClipSampler(frame_order=order)


@pytest.mark.parametrize("ratio", [0, 1.5])
def test_impossible_shares_of_frames_are_refused(ratio):
    with pytest.raises(ValueError, match="sampling_frame_ratio must be in"):
        ClipSampler(sampling_frame_ratio=ratio)


@pytest.mark.parametrize("bad", [dict(num_frames=0), dict(frame_range=-1)])
def test_impossible_options_are_refused(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))} must be >="):
        ClipSampler(**bad)
