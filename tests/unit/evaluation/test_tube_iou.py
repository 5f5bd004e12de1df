"""Tube IoU against numpy, the official frame loop, and 32-bit overflow."""

import numpy as np
import pytest
from ap_reference import FRAMES, box_tube, reference_module, segmentations

import tmt_vis.structures.tube_rle as tube_rle
from tmt_vis.evaluation import tube_iou
from tmt_vis.structures import TubeRLE, encode_tubes
from tmt_vis.structures.run_lengths import encode_counts


def random_masks(rng, count):
    return np.stack(
        [
            box_tube(
                rng.integers([0, 0, 2, 2], [9, 12, 12, 12]), rng.random(FRAMES) < 0.7
            )
            for _ in range(count)
        ]
    )


def dense_iou(predictions, truths, crowd):
    p, g = (m.reshape(len(m), -1).astype(np.int64) for m in (predictions, truths))
    inter = p @ g.T
    union = p.sum(1)[:, None] + np.where(crowd, 0, g.sum(1) - inter)
    return inter / np.maximum(union, 1)


@pytest.mark.parametrize("limit", [2**32 - 1, 1200])
@pytest.mark.parametrize("with_crowd", [False, True])
def test_equals_dense_masks_also_when_split(monkeypatch, limit, with_crowd):
    """1,200 pixels hold two of the four frames: the overflow path on small data."""
    rng = np.random.default_rng(3)
    predictions, truths = random_masks(rng, 6), random_masks(rng, 5)
    predictions[0] = truths[0] = False
    crowd = np.array([False, True, False, True, False]) & with_crowd
    monkeypatch.setattr(tube_rle, "MAX_COCO_PIXELS", limit)
    iou = tube_iou(encode_tubes(predictions), encode_tubes(truths), is_crowd=crowd)
    assert np.array_equal(iou, dense_iou(predictions, truths, crowd))


def test_equals_official_frame_loop_to_the_last_bit():
    rng = np.random.default_rng(5)
    predictions, truths = random_masks(rng, 8), random_masks(rng, 6)
    run = reference_module("ytviseval").YTVISeval()
    run.params.catIds = [1]
    run._gts[1, 1] = [{"segmentations": segmentations(m)} for m in truths]
    run._dts[1, 1] = [
        {"segmentations": segmentations(m), "score": -i}
        for i, m in enumerate(predictions)
    ]
    ours = tube_iou(encode_tubes(predictions), encode_tubes(truths))
    assert np.array_equal(ours, run.computeIoU(1, 1))
    assert 0 < ours.max() < 1


def test_tubes_above_uint32():
    """2,100 frames of 1080p; counted in 32 bit the union wraps to 59 million."""
    size = (1080, 1920, 2100)
    total = int(np.prod(size, dtype=np.int64))
    full = TubeRLE(encode_counts(np.array([0, total]))[0], *size)
    half = TubeRLE(encode_counts(np.array([0, total // 2, total // 2]))[0], *size)
    late = TubeRLE(encode_counts(np.array([total - 7, 7]))[0], *size)
    iou = tube_iou([full, half], [full, half, late])
    assert iou.tolist() == [[1.0, 0.5, 7 / total], [0.5, 1.0, 0.0]]


def test_empty_lists_and_wrong_sizes():
    tube = TubeRLE.from_masks(np.ones((2, 3, 4), dtype=bool))
    assert tube_iou([], [tube]).shape == (0, 1)
    assert tube_iou([tube], []).shape == (1, 0)
    transposed = TubeRLE.from_masks(np.ones((2, 4, 3), dtype=bool))
    with pytest.raises(ValueError, match="original size"):
        tube_iou([tube], [transposed])
