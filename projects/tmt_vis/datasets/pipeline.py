"""Build a transform pipeline the way mmdet configs expect it."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS
from mmengine.registry import DefaultScope


def build_pipeline(transforms: Sequence[Any]) -> Compose:
    """Build transforms with mmdet's meaning of their names.

    ``RandomFlip`` and ``Resize`` exist in mmcv and in mmdet; only mmdet's move boxes
    and masks. Wrappers (``ClipBroadcaster``, ``RandomChoiceResize``) build their inner
    transforms through the default scope, which only a Runner sets, so without a scope
    the same config would resize images but not masks.

    Args:
        transforms: Configs or callables.

    Returns:
        A callable on the results dict; None as soon as a transform returns None.
    """
    if DefaultScope.get_current_instance() is None:
        scope = DefaultScope.overwrite_default_scope("mmdet")
    else:
        scope = nullcontext()
    with scope:
        return Compose(
            [
                TRANSFORMS.build(dict(item)) if isinstance(item, Mapping) else item
                for item in transforms
            ]
        )
