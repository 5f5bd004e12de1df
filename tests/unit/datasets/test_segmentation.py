"""The fast decoder equals pycocotools; areas and boxes too."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tmt_vis.datasets import segmentation


def cases(height: int, width: int) -> dict[str, np.ndarray]:
    masks = {name: np.zeros((height, width), np.uint8) for name in "abcdefg"}
    masks["b"][:] = 1
    masks["c"][0, 0] = 1
    masks["d"][-1, -1] = 1
    masks["e"][:, 1] = 1
    masks["f"][height // 2 :, 1:] = 1
    masks["g"][:] = np.random.default_rng(0).random((height, width)) < 0.4
    return masks


@pytest.mark.parametrize("size", [(8, 6), (7, 11), (1, 5), (9, 2)])
def test_decoding_equals_pycocotools(size):
    height, width = size
    masks = np.stack(list(cases(*size).values()))
    rles = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0)))
    counts = [rle["counts"] for rle in rles]
    decoded = segmentation.decode(counts, height=height, width=width)
    assert decoded.dtype == np.uint8 and decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, masks)
    for areas in (segmentation.checked_areas, segmentation.areas):
        found = areas(counts, height=height, width=width)
        assert found.tolist() == masks.sum(axis=(1, 2)).tolist()
    boxes = segmentation.boxes(counts, height=height, width=width)
    rows, columns = np.nonzero(masks[-1])
    tight = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert boxes[-1].tolist() == tight


@pytest.mark.parametrize("step", [1, -1, 3, -2])
def test_some_rows_and_columns_equal_indexing(step):
    masks = np.stack(list(cases(11, 13).values()))
    rles = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0)))
    counts = [rle["counts"] for rle in rles]
    rows = np.arange(11)[::step]
    columns = np.repeat(np.arange(2, 12), 2)[::step]
    some = segmentation.decode(counts, height=11, width=13, rows=rows, columns=columns)
    np.testing.assert_array_equal(some, masks[:, rows][:, :, columns])
    assert some.flags.c_contiguous


def test_no_masks_at_all():
    size = dict(height=4, width=5)
    assert segmentation.decode([], **size).shape == (0, 4, 5)
    assert segmentation.boxes([], **size).shape == (0, 4)
    assert segmentation.checked_areas([], **size).shape == (0,)
    assert segmentation.areas([], **size).shape == (0,)


def test_damaged_counts_are_noticed():
    mask = np.zeros((32, 48), np.uint8)
    mask[3:20, 5:30] = 1
    counts = coco_mask.encode(np.asfortranarray(mask))["counts"]
    size = dict(height=32, width=48)
    damaged = [counts, counts[:-6], counts + b"2"]
    areas = segmentation.checked_areas(damaged, **size)
    assert areas.tolist() == [mask.sum(), -1, -1]
    for unreadable in (b"", b"\x01\x02"):
        with pytest.raises(ValueError, match="compressed counts"):
            segmentation.checked_areas([counts, unreadable], **size)
