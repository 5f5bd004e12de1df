"""Clips whose pixels are instance ids, as they look after loading."""

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import strategies as st
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from tmt_vis.datasets.pipeline import build_pipeline

BACKGROUND, BORDER = 0, 255
Box = tuple[int, int, int, int]  # x, y, width, height


def id_clip(height: int, width: int, frames: Sequence[Mapping[int, Box]]) -> dict:
    """Build the results dict of a clip.

    Args:
        height: H in pixels.
        width: W in pixels.
        frames: Per frame the box of each instance id in [1, 254]; later ones cover
            earlier ones. The slot of an instance is its id modulo 7.

    Returns:
        The results dict between loading and the first transform.
    """
    results: dict = dict(
        dataset="d",
        label_space="ytvis19",
        ori_shape=(height, width),
        frame_ids=list(range(len(frames))),
        img=[],
        img_shape=[(height, width) for _ in frames],
        **{key: [] for key in ("gt_masks", "gt_bboxes", "gt_bboxes_labels")},
        **{key: [] for key in ("gt_instances_ids", "gt_ignore_flags")},
    )
    for boxes in frames:
        ids = np.full((height, width), BACKGROUND, np.uint8)
        for number, (x, y, w, h) in boxes.items():
            ids[y : y + h, x : x + w] = number
        shown = np.array([i for i in boxes if (ids == i).any()], dtype=np.int64)
        masks = (ids == shown[:, None, None]).astype(np.uint8)
        wrapped = BitmapMasks(masks, height, width)
        results["img"].append(np.repeat(ids[..., None], 3, axis=2))
        results["gt_masks"].append(wrapped)
        results["gt_bboxes"].append(wrapped.get_bboxes(HorizontalBoxes))
        results["gt_bboxes_labels"].append(shown % 7)
        results["gt_instances_ids"].append(shown)
        results["gt_ignore_flags"].append(np.zeros(len(shown), dtype=bool))
    return results


@st.composite
def id_clips(draw: st.DrawFn) -> dict:
    """Draw clips of odd and even sizes whose instances come, go and overlap."""
    height, width = draw(st.integers(9, 32)), draw(st.integers(9, 40))
    numbers = draw(st.lists(st.integers(1, 200), min_size=1, max_size=4, unique=True))
    box = st.tuples(
        *(st.integers(0, width - 3), st.integers(0, height - 3)),
        *(st.integers(2, width), st.integers(2, height)),
    )
    frame = st.fixed_dictionaries({}, optional=dict.fromkeys(numbers, box))
    frames = draw(st.lists(frame, min_size=1, max_size=4))
    return id_clip(height, width, frames)


def pack(results: dict, transforms: Sequence) -> dict:
    """Run transforms and pack."""
    return build_pipeline([*transforms, dict(type="PackClipInputs")])(results)


def check_identities(packed: Mapping) -> None:
    """Check that mask i covers the pixels of value i, and that no pixel is left."""
    truth, ids = packed["data_samples"].gt_instances, packed["inputs"][:, 0]
    assert (packed["inputs"] == packed["inputs"][:, :1]).all()
    assert truth.masks.shape[1:] == ids.shape
    left = (ids != BACKGROUND) & (ids != BORDER)
    for number, slot, masks in zip(truth.ids, truth.labels, truth.masks, strict=True):
        assert slot == number % 7
        assert (masks == (ids == number)).all(), f"instance {number}"
        left &= ~masks
    assert not left.any()
