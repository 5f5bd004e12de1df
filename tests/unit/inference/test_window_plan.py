"""Every frame is predicted once, and a resumed run repeats the windows exactly."""

import pytest
from helpers.scripted_windows import Play
from hypothesis import given, settings
from hypothesis import strategies as st

from tmt_vis.inference import Window, WindowPlan
from tmt_vis.streaming import border_between

PLANS = st.integers(1, 12).flatmap(
    lambda length: st.builds(
        WindowPlan,
        st.just(length),
        st.integers(0, length - 1),
        st.sampled_from(["full", "short"]),
    )
)


def _windows(plan, num_frames):
    return list(Play([], num_frames, plan).windows())


@pytest.mark.parametrize("length, overlap", [(4, 4), (4, 9), (0, 0), (3, -1)])
def test_impossible_plans(length, overlap):
    with pytest.raises(ValueError, match="0 <= overlap < length, got length"):
        WindowPlan(length, overlap)


def test_example():
    windows = _windows(WindowPlan(36, 6), 100)
    assert [(w.start, w.stop) for w in windows] == [
        (0, 36),
        (30, 66),
        (60, 96),
        (64, 100),
    ]


def test_a_short_last_window_shares_as_much_as_the_others():
    windows = _windows(WindowPlan(36, 6, "short"), 100)
    assert [(w.start, w.stop) for w in windows][-2:] == [(60, 96), (90, 100)]
    assert _windows(WindowPlan(36, 6, "short"), 20) == [Window(0, 20)]
    with pytest.raises(ValueError, match="'full' or 'short', got 'none'"):
        WindowPlan(36, 6, "none")


@settings(max_examples=60, deadline=None)
@given(PLANS, st.integers(1, 60))
def test_windows_own_every_frame_once(plan, num_frames):
    windows = _windows(plan, num_frames)
    pairs = zip(windows[:-1], windows[1:], strict=True)
    borders = [0, *(border_between(a, b) for a, b in pairs), num_frames]
    for window, start, stop in zip(windows, borders[:-1], borders[1:], strict=True):
        assert start < stop
        assert window.start <= start and stop <= window.stop


@settings(max_examples=80, deadline=None)
@given(PLANS, st.integers(1, 60), st.data())
def test_restart_reaches_all_frames_that_are_still_needed(plan, num_frames, data):
    windows = _windows(plan, num_frames)
    num_done = data.draw(st.integers(0, len(windows) - 1))
    restart = plan.restart_frame(num_done)
    # Chunks of frames begin anew at the ends of windows, so only there.
    assert restart == 0 or plan.ends_at(restart)
    assert restart <= min(window.start for window in windows[num_done:])
    # Not further back than needed: less than two windows are read again.
    assert windows[num_done].stop - restart <= 2 * plan.length + 2 * plan.stride
