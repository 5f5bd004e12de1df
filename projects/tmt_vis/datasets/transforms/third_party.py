"""Transforms of other libraries, in the convention of one frame of a clip."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.utils import get_object_from_string

from .frame_instances import with_masks

_SEED_LIMIT = 2**31


@TRANSFORMS.register_module()
class ImageCallable(BaseTransform):
    """Run ``f(image=..., masks=[...]) -> dict(image=..., masks=...)`` on a frame.

    That is the calling convention of albumentations, which need not be installed.
    A callable with a generator of its own is seeded per frame through its
    ``set_random_seed(seed)``, so that a ClipBroadcaster shares its choices and a clip
    is the same in every worker; global generators need nothing.

    Masks decide: boxes are recomputed from them, and an instance whose mask comes back
    empty is absent in the frame. Do not pass boxes to the callable.

    Required keys: img (h, w, 3) uint8 BGR, the per-instance values of a frame.
    Modified keys: img, img_shape, gt_masks, gt_bboxes and the other per-instance
    values.

    Args:
        function: The callable, or where to import it from, e.g.
            ``my_package.augmentations.colours``.

    Raises:
        ValueError: If there is nothing to call, or the callable returns another number
            of masks.
    """

    def __init__(self, function: str | Callable[..., Mapping[str, Any]]) -> None:
        found = get_object_from_string(function) if type(function) is str else function
        if not callable(found):
            raise ValueError(
                f"function must be a callable or the import path of one, got "
                f"{function!r}"
            )
        self.function = found

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Transform one frame."""
        reseed = getattr(self.function, "set_random_seed", None)
        if reseed is not None:
            reseed(int(np.random.randint(_SEED_LIMIT)))
        masks = list(results["gt_masks"].masks)
        output = self.function(image=results["img"], masks=masks)
        if len(output["masks"]) != len(masks):
            raise ValueError(
                f"{self.function!r} must return one mask per mask, got "
                f"{len(output['masks'])} for {len(masks)}; identities would be lost"
            )
        return _updated(results, output["image"], list(output["masks"]))


@TRANSFORMS.register_module()
class TorchvisionTransform(BaseTransform):
    """Run a transform of ``torchvision.transforms.v2`` on a frame.

    Its choices are drawn from torch's global generator, so that a ClipBroadcaster
    shares them. Colour transforms see RGB. Masks decide, as in ``ImageCallable``.

    Required and modified keys: those of ``ImageCallable``.

    Args:
        name: Name in ``torchvision.transforms.v2``, e.g. ``RandomPerspective``.
        **options: Its arguments. ``fill`` is the image's only: border is no object.

    Raises:
        ValueError: If there is no such transform.
    """

    def __init__(self, name: str, **options: Any) -> None:
        # Imported where it is used: a second that every other user would wait for.
        from torchvision import tv_tensors
        from torchvision.transforms import v2

        if not hasattr(v2, name):
            raise ValueError(
                f"torchvision.transforms.v2 has no {name!r}; names are spelled as "
                "there, e.g. 'RandomPerspective'"
            )
        if "fill" in options:
            options["fill"] = {tv_tensors.Image: options["fill"], "others": 0}
        self.function = getattr(v2, name)(**options)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Transform one frame."""
        from torchvision import tv_tensors

        rgb = np.ascontiguousarray(results["img"][..., ::-1].transpose(2, 0, 1))
        image, masks = self.function(
            tv_tensors.Image(torch.from_numpy(rgb)),
            tv_tensors.Mask(torch.from_numpy(results["gt_masks"].masks)),
        )
        bgr = np.ascontiguousarray(image.numpy().transpose(1, 2, 0)[..., ::-1])
        return _updated(results, bgr, list(masks.numpy()))


def _updated(
    results: dict[str, Any], image: np.ndarray, masks: list[np.ndarray]
) -> dict[str, Any]:
    stacked = np.zeros((len(masks), *image.shape[:2]), dtype=np.uint8)
    for target, mask in zip(stacked, masks, strict=True):
        target[:] = mask
    changed = dict(img=image, img_shape=image.shape[:2], **with_masks(results, stacked))
    return {**results, **changed}
