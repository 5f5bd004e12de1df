"""What the decoder, TCM and the mask head see of a clip."""

from dataclasses import dataclass

import torch
from mmdet.models.layers import SinePositionalEncoding3D
from torch import Tensor

from tmt_vis.ops import resize_clip
from tmt_vis.typedefs import Size


@dataclass(frozen=True)
class Memory:
    """The tokens of one feature level, all frames of the clip side by side.

    Args:
        tokens: ``(B, T*h*w, C)``, projected, with the level embedding added.
        pos: ``(1, T*h*w, C)`` sine encoding over time, height and width.
        size: ``(h, w)``.
    """

    tokens: Tensor
    pos: Tensor
    size: Size


@dataclass(frozen=True)
class ClipFeatures:
    """Features of a batch of clips.

    Args:
        mask_features: ``(B, T, C, H, W)`` at stride 4.
        memories: at strides 32, 16, 8, in this order.
    """

    mask_features: Tensor
    memories: tuple[Memory, ...]

    @torch.no_grad()
    def level_mask_features(self) -> tuple[Tensor, ...]:
        """Resize the mask features to each memory level.

        Attention masks carry no gradient. Resizing the features three times per clip
        replaces resizing the masks of all queries in each of ten stages.

        Returns:
            ``(B, T, C, h, w)`` per level.
        """
        features = self.mask_features.detach()
        return tuple(resize_clip(features, m.size) for m in self.memories)


class ClipPositionalEncoding:
    """Cache the 3-D sine encoding of Mask2Former-VIS per shape and device.

    Args:
        channels: width of the code; the spatial and the temporal part are added.
    """

    # A training run sees a handful of shapes; long test videos of many sizes would
    # otherwise keep 1 kB per token each.
    _MAX_ENTRIES = 12

    def __init__(self, channels: int) -> None:
        self._encoding = SinePositionalEncoding3D(
            num_feats=channels // 2, normalize=True
        )
        self._cache: dict[tuple, Tensor] = {}

    def __call__(self, num_frames: int, size: Size, device: torch.device) -> Tensor:
        """Return the code of ``T`` frames of one level, ``(1, T*h*w, C)``."""
        key = (num_frames, *size, device)
        if key not in self._cache:
            if len(self._cache) >= self._MAX_ENTRIES:
                self._cache.pop(next(iter(self._cache)))
            self._cache[key] = self._encode(num_frames, size, device)
        return self._cache[key]

    def _encode(self, num_frames: int, size: Size, device: torch.device) -> Tensor:
        # An all-false mask: padding is attended like any pixel, as in the reference.
        mask = torch.zeros((1, num_frames, *size), dtype=torch.bool, device=device)
        code = self._encoding(mask)  # (1, T, C, h, w)
        return code.permute(0, 1, 3, 4, 2).flatten(1, 3)
