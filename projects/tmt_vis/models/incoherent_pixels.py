"""Which pixels Video Mask Transfiner refines, and the transformer that does it."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import FFN
from mmdet.models.layers import SinePositionalEncoding
from torch import Tensor, nn

from tmt_vis.typedefs import Size

from .layers import Attention

PixelOrder = Literal["random", "row-major"]
_REACH = 3  # pixels to the neighbours that are compared


def edge_ring(mask: Tensor) -> Tensor:
    """Mark the pixels whose neighbours three pixels away are not all as they are.

    Outside of the frame is background: an object that touches the border has an edge
    there.

    Args:
        mask: ``(..., H, W)`` bool.

    Returns:
        The same shape.
    """
    height, width = mask.shape[-2:]
    flat = mask.reshape(-1, 1, height, width).float()
    padded = F.pad(flat, (_REACH,) * 4)
    pool = dict(kernel_size=3, stride=1, dilation=_REACH)
    most = F.max_pool2d(padded, **pool)
    least = -F.max_pool2d(-padded, **pool)
    return (most != least).view(mask.shape)


def incoherent_band(mask: Tensor) -> Tensor:
    """Mark the pixels along the outline of a mask: six on each side where straight.

    The edge of the edge, as in the release: it would be hollow where all nine
    neighbours of a pixel lie in the first ring.

    Args:
        mask: ``(..., H, W)`` bool.
    """
    return edge_ring(edge_ring(mask))


class PixelChoice:
    """Which of the pixels in the band of a frame are refined.

    Args:
        max_pixels: of a frame; attention takes time by its square. The release has
            12,000.
        order: in which pixels are taken where there are more: ``random`` or
            ``row-major``.
        seed: of the random order; a frame's pixels depend on it and on the number of
            the frame only.

    Raises:
        ValueError: on another order, or without a pixel.
    """

    def __init__(
        self,
        *,
        max_pixels: int = 12000,
        order: PixelOrder = "random",
        seed: int = 42,
    ) -> None:
        if order not in get_args(PixelOrder):
            raise ValueError(
                f"pixels.order must be one of {get_args(PixelOrder)}, got {order!r}"
            )
        if max_pixels < 1:
            raise ValueError(
                f"pixels.max_pixels must be >= 1, got {max_pixels}; the release has "
                "12000"
            )
        self.max_pixels = max_pixels
        self.order = order
        self.seed = seed

    def __call__(self, band: Tensor, number: int) -> Tensor:
        """Choose pixels of a frame.

        Args:
            band: ``(H, W)`` bool.
            number: of the frame in its video.

        Returns:
            ``(P,)`` positions in row-major order, at most ``max_pixels``.
        """
        found = band.flatten().nonzero().squeeze(1)
        if len(found) <= self.max_pixels:
            return found
        if self.order == "row-major":
            return found[: self.max_pixels]
        draw = torch.Generator().manual_seed(self.seed + number)
        order = torch.randperm(len(found), generator=draw)[: self.max_pixels]
        return found[order.sort().values.to(found.device)]


class PixelRefiner(nn.Module):
    """Self-attention among the chosen pixels of one frame.

    Args:
        channels: of the pixels.
        num_layers: transformer layers, each followed by norms.
        num_heads: attention heads.
        ffn_channels: hidden width of the FFNs.
        dropout: of all branches.
    """

    def __init__(
        self,
        *,
        channels: int = 64,
        num_layers: int = 3,
        num_heads: int = 4,
        ffn_channels: int = 2048,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _RefinerLayer(channels, num_heads, ffn_channels, dropout)
            for _ in range(num_layers)
        )
        self._sine = SinePositionalEncoding(num_feats=channels // 2, normalize=True)

    def positions(self, size: Size, device: torch.device) -> Tensor:
        """Return the code of every pixel, ``(H * W, C)``, row by row."""
        nothing = torch.zeros((1, *size), dtype=torch.bool, device=device)
        return self._sine(nothing)[0].flatten(1).T

    def forward(self, pixels: Tensor, pos: Tensor) -> Tensor:
        """Return what is added to the pixels.

        Args:
            pixels: ``(P, C)``.
            pos: ``(P, C)``, added to queries and keys of every layer.
        """
        tokens, pos = pixels[None], pos[None]
        for layer in self.layers:
            tokens = layer(tokens, pos)
        return tokens[0]


class _RefinerLayer(nn.Module):
    def __init__(
        self, channels: int, num_heads: int, ffn_channels: int, dropout: float
    ) -> None:
        super().__init__()
        self.self_attn = Attention(channels, num_heads)
        self.ffn = FFN(
            embed_dims=channels, feedforward_channels=ffn_channels, ffn_drop=dropout
        )
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, pos: Tensor) -> Tensor:
        found = self.self_attn(tokens, tokens, tokens, query_pos=pos, key_pos=pos)
        tokens = self.norms[0](tokens + self.dropout(found))
        return self.norms[1](self.ffn(tokens))
