"""Rotation and drift of pseudo-clips."""

import numpy as np
import pytest
from helpers.id_clips import BORDER, check_identities, id_clip, pack
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

from tmt_vis.datasets import DriftingCrop, RotateClip
from tmt_vis.datasets.global_random import seeded

T = 6


def still(frames: int = T, **boxes) -> dict:
    boxes = boxes or dict(b7=(60, 20, 8, 8))
    named = {int(name[1:]): box for name, box in boxes.items()}
    return id_clip(61, 81, [named] * frames)


def rotated(seed: int, clip: dict | None = None, **options) -> dict:
    options = dict(
        dict(type="RotateClip", interpolation="nearest", pad_value=[BORDER] * 3),
        **options,
    )
    with seeded(seed):
        packed = pack(clip or still(), [options])
    check_identities(packed)
    return packed


def angles(packed: dict) -> np.ndarray:
    """Measure the angles of the object about the middle of the image, in degrees."""
    (masks,) = packed["data_samples"].gt_instances.masks.numpy()
    ys, xs = zip(*(np.argwhere(mask).mean(axis=0) for mask in masks), strict=True)
    before = np.arctan2(30 - 23.5, 63.5 - 40)
    return np.degrees(np.arctan2(30 - np.array(ys), np.array(xs) - 40) - before)


def test_frames_turn_one_way_within_the_range():
    rising = 0
    for seed in range(12):
        options = dict(angle_range=(-20, 30), center_range=(0.5, 0.5))
        measured = angles(rotated(seed, **options))
        steps = np.diff(measured)
        assert (steps > -1).all() or (steps < 1).all()
        assert measured.min() > -21.5 and measured.max() < 31.5
        assert np.ptp(measured) > 5
        rising += steps.sum() > 0
    assert 2 < rising < 10


def test_a_quarter_turn_is_the_exact_one():
    size = 21
    clip = id_clip(size, size, [{5: (2, 3, 4, 9), 6: (12, 12, 8, 2)}])
    expected = np.rot90(clip["img"][0][..., 0])
    packed = rotated(0, clip, angle_range=(90, 90), center_range=(0.5, 0.5))
    np.testing.assert_array_equal(packed["inputs"][0, 0].numpy(), expected)


def test_the_border_has_its_colour_and_is_no_object():
    clip = still(b7=(0, 0, 81, 61))
    packed = rotated(3, clip, angle_range=(20, 20))
    (masks,) = packed["data_samples"].gt_instances.masks
    assert (packed["inputs"][:, 0][~masks] == BORDER).all() and not masks.all()


def test_what_leaves_the_frame_is_absent_there_and_back_in_the_lists_elsewhere():
    kept = {}

    def keep(results):
        kept.update(results)
        return results

    clip = still(b3=(74, 26, 6, 6), b7=(36, 26, 6, 6))
    with seeded(1):
        pack(clip, [dict(type="RotateClip", angle_range=(0, 90)), keep])
    present = [3 in ids for ids in kept["gt_instances_ids"]]
    assert any(present) and not all(present)
    for t, ids in enumerate(kept["gt_instances_ids"]):
        assert len(kept["gt_masks"][t]) == len(kept["gt_bboxes"][t]) == len(ids)
        assert kept["gt_masks"][t].masks.any(axis=(1, 2)).all()
        np.testing.assert_array_equal(
            kept["gt_bboxes"][t].tensor,
            kept["gt_masks"][t].get_bboxes(HorizontalBoxes).tensor,
        )
        assert kept["gt_bboxes_labels"][t].tolist() == (ids % 7).tolist()


def crop_corners(seed: int, **options) -> tuple[np.ndarray, tuple[int, int]]:
    """Return (T, 2) x, y of the windows, read from coordinates in the pixels."""
    clip = still()
    y, x = np.mgrid[:61, :81].astype(np.uint8)
    clip["img"] = [np.dstack([x, y, x]) for _ in range(T)]
    with seeded(seed):
        packed = pack(clip, [dict(type="DriftingCrop", **options)])
    height, width = packed["data_samples"].img_shape
    assert packed["inputs"].shape == (T, 3, height, width)
    return packed["inputs"][:, :2, 0, 0].numpy().astype(int), (height, width)


def test_a_window_of_one_size_drifts_along_a_line():
    sizes = set()
    for seed in range(12):
        corners, size = crop_corners(seed, crop_size=(0.3, 0.5))
        steps = np.diff(corners, axis=0)
        for axis in range(2):
            assert (steps[:, axis] >= 0).all() or (steps[:, axis] <= 0).all()
        away = corners - corners[0]
        line = away[-1]
        assert (np.abs(away[:, 0] * line[1] - away[:, 1] * line[0]) <= 60).all()
        assert 0.3 * 81 - 1 < size[1] <= 81 and 0.5 * 61 - 1 < size[0] <= 61
        sizes.add(size)
    assert len(sizes) > 8


def test_a_window_of_so_many_pixels():
    sizes = [crop_corners(s, pixel_range=(20, 70))[1] for s in range(30)]
    heights, widths = zip(*sizes, strict=True)
    assert 20 <= min(heights) < 30 and max(heights) <= 61 < max(widths) <= 70
    assert 20 <= min(widths) < 30
    (height, width) = crop_corners(0, pixel_range=(384, 600))[1]
    assert (height, width) == (61, 81), "a side is its own limit"


def test_how_far_a_window_drifts():
    for seed in range(8):
        corners, (height, width) = crop_corners(seed, motion="jitter", drift=0.25)
        room = np.array([81 - width, 61 - height])
        assert (np.ptp(corners, axis=0) <= 0.25 * room + 1).all()
        fixed, _ = crop_corners(seed, drift=0.0)
        assert (fixed == fixed[0]).all()
    far = [np.ptp(crop_corners(s, motion="jitter")[0], axis=0).max() for s in range(8)]
    assert max(far) > 15


@pytest.mark.parametrize("kind", ["RotateClip", "DriftingCrop"])
def test_probability(kind):
    original = still()["img"][0]
    transform = TRANSFORMS.build(dict(type=kind, prob=0.5))
    changed = 0
    for seed in range(40):
        with seeded(seed):
            image = transform(still(1))["img"][0]
        changed += image.shape != original.shape or (image != original).any()
    assert 10 < changed < 30


@pytest.mark.parametrize(
    ("transform", "options", "message"),
    [
        (RotateClip, dict(angle_range=(15, -15)), "angle_range must be two ascending"),
        (RotateClip, dict(center_range=(0.5, 1.5)), "center_range must be two"),
        (RotateClip, dict(interpolation="cubic"), "interpolation must be one of"),
        (DriftingCrop, dict(crop_size=(384, 600)), "crop_size.*not pixels"),
        (DriftingCrop, dict(pixel_range=(600, 384)), "pixel_range must be two ascend"),
        (DriftingCrop, dict(motion="circle"), "motion must be one of"),
        (DriftingCrop, dict(drift=2), "drift must be in"),
    ],
)
def test_impossible_options_are_refused(transform, options, message):
    with pytest.raises(ValueError, match=message):
        transform(**options)
