"""What the decoder, TCM and the mask head see of a clip."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from mmdet.models.layers import SinePositionalEncoding, SinePositionalEncoding3D
from torch import Tensor

from tmt_vis.ops import resize_clip
from tmt_vis.typedefs import Size


class PixelFeatures(NamedTuple):
    """Output of the pixel decoder for ``F`` frames.

    Args:
        mask_features: ``(F, C, H, W)`` at stride 4.
        levels: ``(F, C, h, w)`` at strides 32, 16, 8.
    """

    mask_features: Tensor
    levels: tuple[Tensor, ...]

    @classmethod
    def join(cls, chunks: Iterable["PixelFeatures"], count: int) -> "PixelFeatures":
        """Join the features of all frames, with only one chunk of them twice in memory.

        Args:
            chunks: of some frames each, in order.
            count: frames of all chunks.
        """
        joined, done = None, 0
        for chunk in chunks:
            if len(chunk.mask_features) == count:
                return chunk
            tensors = (chunk.mask_features, *chunk.levels)
            if joined is None:
                joined = [x.new_empty((count, *x.shape[1:])) for x in tensors]
            for whole, part in zip(joined, tensors, strict=True):
                whole[done : done + len(part)] = part
            done += len(chunk.mask_features)
        return cls(joined[0], tuple(joined[1:]))


@dataclass(frozen=True)
class Memory:
    """The tokens of one feature level, all frames of the clip side by side.

    Args:
        tokens: ``(B, T*h*w, C)``, projected, with the level embedding added.
        pos: ``(1, T*h*w, C)`` sine encoding over (time,) height and width.
        size: ``(h, w)``.
    """

    tokens: Tensor
    pos: Tensor
    size: Size


@dataclass(frozen=True)
class ClipFeatures:
    """Features of a batch of clips, each of which is decoded by itself.

    Args:
        mask_features: ``(B, T, C, H, W)`` at stride 4.
        memories: at strides 32, 16, 8, in this order.
    """

    mask_features: Tensor
    memories: tuple[Memory, ...]

    def __len__(self) -> int:
        return len(self.mask_features)

    def __getitem__(self, clips: slice) -> "ClipFeatures":
        """Return some of the clips."""
        memories = (Memory(m.tokens[clips], m.pos, m.size) for m in self.memories)
        return ClipFeatures(self.mask_features[clips], tuple(memories))

    def joined(self, count: int) -> "ClipFeatures":
        """Make one long clip of every ``count`` clips; positions repeat.

        Args:
            count: a divisor of the number of clips.
        """
        if count == 1:
            return self
        memories = (
            Memory(
                m.tokens.unflatten(0, (-1, count)).flatten(1, 2),
                m.pos.repeat(1, count, 1),
                m.size,
            )
            for m in self.memories
        )
        mask_features = self.mask_features.unflatten(0, (-1, count)).flatten(1, 2)
        return ClipFeatures(mask_features, tuple(memories))

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
    """Cache the sine encoding of the decoder's memories per shape and device.

    Args:
        channels: width of the code.
        temporal: the 3-D code of Mask2Former-VIS, whose spatial and temporal part are
            added; False is the 2-D code of Mask2Former, the same for every frame.
    """

    # A training run sees a handful of shapes; long test videos of many sizes would
    # otherwise keep 1 kB per token each.
    _MAX_ENTRIES = 12

    def __init__(self, channels: int, *, temporal: bool = True) -> None:
        kind = SinePositionalEncoding3D if temporal else SinePositionalEncoding
        self._encoding = kind(num_feats=channels // 2, normalize=True)
        self._temporal = temporal
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
        if not self._temporal:
            mask = torch.zeros((1, *size), dtype=torch.bool, device=device)
            code = self._encoding(mask).flatten(2).transpose(1, 2)  # (1, h*w, C)
            return code.repeat(1, num_frames, 1)
        mask = torch.zeros((1, num_frames, *size), dtype=torch.bool, device=device)
        code = self._encoding(mask)  # (1, T, C, h, w)
        return code.permute(0, 1, 3, 4, 2).flatten(1, 3)
