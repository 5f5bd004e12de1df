"""Compositing: masks are what can be seen, to the pixel."""

import numpy as np
import pytest


def _sprite(colour, x, y, *, slot=0, size=20.0, frames=1, step=0.0):
    from sprite_vis.motion import Pose
    from sprite_vis.scene import Sprite

    patch = np.zeros((33, 33, 4), np.uint8)
    patch[2:-2, 2:-2] = (*colour, 255)
    poses = [Pose(x + step * t, y, size, 0.0, False, 0.0, 0.0) for t in range(frames)]
    return Sprite("ytvis19", slot, patch, 1.0, poses)


def test_the_front_sprite_hides_the_one_behind():
    from sprite_vis.scene import draw_frame

    background = np.full((40, 50, 3), 100, np.uint8)
    behind = _sprite((255, 0, 0), 20, 20)
    front = _sprite((0, 255, 0), 26, 20)
    frame = draw_frame(background, [behind, front], 0)
    assert frame.owner[20, 26] == 1
    assert frame.owner[20, 14] == 0
    assert frame.owner[2, 2] == -1
    # both have the same size, so only the hidden one has lost pixels
    seen = [np.count_nonzero(frame.owner == i) for i in range(2)]
    assert seen[1] == frame.full_areas[1] == frame.full_areas[0]
    assert 0 < seen[0] < frame.full_areas[0]
    # the picture says the same as the masks
    assert (frame.image[20, 26] == (0, 255, 0)).all()
    assert (frame.image[20, 14] == (255, 0, 0)).all()


def test_masks_follow_the_colours_of_the_picture():
    from sprite_vis.scene import draw_frame

    background = np.zeros((41, 53, 3), np.uint8)
    sprites = [_sprite((255, 0, 0), 18.3, 19.7), _sprite((0, 0, 255), 30.1, 22.4)]
    frame = draw_frame(background, sprites, 0)
    # half-transparent rims included: a pixel is the sprite's that gave it most
    red, blue = frame.image[..., 0].astype(int), frame.image[..., 2].astype(int)
    assert np.array_equal(frame.owner == 1, blue >= 128)
    assert np.array_equal(frame.owner == 0, (red >= 128) & (blue < 128))


def test_a_sprite_outside_the_frame_leaves_no_trace():
    from sprite_vis.scene import draw_frame

    background = np.full((40, 50, 3), 7, np.uint8)
    frame = draw_frame(background, [_sprite((255, 0, 0), -60, 20)], 0)
    assert (frame.image == 7).all()
    assert (frame.owner == -1).all()
    assert frame.full_areas.tolist() == [0]


@pytest.mark.parametrize("dataset", ["ytvis19", "ovis", "uvo"])
def test_visible_masks_of_a_video_are_disjoint(dataset, source):
    from sprite_vis.styles import STYLES
    from sprite_vis.video import MIN_VISIBLE_AREA, Casting, compose_video

    video = compose_video(
        Casting(dataset, [0, 1, 2]),
        STYLES[dataset],
        first_slot=0,
        source=source,
        hw=(96, 160),
        num_frames=6,
        rng=np.random.default_rng(5),
    )
    assert video.masks.shape == (len(video.slots), 6, 96, 160)
    assert video.masks.sum(axis=0).max() == 1
    areas = video.masks.sum(axis=(2, 3))
    assert (areas <= video.full_areas).all()
    assert areas[areas > 0].min() >= MIN_VISIBLE_AREA
    assert video.masks.any(axis=(1, 2, 3)).all()


def test_slivers_are_not_annotated():
    from sprite_vis.scene import Frame
    from sprite_vis.video import MIN_VISIBLE_AREA, _annotate

    owner = np.full((20, 20), -1, np.int16)
    owner[0, : MIN_VISIBLE_AREA - 1] = 0
    owner[5, :MIN_VISIBLE_AREA] = 1
    frame = Frame(np.zeros((20, 20, 3), np.uint8), owner, np.array([50, 50]))
    masks = _annotate([frame], 2)
    assert masks.sum(axis=(1, 2, 3)).tolist() == [0, MIN_VISIBLE_AREA]


class _Blocks:
    """Draws slot 0 as a full square, and slot 1 as nothing at all."""

    def draw(self, dataset, slot, *, size, rng):
        fill = 255 if slot == 0 else 0
        return np.full((size, size, 4), fill, np.uint8), 1.0


def test_objects_no_frame_shows_are_left_out():
    from sprite_vis.styles import STYLES
    from sprite_vis.video import Casting, compose_video

    video = compose_video(
        Casting("ovis", [1]),
        STYLES["ovis"],
        first_slot=0,
        source=_Blocks(),
        hw=(64, 96),
        num_frames=2,
        rng=np.random.default_rng(2),
    )
    assert set(video.slots) == {0}
    assert len(video.masks) == len(video.full_areas) == len(video.slots)


def test_ovis_is_more_occluded_than_youtube_vis(source):
    from sprite_vis.styles import STYLES
    from sprite_vis.video import Casting, compose_video

    hidden = {}
    for dataset in ("ytvis19", "ovis"):
        videos = [
            compose_video(
                Casting(dataset, [0, 1, 2]),
                STYLES[dataset],
                first_slot=0,
                source=source,
                hw=(64, 96),
                num_frames=2,
                rng=np.random.default_rng(seed),
            )
            for seed in range(12)
        ]
        seen = sum(int(video.masks.sum()) for video in videos)
        full = sum(int(video.full_areas.sum()) for video in videos)
        hidden[dataset] = 1 - seen / full
    assert hidden["ytvis19"] < 0.08 < 0.15 < hidden["ovis"] < 0.5


def test_anchors_are_spread_before_they_are_crowded():
    from dataclasses import replace

    from sprite_vis.styles import STYLES, place_anchors

    hw, count = (96, 160), 5
    gaps = []
    for crowding in (0.0, 0.5, 1.0):
        style = replace(STYLES["ovis"], crowding=crowding)
        places = place_anchors(style, count=count, hw=hw, rng=np.random.default_rng(0))
        distances = np.linalg.norm(places[:, None] - places[None], axis=2)
        gaps.append(distances[np.triu_indices(count, 1)].min())
    assert gaps[0] > 25  # pixels; uniform draws would come within 15 as often as not
    assert gaps[1] == pytest.approx(gaps[0] / 2)
    assert gaps[2] == pytest.approx(0)


@pytest.mark.parametrize("hw", [(33, 47), (97, 161), (64, 32)])
@pytest.mark.parametrize("num_frames", [1, 2])
def test_odd_sizes_and_single_frames(hw, num_frames, source):
    from sprite_vis.styles import STYLES
    from sprite_vis.video import Casting, compose_video

    for dataset, style in STYLES.items():
        video = compose_video(
            Casting(dataset, [0]),
            style,
            first_slot=0,
            source=source,
            hw=hw,
            num_frames=num_frames,
            rng=np.random.default_rng(1),
        )
        assert [image.shape for image in video.images] == [(*hw, 3)] * num_frames
        assert video.masks.shape[1:] == (num_frames, *hw)
        assert video.slots.count(0) == len(video.slots) > 0


def test_a_visitor_is_out_at_one_end():
    from sprite_vis.motion import MotionRange, plan_motion

    always = MotionRange((0.3, 0.3), (0.01, 0.02), visit_ratio=1.0, spin=0.0)
    for seed in range(10):
        poses = plan_motion(
            always,
            anchor=np.array([60.0, 40.0]),
            num_frames=8,
            hw=(96, 160),
            rng=np.random.default_rng(seed),
        )
        ends = sorted((poses[0], poses[-1]), key=lambda pose: abs(pose.x - 60))
        assert ends[0].x == pytest.approx(60)
        assert ends[1].x < -0.5 * ends[1].size


def test_foreign_objects_are_seen_and_not_annotated():
    from sprite_vis.styles import STYLES
    from sprite_vis.video import Casting, compose_video

    class _Painted:
        """Foreign objects are white, own ones black."""

        def draw(self, dataset, slot, *, size, rng):
            patch = np.full((size, size, 4), 255, np.uint8)
            patch[..., :3] *= dataset == "uvo"
            return patch, 1.0

    def compose(distractors):
        return compose_video(
            Casting("ytvis19", [0], foreign=[("uvo", 3)], distractors=distractors),
            STYLES["ytvis19"],
            first_slot=0,
            source=_Painted(),
            hw=(64, 96),
            num_frames=3,
            rng=np.random.default_rng(1),
        )

    video = compose(4.0)
    assert set(video.slots) == {0}
    pixels = np.stack(video.images)
    assert (pixels[video.masks.any(0)] < 40).mean() > 0.9
    bright = (pixels > 240).all(-1).mean()
    assert bright > 0.05
    assert (np.stack(compose(0.0).images) > 240).all(-1).mean() < bright / 5


def test_tail_makes_some_training_classes_rare_and_no_validation_class():
    from collections import Counter

    from sprite_vis import Catalogue, GenerationConfig, select_classes
    from sprite_vis.generate import _cast_split, _first_slot

    config = GenerationConfig(tail=1.5, datasets=("ytvis19", "uvo"), distractors=1.0)
    catalogue = Catalogue()
    selected = select_classes(catalogue, config.datasets, "6")
    train = _cast_split(config, "ytvis19", "train", selected, catalogue)
    drawn = Counter(_first_slot(config, train, "train", i) for i in range(300))
    assert max(drawn.values()) > 100
    assert min(drawn[slot] for slot in selected["ytvis19"]) < 30
    val = _cast_split(config, "ytvis19", "val", selected, catalogue)
    assert val.weights is None
    known = set(catalogue.concepts("ytvis19"))
    foreign = {catalogue.concepts(d)[slot] for d, slot in train.foreign}
    assert foreign
    assert not foreign & known
