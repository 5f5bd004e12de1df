"""Drawing changes what it should, where it should, inside the frame."""

import numpy as np
import pytest

from tmt_vis.structures import TubeRLE, encode_tubes
from tmt_vis.visualization import (
    TrackLabel,
    draw_legend,
    draw_tracks,
    draw_video,
    track_color,
)
from tmt_vis.visualization.draw import zoom_for
from tmt_vis.visualization.text import place_box, tag_size

GREY = np.full((60, 90, 3), 100, dtype=np.uint8)


def box_mask(y, x, h, w, shape=(60, 90)):
    mask = np.zeros(shape, dtype=bool)
    mask[y : y + h, x : x + w] = True
    return mask


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def test_mask_takes_the_track_color_in_rgb_and_the_rest_stays():
    mask = box_mask(20, 30, 20, 30)
    image = GREY.copy()
    label = TrackLabel(0, "dog")
    drawn = draw_tracks(image, mask[None], [label], zoom=1, alpha=0.5, tags=False)
    assert np.array_equal(image, GREY)
    assert drawn[30, 45].tolist() == [165, 130, 50]  # half grey, half (230, 159, 0)
    contour = drawn[20, 45].tolist()
    assert contour[0] > 165 and contour[2] < 50, "the colour itself, not half of it"
    outside = np.ones((60, 90), dtype=bool)
    outside[17:43, 27:63] = False
    assert (drawn[outside] == 100).all()


def test_small_objects_stay_visible_inside_large_ones():
    masks = np.stack([box_mask(25, 40, 8, 8), box_mask(5, 5, 50, 80)])
    labels = [TrackLabel(0, "dog"), TrackLabel(6, "bus")]
    drawn = draw_tracks(GREY, masks, labels, zoom=1, alpha=1.0, tags=False)
    assert drawn[29, 44].tolist() == list(track_color(0))
    assert drawn[10, 44].tolist() == list(track_color(6))


@pytest.mark.parametrize("base", [0, 128, 255])
@pytest.mark.parametrize(
    "place", [(0, 0), (0, 84), (54, 0), (54, 84), (27, 42)], ids=str
)
def test_tags_are_complete_and_contrast_with_any_video(base, place):
    """At every corner the whole tag is inside: text, colour and rim are all there."""
    mask = box_mask(*place, 6, 6)
    label = TrackLabel(4, "giant_panda", 0.5)
    image = np.full((60, 90, 3), base, dtype=np.uint8)
    drawn = draw_tracks(image, mask[None], [label])
    bare = draw_tracks(image, mask[None], [label], tags=False)
    rows, columns = np.nonzero((drawn != bare).any(axis=-1))
    tag = drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    width, height = tag_size(label.text, 16)
    # Where the rim has the colour of the video, one pixel of it cannot be told.
    assert abs(tag.shape[0] - height) <= 2
    assert abs(tag.shape[1] - width) <= 2
    share = (tag == track_color(4)).all(axis=-1).mean()
    assert share > 0.5


def test_nothing_is_drawn_for_absent_objects():
    masks = np.zeros((2, 60, 90), dtype=bool)
    labels = [TrackLabel(0, "dog"), TrackLabel(1, "cat")]
    assert np.array_equal(draw_tracks(GREY, masks, labels, zoom=1), GREY)
    assert draw_tracks(GREY, masks[:0], []).shape == (480, 720, 3)


def test_tags_avoid_each_other_while_there_is_room():
    taken = []
    for _ in range(5):
        box = place_box((40, 12), (50, 50, 70, 70), taken, (120, 160))
        assert 0 <= box[0] < box[2] <= 160
        assert 0 <= box[1] < box[3] <= 120
        assert not any(overlap(box, other) for other in taken)
        taken.append(box)
    assert taken[0] == (40, 38, 80, 50)  # centred above


def test_long_names_shrink_to_the_frame():
    label = TrackLabel(3, "a category with a name that never ends in any data set", 0.9)
    image = np.full((90, 60, 3), 100, dtype=np.uint8)
    mask = box_mask(40, 20, 20, 20, (90, 60))
    drawn = draw_tracks(image, mask[None], [label], zoom=4)
    changed = (drawn[:, [0, -1]] != 100).any()
    assert not changed, "the tag must not touch the sides"


def test_zoom_makes_small_frames_readable():
    assert zoom_for(96, 160) == 5
    assert zoom_for(480, 300) == 2
    assert zoom_for(1080, 1920) == 1
    drawn = draw_tracks(GREY, box_mask(9, 9, 9, 9)[None], [TrackLabel(1, "dog")])
    assert drawn.shape == (480, 720, 3)


def test_label_text():
    assert TrackLabel(3, "giant_panda", 0.876).text == "3 giant panda 0.88"
    assert TrackLabel(0, "dog").text == "0 dog"


def test_video_equals_its_frames_and_streams():
    masks = np.zeros((2, 3, 60, 90), dtype=bool)
    masks[0, :2, 10:30, 10:40] = True
    masks[1, 2, 20:40, 50:80] = True
    labels = [TrackLabel(0, "dog"), TrackLabel(1, "cat", 0.3)]
    read = []

    def frames():
        for index in range(3):
            read.append(index)
            yield GREY + np.uint8(index)

    video = draw_video(frames(), encode_tubes(masks), labels)
    assert read == []
    for index, drawn in enumerate(video):
        assert read == list(range(index + 1))
        expected = draw_tracks(GREY + np.uint8(index), masks[:, index], labels)
        assert np.array_equal(drawn, expected)


def test_cost_of_a_video_is_linear_in_its_length(monkeypatch):
    """Each tube is read a fixed number of times, not once per frame."""
    reads = []
    own = TubeRLE._run_lengths
    monkeypatch.setattr(
        TubeRLE, "_run_lengths", lambda self: (reads.append(1), own(self))[1]
    )
    for length in (3, 30):
        reads.clear()
        tubes = encode_tubes(np.ones((1, length, 8, 8), dtype=bool))
        frames = [GREY[:8, :8]] * length
        drawn = draw_video(frames, tubes, [TrackLabel(0, "dog")], zoom=1, tags=False)
        assert len(list(drawn)) == length
        assert len(reads) <= 3


def test_video_longer_than_its_tubes():
    tubes = encode_tubes(np.ones((1, 2, 60, 90), dtype=bool))
    with pytest.raises(ValueError, match="the tubes end at frame 2"):
        list(draw_video([GREY] * 3, tubes, [TrackLabel(0, "dog")], zoom=1))


def test_legend_wraps_and_shows_every_color():
    labels = [TrackLabel(i, "earless_seal") for i in range(7)]
    legend = draw_legend(labels, width=320)
    assert legend.shape[1] == 320
    assert legend.shape[0] > 3 * tag_size("x", 15)[1]
    for label in labels:
        assert (legend == label.color).all(axis=-1).any()
    assert draw_legend([], width=50).shape[1] == 50


@pytest.mark.parametrize(("track_id", "ink"), [(3, 0), (6, 255)], ids=["light", "dark"])
def test_tags_are_written_in_the_ink_that_reads_on_them(track_id, ink):
    legend = draw_legend([TrackLabel(track_id, "dog")], width=100)
    inside = legend[8:-8, 8:40]
    assert (inside == ink).all(axis=-1).any()
    assert not (inside == 255 - ink).all(axis=-1).any()


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="N=1"):
        draw_tracks(GREY, np.zeros((1, 60, 91), dtype=bool), [TrackLabel(0, "dog")])
    with pytest.raises(ValueError, match="uint8"):
        draw_tracks(GREY / 255, np.zeros((0, 60, 90), dtype=bool), [])
