"""Masks by small convolutions whose weights each object brings along (CondInst)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.utils import aligned_bilinear
from mmengine.model import BaseModule
from torch import Tensor, nn

from tmt_vis.typedefs import Size

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
        return self.reduce(self.merge(levels))

    def merge(self, levels: Sequence[Tensor]) -> Tensor:
        """Add up the levels, ``(B, C, h, w)``, in front of the last of their layers."""
        merged = levels[-1]
        convs = zip(self.merge_convs, reversed(levels[:-1]), strict=False)
        for conv, level in convs:
            size = level.shape[-2:]
            smaller = conv(merged).relu()
            merged = level + F.interpolate(smaller, size=size, mode="nearest")
        return merged

    def reduce(self, merged: Tensor) -> Tensor:
        """Make the features of :meth:`merge`'s sum."""
        for conv in (self.merge_convs[-1], *self.out_convs):
            merged = conv(merged).relu()
        return merged


class DynamicMaskHead(nn.Module):
    """Three 1x1 convolutions per object, on features and relative coordinates.

    The parameters of an object lie as weights of the three layers, then their biases;
    the first layer reads x and y of the object's reference point relative to the cell,
    in input pixels, then the maps that the object has for itself, then the features. It
    has no parameters of its own.

    The coordinates are the same in every row or column, so their part of the first
    layer is a sum of two vectors, and the features are shared by all objects: nothing
    of size ``(objects, channels + 2, h, w)`` is made for them.

    Args:
        feature_channels: of the features.
        own_channels: of the maps that each object has for itself.
        hidden_channels: of the two hidden layers.
        stride: of the features, in input pixels; None: no coordinates are read.
    """

    def __init__(
        self,
        *,
        feature_channels: int = 8,
        own_channels: int = 0,
        hidden_channels: int = 8,
        stride: int | None = 8,
    ) -> None:
        super().__init__()
        self.hidden = hidden_channels
        self.stride = stride
        coordinates = 0 if stride is None else _COORDINATES
        self.inputs = (coordinates, own_channels, feature_channels)
        self.lengths = [
            sum(self.inputs) * hidden_channels,
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
        """Compute the mask logits of the objects of one frame at half the stride.

        Args:
            parameters: ``(n, num_parameters)``.
            centers: ``(n, 2)`` x and y of the reference points in input pixels.
            features: ``(feature_channels, h, w)``.

        Returns:
            ``(n, 2 h, 2 w)``.
        """
        logits = self.logits(parameters, centers, features)
        return aligned_bilinear(logits.unsqueeze(1), 2).squeeze(1)

    def logits(
        self,
        parameters: Tensor,
        centers: Tensor | None,
        features: Tensor | None,
        own: Tensor | None = None,
    ) -> Tensor:
        """Compute the mask logits of the objects of one frame.

        Args:
            parameters: ``(n, num_parameters)``.
            centers: ``(n, 2)`` x and y of the reference points in input pixels; None
                where no coordinates are read.
            features: ``(feature_channels, h, w)``; None without any.
            own: ``(n, own_channels, h, w)``; None without any.

        Returns:
            ``(n, h, w)``.
        """
        parts = parameters.split(self.lengths, dim=1)
        widths = sum(self.inputs), self.hidden, self.hidden
        first, second, third = (
            part.unflatten(1, (-1, width))
            for part, width in zip(parts, widths, strict=False)
        )
        size = (own if features is None else features).shape[-2:]
        on_coordinates, on_own, on_features = first.split(self.inputs, dim=2)
        bias = parts[3]
        hidden = bias[..., None, None]
        if features is not None:
            products = on_features.flatten(0, 1) @ features.flatten(1)
            hidden = products.view(len(first), self.hidden, *size)
            if self.stride is None:
                hidden = hidden + bias[..., None, None]
        if self.stride is not None:
            coordinates = self._coordinates(on_coordinates, bias, centers, size)
            hidden = coordinates if features is None else hidden + coordinates
        if own is not None:
            hidden = hidden + torch.bmm(on_own, own.flatten(2)).unflatten(2, size)
        hidden = hidden.relu().flatten(2)  # (n, hidden, h * w)
        hidden = torch.baddbmm(parts[4].unsqueeze(-1), second, hidden).relu()
        logits = torch.baddbmm(parts[5].unsqueeze(-1), third, hidden)
        return logits.view(len(first), *size)

    def _coordinates(
        self, weight: Tensor, bias: Tensor, centers: Tensor, size: Size
    ) -> Tensor:
        """Return bias and coordinates of the first layer, ``(n, hidden, h, w)``."""
        left, above = relative_positions(centers, size, self.stride)
        along_x = weight[..., :1] * left[:, None] + bias.unsqueeze(-1)
        along_y = weight[..., 1:] * above[:, None]
        return along_x.unsqueeze(2) + along_y.unsqueeze(3)


def relative_positions(
    centers: Tensor, size: Size, stride: int
) -> tuple[Tensor, Tensor]:
    """Return where points lie, seen from the cells of a map.

    Args:
        centers: ``(n, 2)`` x and y in input pixels.
        size: ``(h, w)`` of the map.
        stride: of the map; a cell is its pixel at half the stride.

    Returns:
        ``(n, w)`` pixels to the right of the columns and ``(n, h)`` below the rows.
    """
    height, width = size
    half = stride // 2
    x = torch.arange(width, device=centers.device) * stride + half
    y = torch.arange(height, device=centers.device) * stride + half
    return centers[:, :1] - x, centers[:, 1:] - y
