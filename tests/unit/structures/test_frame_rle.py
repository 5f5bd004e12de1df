"""One frame's mask in each native form, and what must never reach pycocotools."""

import tracemalloc

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tmt_vis.datasets.segmentation import checked_areas
from tmt_vis.structures import FrameRLE, TubeRLE, compress_segmentation
from tmt_vis.structures.run_lengths import encode_counts

SIZE = dict(height=6, width=8)


def decoded(segmentation):
    counts = compress_segmentation(segmentation, **SIZE)
    return coco_mask.decode(dict(size=[6, 8], counts=counts))


def test_all_forms_give_the_same_mask():
    mask = np.zeros((6, 8), np.uint8)
    mask[1:4, 2:5] = 1
    counts = coco_mask.encode(np.asfortranarray(mask))["counts"]
    runs = [13, 3, 3, 3, 3, 3, 20]
    forms = [
        dict(size=[6, 8], counts=counts),
        dict(size=[6, 8], counts=counts.decode()),
        dict(size=[6, 8], counts=runs),
        FrameRLE((6, 8), counts.decode()),
        [[2, 1, 5, 1, 5, 4, 2, 4]],
    ]
    for form in forms:
        np.testing.assert_array_equal(decoded(form), mask)


def test_polygons_may_leave_the_frame_a_little():
    mask = decoded([[-9, -9, 3, -9, 3, 2, -9, 2]])
    assert mask.sum() == mask[:2, :3].sum() == 6
    assert decoded([[20, 20, 30, 20, 30, 30]]).sum() == 0


@pytest.mark.parametrize("far", [1e6, 1e12, float("inf"), float("nan")])
def test_a_vertex_far_away_costs_no_memory(far):
    tracemalloc.start()
    with pytest.raises(ValueError, match="numbers within 80 pixels"):
        compress_segmentation([[0, 0, far, 0, 3, 3]], **SIZE)
    assert tracemalloc.get_traced_memory()[1] < 1e5
    tracemalloc.stop()


def wrapped_counts():
    """Runs whose 64-bit sum is 48, the number of pixels, by wrapping around."""
    runs = np.array([2**58] * 64 + [48])
    return encode_counts(runs)[0]


def test_runs_that_wrap_around_are_damaged():
    counts = wrapped_counts()
    assert checked_areas([counts], **SIZE).tolist() == [-1]
    frame = dict(size=[6, 8], counts=counts)
    with pytest.raises(ValueError, match="frame 0 do not add up"):
        TubeRLE.from_frames([frame], 6, 8)
