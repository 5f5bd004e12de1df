"""Build a transform pipeline the way mmdet configs expect it."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS
from mmengine.registry import DefaultScope

from .errors import ClipRejectedError


class ClipPipeline(Compose):
    """Apply transforms in turn, and say which one wants none of the clip."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Apply every transform.

        Raises:
            ClipRejectedError: As soon as a transform returns None.
        """
        for transform in self.transforms:
            results = transform(results)
            if results is None:
                raise ClipRejectedError(f"{type(transform).__name__} returned None")
        return results


def build_pipeline(transforms: Sequence[Any]) -> ClipPipeline:
    """Build transforms with mmdet's meaning of their names.

    ``RandomFlip`` and ``Resize`` exist in mmcv and in mmdet; only mmdet's move boxes
    and masks. Wrappers (``ClipBroadcaster``, ``RandomChoiceResize``) build their inner
    transforms through the default scope, which only a Runner sets, so without a scope
    the same config would resize images but not masks.

    Args:
        transforms: Configs or callables.

    Returns:
        A callable on the results dict.
    """
    if DefaultScope.get_current_instance() is None:
        scope = DefaultScope.overwrite_default_scope("mmdet")
    else:
        scope = nullcontext()
    with scope:
        return ClipPipeline(
            [
                TRANSFORMS.build(dict(item)) if isinstance(item, Mapping) else item
                for item in transforms
            ]
        )
