"""Masks that are decoded late equal mmdet's bitmaps after the same operations."""

import copy

import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from pycocotools import mask as coco_mask

from tmt_vis.datasets.transforms.rle_masks import RLEMasks


def pair(height: int, width: int, num: int = 3) -> tuple[BitmapMasks, RLEMasks]:
    """Return the same random blobs as bitmaps and as codes."""
    rng = np.random.default_rng(height * width)
    bitmap = (rng.random((num, height, width)) < 0.4).astype(np.uint8)
    bitmap[:1, :, : width // 2] = 0  # columns without an object
    rles = coco_mask.encode(np.asfortranarray(bitmap.transpose(1, 2, 0)))
    codes = [rle["counts"] for rle in rles]
    ours = RLEMasks.whole(codes, height=height, width=width)
    return BitmapMasks(list(bitmap), height, width), ours


def assert_equal(ours, theirs) -> None:
    assert len(ours) == len(theirs)
    assert (ours.height, ours.width) == (theirs.height, theirs.width)
    assert ours.masks.dtype == np.uint8 and ours.masks.flags.c_contiguous
    np.testing.assert_array_equal(ours.masks, theirs.masks)


OPERATIONS = dict(
    nothing=lambda m: m,
    shrink=lambda m: m.rescale((17, 9)),
    enlarge=lambda m: m.resize((61, 83)),
    by_a_number=lambda m: m.rescale(0.37),
    horizontal=lambda m: m.flip(),
    vertical=lambda m: m.flip("vertical"),
    diagonal=lambda m: m.flip("diagonal"),
    crop=lambda m: m.crop(np.array([2, 1, 9, 6])),
    crop_beyond=lambda m: m.crop(np.array([-3, 2, 99, 99])),
    crop_of_nothing=lambda m: m.crop(np.array([3, 3, 3, 2])),
    flip_shrink_flip=lambda m: m.flip("diagonal").rescale((19, 11)).flip(),
    detr=lambda m: m.resize((50, 70)).crop(np.array([4, 3, 44, 31])).resize((13, 29)),
    one=lambda m: m[1].flip(),
    some=lambda m: m[np.array([2, 0])].rescale((17, 9)),
    those=lambda m: m[np.array([True, False, True])].flip("vertical"),
    none=lambda m: m[np.zeros(3, bool)].rescale((17, 9)).flip(),
    bilinear=lambda m: m.resize((40, 40), interpolation="bilinear").flip(),
    of_mmdet=lambda m: m.flip().pad((90, 95)).crop(np.array([3, 4, 80, 90])),
)


@pytest.mark.parametrize("size", [(23, 31), (8, 12), (41, 10)], ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_equal_those_on_bitmaps(name, size):
    theirs, ours = pair(*size)
    assert_equal(OPERATIONS[name](ours), OPERATIONS[name](theirs))
    assert_equal(ours, theirs)  # nothing was done in place


def test_the_pixels_of_opencv_are_taken_at_any_scale():
    rng = np.random.default_rng(0)
    theirs, ours = pair(53, 97, num=2)
    for height, width in rng.integers(1, 200, (100, 2)):
        size = (int(height), int(width))
        assert_equal(ours.resize(size), theirs.resize(size))


def test_changed_pixels_stay_changed():
    theirs, ours = pair(12, 15)
    for masks in (theirs, ours):
        masks.masks[:, 2:5] = 1
    assert_equal(
        copy.deepcopy(ours).flip()[1:].rescale((9, 9)),
        theirs.flip()[1:].rescale((9, 9)),
    )
    ours.masks = theirs.masks[:2]
    assert len(ours) == 2


def test_boxes_and_no_masks_at_all():
    theirs, ours = pair(12, 15)
    boxes = ours.flip().get_bboxes(HorizontalBoxes).tensor
    assert boxes.equal(theirs.flip().get_bboxes(HorizontalBoxes).tensor)
    nothing = RLEMasks.whole([], height=12, width=15)
    assert_equal(nothing.flip().rescale((7, 7)), theirs[:0].flip().rescale((7, 7)))


def test_an_unknown_direction_is_refused():
    with pytest.raises(AssertionError):
        pair(4, 4)[1].flip("sideways")
