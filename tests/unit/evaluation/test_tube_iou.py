"""Tube IoU against numpy, the official frame loop, and 32-bit overflow."""

import numpy as np
import pytest
from ap_reference import FRAMES, box_tube, reference_module, segmentations
from hypothesis import given, settings
from hypothesis import strategies as st

from tmt_vis.structures import TubeRLE, encode_tubes, tube_iou
from tmt_vis.structures.run_lengths import encode_counts

HD = (1080, 1920)
GAP = 2**29  # the first that pycocotools does not read


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


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("with_crowd", [False, True])
def test_equals_dense_masks(monkeypatch, readable, with_crowd):
    """Both ways to count, on small data."""
    rng = np.random.default_rng(3)
    predictions, truths = random_masks(rng, 6), random_masks(rng, 5)
    predictions[0] = truths[0] = False
    crowd = np.array([False, True, False, True, False]) & with_crowd
    monkeypatch.setattr(TubeRLE, "is_coco_readable", readable)
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


def intervals(total, gaps):
    """Object runs [start, stop) with background runs of the lengths ``gaps``."""
    runs, at = [], 0
    for gap, length in gaps:
        start = min(at + gap, total)
        at = min(start + length, total)
        if at > start:
            runs.append((start, at))
    return runs


LENGTHS = st.one_of(
    st.integers(1, 5000), st.integers(GAP - 3, GAP + 3), st.integers(GAP, 3 * GAP)
)
RUNS = st.lists(st.tuples(LENGTHS, LENGTHS), max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(RUNS, min_size=2, max_size=4), st.booleans())
def test_gaps_of_any_length_against_integer_arithmetic(gaps, is_crowd):
    """A track that comes back after 259 frames of 1080p made pycocotools hang."""
    frames = 2100
    total = frames * HD[0] * HD[1]
    runs = [intervals(total, item) for item in gaps]
    tubes = [
        TubeRLE.from_switches(
            np.array(r, dtype=np.int64).ravel(), *HD, num_frames=frames
        )
        for r in runs
    ]
    areas = [sum(stop - start for start, stop in r) for r in runs]
    assert [tube.area for tube in tubes] == areas
    crowd = np.full(len(tubes) - 1, is_crowd)
    for row, iou in enumerate(tube_iou(tubes[:1], tubes[1:], is_crowd=crowd)[0], 1):
        shared = sum(
            max(0, min(a[1], b[1]) - max(a[0], b[0]))
            for a in runs[0]
            for b in runs[row]
        )
        union = areas[0] if is_crowd else areas[0] + areas[row] - shared
        assert iou == shared / max(union, 1)


def test_a_track_that_comes_back_late():
    """The case that hung: 5,000 pixels in four frames, 280 frames between."""
    pixels, gap = HD[0] * HD[1], 280

    def tube(shown):
        edges = [[f * pixels + 100, f * pixels + 5100] for f in shown]
        return TubeRLE.from_switches(np.ravel(edges), *HD, num_frames=gap + 10)

    everywhere, returns = tube(range(1, gap + 5)), tube([1, 2, gap + 3, gap + 4])
    assert not returns.is_coco_readable
    assert tube_iou([everywhere], [returns]).item() == 4 / (gap + 4)
    assert everywhere.is_coco_readable  # no gap in it is long
