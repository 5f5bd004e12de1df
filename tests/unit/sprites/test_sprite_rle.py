"""Run-length encoding agrees with pycocotools, byte for byte."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask


def _masks():
    rng = np.random.default_rng(0)
    yield "empty", np.zeros((5, 7), bool)
    yield "full", np.ones((5, 7), bool)
    yield "first pixel", np.eye(1, 35, 0, dtype=bool).reshape(5, 7)
    yield "one by one", np.ones((1, 1), bool)
    blob = np.zeros((211, 307), bool)
    blob[40:180, 3:290] = True  # long runs: several groups of five bits
    blob[90:92, 100:250] = False
    yield "long runs", blob
    for density in (0.02, 0.5, 0.97):
        yield f"noise {density}", rng.random((33, 41)) < density


@pytest.mark.parametrize(("name", "mask"), list(_masks()))
def test_compressed_counts_equal_pycocotools(name, mask):
    from sprite_vis.rle import decode, encode

    ours = encode(mask, compressed=True)
    theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert ours["counts"] == theirs["counts"].decode("ascii")
    assert ours["size"] == theirs["size"]
    assert np.array_equal(decode(ours), mask)


@pytest.mark.parametrize(("name", "mask"), list(_masks()))
def test_list_counts_are_coco_run_lengths(name, mask):
    from sprite_vis.rle import decode, encode

    ours = encode(mask, compressed=False)
    assert sum(ours["counts"]) == mask.size
    theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert coco_mask.frPyObjects(ours, *mask.shape)["counts"] == theirs["counts"]
    assert np.array_equal(decode(ours), mask)
