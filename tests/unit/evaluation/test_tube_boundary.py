"""Tube-Boundary IoU and AP against two written-out versions of the definition."""

import cv2
import numpy as np
import pytest
from ap_reference import (
    AREAS,
    HEIGHT,
    WIDTH,
    our_evaluation,
    random_case,
    reference_evaluator,
    tables_of,
)
from pycocotools import mask as coco_mask

from tmt_vis.evaluation import (
    GroundTruthTubes,
    PredictedTubes,
    VISProtocol,
    boundary_tube,
    boundary_tube_iou,
    evaluate_tubes,
)
from tmt_vis.evaluation.boundary import boundary_width
from tmt_vis.structures import TubeRLE, encode_tubes, tube_iou


def boundary_by_distance(mask, distance):
    """Object pixels with background, or the outside of the image, within distance."""
    padded = np.pad(mask, distance)
    side = 2 * distance + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
    return mask & ~windows.all(axis=(2, 3))


def boundary_by_erosion(mask, distance):
    """The published recipe: pad by one pixel, erode d times, cut the padding off."""
    padded = np.pad(mask, 1).astype(np.uint8)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=distance)
    return mask & ~eroded[1:-1, 1:-1].astype(bool)


def random_mask(rng, height, width):
    """Boxes, also across the border, noise, a single pixel, or nothing."""
    mask = np.zeros((height, width), dtype=bool)
    for _ in range(rng.integers(0, 4)):
        y, x = rng.integers(-3, height), rng.integers(-3, width)
        h, w = rng.integers(1, height + 3), rng.integers(1, width + 3)
        mask[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = True
    mask &= rng.random(mask.shape) < rng.choice([1.0, 0.97])
    if rng.random() < 0.2:
        mask[rng.integers(height), rng.integers(width)] ^= True
    return mask


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 9), (7, 1), (13, 17), (40, 31), (64, 64)]
)
def test_boundaries_equal_the_definition(height, width):
    rng = np.random.default_rng(height * 100 + width)
    for ratio in (0.02, 0.05, 0.3):
        masks = np.stack([random_mask(rng, height, width) for _ in range(6)])
        masks[2] = False
        distance = boundary_width(height, width, dilation_ratio=ratio)
        assert distance == max(1, round(ratio * np.sqrt(height**2 + width**2)))
        ours = boundary_tube(TubeRLE.from_masks(masks), dilation_ratio=ratio).decode()
        for mask, edge in zip(masks, ours, strict=True):
            assert np.array_equal(edge, boundary_by_distance(mask, distance))
            assert np.array_equal(edge, boundary_by_erosion(mask, distance))


def test_published_widths():
    sizes = [(720, 1280), (360, 640), (1080, 1920), (10, 10), (75, 100)]
    # 0.02 * 125 = 2.5 is rounded half to even.
    assert [boundary_width(*size) for size in sizes] == [29, 15, 44, 1, 2]


def test_an_object_that_fills_the_image_has_its_rim_as_boundary():
    tube = boundary_tube(TubeRLE.from_masks(np.ones((1, 10, 10), dtype=bool)))
    assert tube.area == 36


def boundary_iou(tracks, objects, crowd=None, **options):
    tracks, objects = encode_tubes(tracks), encode_tubes(objects)
    crowd = np.zeros(len(objects), bool) if crowd is None else np.array(crowd)
    mask_iou = tube_iou(tracks, objects)
    return mask_iou, boundary_tube_iou(
        tracks, objects, mask_iou=mask_iou, is_crowd=crowd, **options
    )


def test_values_worked_out_by_hand():
    """A 20 x 20 object in two frames of 30 x 40: boundaries are one pixel wide."""
    truth = np.zeros((1, 2, 30, 40), dtype=bool)
    truth[:, :, 5:25, 10:30] = True
    once, eroded, hole = truth.copy(), np.zeros_like(truth), truth.copy()
    once[:, 1] = False
    eroded[:, :, 6:24, 11:29] = True
    hole[:, :, 13:17, 18:22] = False
    tracks = np.concatenate([truth, once, eroded, hole])
    mask, edge = boundary_iou(tracks, truth)
    # The rims are 76 and 68 pixels and do not meet; the rim of the hole has 20 - 0.
    assert mask[:, 0].tolist() == [1.0, 0.5, 18**2 / 20**2, 384 / 400]
    assert edge[:, 0].tolist() == [1.0, 0.5, 0.0, 76 / (76 + 20)]
    assert np.array_equal(boundary_iou(tracks, truth, [True])[1], mask)


def test_the_minimum_is_taken_of_tubes_not_of_frames():
    """Boundary worse in one frame, mask in the other: sums come first."""
    truth = np.zeros((1, 2, 30, 40), dtype=bool)
    truth[:, 0, 5:25, 10:30] = True
    truth[:, 1, 5:8, 10:13] = True
    track = truth.copy()
    track[:, 0, 10:20, 15:25] = False
    track[:, 1] = False
    mask, edge = boundary_iou(track, truth)
    # Rims: 76 in frame 0, 8 in frame 1; that of the hole in the track has 12^2 - 10^2.
    assert mask[0, 0] == 300 / 409
    assert edge[0, 0] == 76 / (76 + 44 + 8)


def test_boundaries_that_meet_between_frames_are_one_run():
    """pycocotools stops counting where both masks have an empty run."""
    full = np.ones((1, 3, 6, 8), dtype=bool)
    track = full.copy()
    track[0, 2, 2:4, 2:6] = False
    rim, hole = 6 * 8 - 4 * 6, 4 * 6 - 2 * 4
    mask, edge = boundary_iou(track, full)
    assert mask[0, 0] == (3 * 48 - 8) / (3 * 48)
    assert edge[0, 0] == 3 * rim / (3 * rim + hole)


def frame_loop_iou(tracks, objects, crowd, ratio):
    """Sum over frames with dense masks, None for an absent one."""
    result = np.zeros((len(tracks), len(objects)))
    for i, j in np.ndindex(result.shape):
        values = []
        for edge_only in (False, True):
            inter = union = 0
            for left, right in zip(tracks[i], objects[j], strict=True):
                if edge_only:
                    distance = boundary_width(*left.shape, dilation_ratio=ratio)
                    left = boundary_by_distance(left, distance)
                    right = boundary_by_distance(right, distance)
                inter += (left & right).sum()
                union += (left | right).sum()
            values.append(inter / union if union else 0.0)
        result[i, j] = values[0] if crowd[j] else min(values)
    return result


@pytest.mark.parametrize("size", [(9, 13), (31, 24)])
def test_iou_equals_the_frame_loop_exactly(size):
    rng = np.random.default_rng(size[0])
    tracks, objects = (
        np.stack([[random_mask(rng, *size) for _ in range(3)] for _ in range(count)])
        for count in (5, 4)
    )
    tracks[1:3] = objects[:2] & (rng.random(objects[:2].shape) < 0.99)
    tracks[0] = objects[3] = False
    crowd = np.array([False, True, False, False])
    expected = frame_loop_iou(tracks, objects, crowd, 0.06)
    mask, edge = boundary_iou(tracks, objects, crowd, dilation_ratio=0.06)
    assert np.array_equal(edge, expected)
    pruned = boundary_iou(tracks, objects, crowd, dilation_ratio=0.06, at_least=0.4)[1]
    assert np.array_equal(pruned, np.where(mask < 0.4, mask, expected))


@pytest.mark.parametrize("seed", range(4))
def test_ap_equals_the_official_evaluator_on_boundary_iou(seed, monkeypatch):
    """The official matching and averaging, fed with the written-out IoU."""
    monkeypatch.setattr(np, "float", float, raising=False)
    file, entries = random_case(seed)
    run = reference_evaluator(file, entries)

    def dense(rows):
        return [
            [
                np.zeros((HEIGHT, WIDTH), bool)
                if frame is None
                else coco_mask.decode(frame).astype(bool)
                for frame in row["segmentations"]
            ]
            for row in rows
        ]

    def compute_iou(video_id, category_id):
        rows = run._dts[video_id, category_id]
        tracks = [
            rows[i] for i in np.argsort([-r["score"] for r in rows], kind="mergesort")
        ]
        objects = run._gts[video_id, category_id]
        crowd = [row["iscrowd"] for row in objects]
        return frame_loop_iou(dense(tracks), dense(objects), crowd, 0.02)

    run.computeIoU = compute_iou
    precision, recall, _ = tables_of(run)
    table = our_evaluation(file, entries, boundary=True)
    np.testing.assert_allclose(table.precision, precision, rtol=0, atol=1e-9)
    np.testing.assert_allclose(table.recall, recall, rtol=0, atol=1e-9)
    assert table.ap() <= our_evaluation(file, entries).ap()


def test_videos_of_different_sizes_have_boundaries_of_different_width():
    """One pixel is missing all around: worse for the narrow boundary."""
    results = []
    for height, width in ((60, 80), (120, 160)):
        mask = np.zeros((1, height, width), dtype=bool)
        mask[0, 10:50, 10:50] = True
        track = np.zeros_like(mask)
        track[0, 11:49, 11:49] = True
        results.append((TubeRLE.from_masks(mask), TubeRLE.from_masks(track)))
    zero, one = np.zeros(1, dtype=int), np.ones(1)
    truth = {
        i: GroundTruthTubes([pair[0]], zero, one > 1) for i, pair in enumerate(results)
    }
    found = {i: PredictedTubes([pair[1]], zero, one) for i, pair in enumerate(results)}
    protocol = VISProtocol(boundary=True, area_ranges=AREAS)
    aps = [
        evaluate_tubes({i: truth[i]}, {i: found[i]}, num_slots=1, protocol=protocol)
        for i in (0, 1)
    ]
    # Rims of 2 and 4 pixels, one pixel further in: IoU 148 / 444 and 420 / 700, which
    # passes 0.50, 0.55 and 0.60.
    assert [table.ap() for table in aps] == [0.0, pytest.approx(0.3)]
    both = evaluate_tubes(truth, found, num_slots=1, protocol=protocol)
    assert both.ap() == pytest.approx(0.3 * 0.5 * 51 / 101)
