"""What decoders, TCM and mask heads see of frames and clips."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from mmdet.models.layers import SinePositionalEncoding, SinePositionalEncoding3D
from torch import Tensor

from tmt_vis.ops import BoundedCache, resize_clip
from tmt_vis.typedefs import Size


class PixelFeatures(NamedTuple):
    """What a head keeps of ``F`` frames after the pixel decoder.

    Args:
        mask_features: ``(F, C, H, W)`` at stride 4.
        levels: ``(F, C, h, w)`` at strides 32, 16, 8.
        fine: ``(F, C, H, W)``, the stride-4 map in front of the last 1x1 convolution;
            None unless the head keeps it.
        images: ``(F, 3, Hp, Wp)``, normalised and padded; None unless the head keeps
            them.
    """

    mask_features: Tensor
    levels: tuple[Tensor, ...]
    fine: Tensor | None = None
    images: Tensor | None = None

    @property
    def num_frames(self) -> int:
        """Number of frames ``F``."""
        return len(self.mask_features)

    def tensors(self) -> list[Tensor]:
        """List the tensors, see :meth:`with_tensors`."""
        extras = (x for x in (self.fine, self.images) if x is not None)
        return [self.mask_features, *self.levels, *extras]

    def with_tensors(self, tensors: Iterable[Tensor]) -> "PixelFeatures":
        """Build features like these of other tensors, in the order of the list."""
        mask_features, *rest = tensors
        levels, extras = rest[: len(self.levels)], iter(rest[len(self.levels) :])
        return PixelFeatures(
            mask_features,
            tuple(levels),
            None if self.fine is None else next(extras),
            None if self.images is None else next(extras),
        )

    def frames(self, frames: slice) -> "PixelFeatures":
        """Return the features of some of the frames."""
        return self.with_tensors(x[frames] for x in self.tensors())


class FrameLevels(NamedTuple):
    """What a head without mask features at stride 4 keeps of ``F`` frames.

    Args:
        levels: ``(F, C, h, w)``, large to small.
    """

    levels: tuple[Tensor, ...]

    @property
    def num_frames(self) -> int:
        """Number of frames ``F``."""
        return len(self.levels[0])

    def padded_size(self, stride: int) -> Size:
        """Return the size of the padded frames, of which this is the first stride."""
        height, width = self.levels[0].shape[-2:]
        return height * stride, width * stride

    def tensors(self) -> list[Tensor]:
        """List the tensors, see :meth:`with_tensors`."""
        return list(self.levels)

    def with_tensors(self, tensors: Iterable[Tensor]) -> "FrameLevels":
        """Build features like these of other tensors, in the order of the list."""
        return FrameLevels(tuple(tensors))


class CascadeFeatures(NamedTuple):
    """What a head that refines masks at stride 2 keeps of ``F`` frames.

    Args:
        levels: ``(F, C, h, w)`` of the neck, large to small.
        stage: ``(F, C', h, w)`` of the backbone at stride 4.
        stem: ``(F, C'', h, w)`` of the backbone at stride 2; None if it has none.
        image: ``(F, 3, h, w)`` normalised pixels at stride 2.
    """

    levels: tuple[Tensor, ...]
    stage: Tensor
    stem: Tensor | None
    image: Tensor

    @property
    def num_frames(self) -> int:
        """Number of frames ``F``."""
        return len(self.stage)

    def tensors(self) -> list[Tensor]:
        """List the tensors, see :meth:`with_tensors`."""
        stem = () if self.stem is None else (self.stem,)
        return [*self.levels, self.stage, *stem, self.image]

    def with_tensors(self, tensors: Iterable[Tensor]) -> "CascadeFeatures":
        """Build features like these of other tensors, in the order of the list."""
        tensors = list(tensors)
        levels, rest = tensors[: len(self.levels)], tensors[len(self.levels) :]
        stem = None if self.stem is None else rest[1]
        return CascadeFeatures(tuple(levels), rest[0], stem, rest[-1])


@dataclass(frozen=True)
class FeatureLevel:
    """The tokens of one feature level, all frames of the clip side by side.

    Args:
        tokens: ``(B, T*h*w, C)``; for the decoder projected, with the level embedding
            added.
        pos: ``(1, T*h*w, C)`` sine encoding over (time,) height and width, or one per
            clip; None where keys carry no position.
        size: ``(h, w)``.
    """

    tokens: Tensor
    pos: Tensor | None
    size: Size


@dataclass(frozen=True)
class ClipFeatures:
    """Features of a batch of clips, each of which is decoded by itself.

    Args:
        mask_features: ``(B, T, C, H, W)`` at stride 4.
        levels: at strides 32, 16, 8, in this order.
        clips_per_sample: clips that each sample of the batch was cut into: 1, or its
            number of frames where frames are decoded one by one.
    """

    mask_features: Tensor
    levels: tuple[FeatureLevel, ...]
    clips_per_sample: int = 1

    def __len__(self) -> int:
        return len(self.mask_features)

    def __getitem__(self, clips: slice) -> "ClipFeatures":
        """Return some of the clips, each as a sample of its own."""
        levels = (FeatureLevel(x.tokens[clips], x.pos, x.size) for x in self.levels)
        return ClipFeatures(self.mask_features[clips], tuple(levels))

    def frames(self, part: slice) -> "ClipFeatures":
        """Return some of the frames of each sample, which are clips of their own.

        Args:
            part: of the frames of a sample.
        """
        count = self.clips_per_sample
        levels, rows = self.levels, range(count)[part]

        def some(values: Tensor) -> Tensor:
            return values.unflatten(0, (-1, count))[:, part].flatten(0, 1)

        return ClipFeatures(
            some(self.mask_features),
            tuple(FeatureLevel(some(x.tokens), x.pos, x.size) for x in levels),
            clips_per_sample=len(rows),
        )

    def joined(self) -> "ClipFeatures":
        """Make one long clip of the clips of each sample; positions repeat."""
        count = self.clips_per_sample
        if count == 1:
            return self
        levels = (
            FeatureLevel(
                x.tokens.unflatten(0, (-1, count)).flatten(1, 2),
                x.pos.repeat(1, count, 1),
                x.size,
            )
            for x in self.levels
        )
        mask_features = self.mask_features.unflatten(0, (-1, count)).flatten(1, 2)
        return ClipFeatures(mask_features, tuple(levels))

    def repeat(self, values: Iterable) -> list:
        """Give each clip the value of its sample."""
        return [value for value in values for _ in range(self.clips_per_sample)]

    def mask_level(self) -> FeatureLevel:
        """Return the mask features as one more level, without positions."""
        # (B, T, C, H, W) -> (B, T*H*W, C)
        tokens = self.mask_features.permute(0, 1, 3, 4, 2).flatten(1, 3)
        return FeatureLevel(tokens, None, tuple(self.mask_features.shape[-2:]))

    @torch.no_grad()
    def level_mask_features(self) -> tuple[Tensor, ...]:
        """Resize the mask features to each level.

        Attention masks carry no gradient. Resizing the features three times per clip
        replaces resizing the masks of all queries in each of ten stages.

        Returns:
            ``(B, T, C, h, w)`` per level.
        """
        features = self.mask_features.detach()
        return tuple(resize_clip(features, level.size) for level in self.levels)


class ClipPositionalEncoding:
    """Cache the sine encoding of the decoder's levels per shape and device.

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
        self._cache = BoundedCache(self._encode, self._MAX_ENTRIES)

    def __call__(self, num_frames: int, size: Size, device: torch.device) -> Tensor:
        """Return the code of ``T`` frames of one level, ``(1, T*h*w, C)``."""
        return self._cache(num_frames, tuple(size), device)

    def _encode(self, num_frames: int, size: Size, device: torch.device) -> Tensor:
        # An all-false mask: padding is attended like any pixel, as in the reference.
        if not self._temporal:
            mask = torch.zeros((1, *size), dtype=torch.bool, device=device)
            code = self._encoding(mask).flatten(2).transpose(1, 2)  # (1, h*w, C)
            return code.repeat(1, num_frames, 1)
        mask = torch.zeros((1, num_frames, *size), dtype=torch.bool, device=device)
        code = self._encoding(mask)  # (1, T, C, h, w)
        return code.permute(0, 1, 3, 4, 2).flatten(1, 3)
