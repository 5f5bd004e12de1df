"""Turn the per-frame lists of a clip into one tensor and one ClipDataSample."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.structures import InstanceData

from tmt_vis.structures import ClipDataSample

from ..errors import ClipStructureError

_META_KEYS = (
    *("dataset", "label_space", "video_id", "video_name", "frame_ids", "video_length"),
    *("ori_shape", "clip_seed", "num_refetch", "known_slots", "incomplete_slots"),
)
_GT_KEYS = (*("gt_masks", "gt_bboxes_labels", "gt_instances_ids", "gt_ignore_flags"),)


@TRANSFORMS.register_module()
class PackClipInputs(BaseTransform):
    """Pack a clip: stack frames and re-align instances by their ids.

    Transforms may drop an instance in some frames (a crop, for example). Instances are
    matched over frames by id alone; where one is missing its mask is empty. Instances
    without a pixel in any frame are dropped. Crowd regions go to ``ignored_instances``.

    Required keys: img (list of T (h, w, 3)) and the clip's facts; optionally the lists
    of LoadClipAnnotations.

    Returns:
        dict(inputs=(T, 3, h, w) contiguous tensor in the channel order and dtype of the
        images (uint8 BGR; float32 after PhotoMetricDistortion),
        data_samples=ClipDataSample).

    Raises:
        ClipStructureError: If frames differ in size, or the lists of a frame do not
            describe the same instances.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one clip."""
        images = results["img"]
        img_shape = _common_shape(images)
        meta = {key: results[key] for key in _META_KEYS if key in results}
        sample = ClipDataSample(metainfo=dict(meta, img_shape=img_shape))
        if "gt_masks" in results:
            clip = _AlignedInstances(results, img_shape)
            sample.gt_instances = clip.select(is_ignored=False)
            sample.ignored_instances = clip.select(is_ignored=True)
        return dict(inputs=_stack(images), data_samples=sample)


class _AlignedInstances:
    """All instances of a clip, first seen first, with one mask per frame."""

    def __init__(self, results: dict[str, Any], img_shape: tuple[int, int]) -> None:
        frames = [results[key] for key in _GT_KEYS]
        self._frames = list(zip(*frames, strict=True))
        for frame_id, frame in zip(results["frame_ids"], self._frames, strict=True):
            _check_frame(frame, frame_id, img_shape)
        self._img_shape = img_shape
        self._facts: dict[int, tuple[int, bool]] = {}
        for _, labels, ids, flags in self._frames:
            for key, label, flag in zip(ids, labels, flags, strict=True):
                self._add(int(key), int(label), bool(flag))

    def _add(self, instance_id: int, slot: int, is_ignored: bool) -> None:
        known = self._facts.setdefault(instance_id, (slot, is_ignored))
        if known != (slot, is_ignored):
            raise ClipStructureError(
                f"instance id {instance_id} has (slot, ignored) = {known} in one frame "
                f"and {(slot, is_ignored)} in another; a transform reordered only some "
                "of the per-instance lists"
            )

    def select(self, *, is_ignored: bool) -> InstanceData:
        """Gather the instances with or without the ignore flag."""
        ids = [i for i, (_, flag) in self._facts.items() if flag is is_ignored]
        row = {instance_id: n for n, instance_id in enumerate(ids)}
        masks = np.zeros((len(ids), len(self._frames), *self._img_shape), dtype=bool)
        for t, (frame_masks, _, frame_ids, _) in enumerate(self._frames):
            for mask, instance_id in zip(frame_masks.masks, frame_ids, strict=True):
                if (n := row.get(int(instance_id))) is not None:
                    masks[n, t] = mask
        present = masks.any(axis=(2, 3))
        kept = present.any(axis=1)
        labels = np.array([self._facts[i][0] for i in ids], dtype=np.int64)
        return InstanceData(
            labels=torch.from_numpy(labels[kept]),
            ids=torch.from_numpy(np.array(ids, dtype=np.int64)[kept]),
            masks=torch.from_numpy(masks if kept.all() else masks[kept]),
            present=torch.from_numpy(present[kept]),
        )


def _check_frame(frame: tuple, frame_id: int, img_shape: tuple[int, int]) -> None:
    counts = {key: len(value) for key, value in zip(_GT_KEYS, frame, strict=True)}
    if len(set(counts.values())) > 1:
        raise ClipStructureError(
            f"frame {frame_id}: per-instance lists must have one length, got {counts}; "
            "a transform filtered only some of them (mmdet's FilterAnnotations leaves "
            "the ids alone)"
        )
    masks, _, ids, _ = frame
    if len(set(ids.tolist())) != len(ids):
        raise ClipStructureError(
            f"frame {frame_id}: instance ids must be unique, got {ids.tolist()}"
        )
    if (masks.height, masks.width) != img_shape:
        raise ClipStructureError(
            f"frame {frame_id}: masks are {masks.height}x{masks.width}, the image is "
            f"{img_shape[0]}x{img_shape[1]}; a transform changed only one of them (use "
            "mmdet's, not mmcv's)"
        )


def _common_shape(images: list[np.ndarray]) -> tuple[int, int]:
    shapes = {image.shape[:2] for image in images}
    if len(shapes) != 1:
        raise ClipStructureError(
            f"the frames of a clip must have one size, got {sorted(shapes)}; resize "
            "and crop inside a ClipBroadcaster with share_random_params=True"
        )
    return shapes.pop()


def _stack(images: list[np.ndarray]) -> torch.Tensor:
    clip = np.empty((len(images), 3, *images[0].shape[:2]), dtype=images[0].dtype)
    for t, image in enumerate(images):
        clip[t] = image.transpose(2, 0, 1)
    return torch.from_numpy(clip)
