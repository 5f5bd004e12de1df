"""Track colours are fixed, distinct and readable under text."""

import itertools

import numpy as np

from tmt_vis.visualization.palette import text_color, track_color


def luminance(color):
    value = np.array(color) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_colors_are_fixed_and_leave_the_global_generator_alone():
    np.random.seed(7)
    before = np.random.get_state()[1].copy()
    colors = [track_color(i) for i in range(50)]
    assert np.array_equal(np.random.get_state()[1], before)
    assert colors[:2] == [(230, 159, 0), (86, 180, 233)]
    assert colors[7] == track_color(7)
    assert all(0 <= c <= 255 and isinstance(c, int) for rgb in colors for c in rgb)


def test_the_first_twenty_tracks_are_told_apart():
    colors = np.array([track_color(i) for i in range(20)])
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(colors, 2)]
    assert min(distances) > 30


def test_any_integer_has_a_color():
    assert len({track_color(i) for i in (-3, -1, 10**6, 10**9)}) == 4


def test_text_on_every_tag_reaches_the_wcag_contrast():
    for track_id in range(60):
        color = track_color(track_id)
        light, dark = sorted((luminance(color), luminance(text_color(color))))[::-1]
        assert (light + 0.05) / (dark + 0.05) >= 4.5
