"""Masks by small convolutions whose weights each object brings along (CondInst)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.utils import aligned_bilinear
from mmengine.model import BaseModule
from torch import Tensor, nn

_COORDINATES = 2


class MaskFeatureHead(BaseModule):
    """Merge encoder levels to the few features that all masks are made of.

    A 3x3 convolution with ReLU per level, from small to large with nearest upsampling
    in between, then two more that reduce the channels.

    Args:
        channels: of the levels.
        num_levels: levels that are merged.
        out_channels: of the features.
    """

    def __init__(
        self, *, channels: int = 256, num_levels: int = 3, out_channels: int = 8
    ) -> None:
        super().__init__()
        self.merge_convs = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(num_levels)
        )
        self.out_convs = nn.ModuleList(
            nn.Conv2d(*widths, 3, padding=1)
            for widths in ((channels, channels // 4), (channels // 4, out_channels))
        )
        for conv in (*self.merge_convs, *self.out_convs):
            nn.init.kaiming_uniform_(conv.weight, a=1)
            nn.init.zeros_(conv.bias)

    def init_weights(self) -> None:
        """Do nothing: the convolutions are initialised when they are built."""

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Merge levels.

        Args:
            levels: ``(B, C, h, w)``, large to small.

        Returns:
            ``(B, out_channels, h, w)`` at the size of the largest.
        """
        merged = None
        for conv, level in zip(self.merge_convs, reversed(levels), strict=True):
            if merged is not None:
                size = level.shape[-2:]
                level = level + F.interpolate(merged, size=size, mode="nearest")
            merged = conv(level).relu()
        for conv in self.out_convs:
            merged = conv(merged).relu()
        return merged


class DynamicMaskHead(nn.Module):
    """Three 1x1 convolutions per object, on features and relative coordinates.

    The parameters of an object lie as weights of the three layers, then their biases;
    the first layer reads x and y of the object's reference point relative to the cell,
    in input pixels, in front of the features. It has no parameters of its own.

    The coordinates are the same in every row or column, so their part of the first
    layer is a sum of two vectors, and the features are shared by all objects: nothing
    of size ``(objects, channels + 2, h, w)`` is made for them.

    Args:
        feature_channels: of the features.
        hidden_channels: of the two hidden layers.
        stride: of the features, in input pixels.
    """

    def __init__(
        self, *, feature_channels: int = 8, hidden_channels: int = 8, stride: int = 8
    ) -> None:
        super().__init__()
        self.hidden = hidden_channels
        self.stride = stride
        inputs = feature_channels + _COORDINATES
        self.lengths = [
            inputs * hidden_channels,
            hidden_channels * hidden_channels,
            hidden_channels,
            hidden_channels,
            hidden_channels,
            1,
        ]

    @property
    def num_parameters(self) -> int:
        """Parameters that an object brings along; 169 for eight features."""
        return sum(self.lengths)

    def forward(self, parameters: Tensor, centers: Tensor, features: Tensor) -> Tensor:
        """Compute the mask logits of the objects of one frame.

        Args:
            parameters: ``(n, num_parameters)``.
            centers: ``(n, 2)`` x and y of the reference points in input pixels.
            features: ``(feature_channels, h, w)``.

        Returns:
            ``(n, 2 h, 2 w)``: half the stride of the features.
        """
        count = len(parameters)
        parts = parameters.split(self.lengths, dim=1)
        first, second, third = (
            part.unflatten(1, (-1, width))
            for part, width in zip(parts, self._inputs(features), strict=False)
        )
        hidden = first[..., _COORDINATES:].flatten(0, 1) @ features.flatten(1)
        hidden = hidden.view(count, self.hidden, *features.shape[1:])
        hidden = hidden + self._coordinates(first, parts[3], centers, features)
        hidden = hidden.relu().flatten(2)  # (n, hidden, h * w)
        hidden = torch.baddbmm(parts[4].unsqueeze(-1), second, hidden).relu()
        logits = torch.baddbmm(parts[5].unsqueeze(-1), third, hidden)
        logits = logits.view(count, 1, *features.shape[1:])
        return aligned_bilinear(logits, 2).squeeze(1)

    def _inputs(self, features: Tensor) -> tuple[int, int, int]:
        return len(features) + _COORDINATES, self.hidden, self.hidden

    def _coordinates(
        self, weight: Tensor, bias: Tensor, centers: Tensor, features: Tensor
    ) -> Tensor:
        """Return bias and coordinates of the first layer, ``(n, hidden, h, w)``."""
        height, width = features.shape[1:]
        half = self.stride // 2
        x = torch.arange(width, device=features.device) * self.stride + half
        y = torch.arange(height, device=features.device) * self.stride + half
        left = (centers[:, :1] - x)[:, None]  # (n, 1, w)
        above = (centers[:, 1:] - y)[:, None]  # (n, 1, h)
        along_x = weight[..., :1] * left + bias.unsqueeze(-1)  # (n, hidden, w)
        along_y = weight[..., 1:2] * above  # (n, hidden, h)
        return along_x.unsqueeze(2) + along_y.unsqueeze(3)
