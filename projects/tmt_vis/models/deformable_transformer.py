"""The transformer of Deformable DETR, on frames with padding.

The layers are mmdet's, so are parameters, initialisation and results; what runs them
reads nothing back from the device and samples on CPUs with
:func:`tmt_vis.ops.deform_attention`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.layers import (
    DeformableDetrTransformerDecoderLayer,
    DeformableDetrTransformerEncoderLayer,
    SinePositionalEncoding,
    inverse_sigmoid,
)
from mmengine.model import BaseModule
from torch import Tensor, nn

from tmt_vis.typedefs import Size

from .layers import ReferencePoints, deformable_attention


@dataclass(frozen=True)
class DeformableMemory:
    """The encoded tokens of some frames.

    Args:
        tokens: ``(B, N, C)`` of all levels, large to small.
        pos: ``(B, N, C)`` their sine encoding, with the level embedding added.
        padding: ``(B, N)`` bool, True = padding; None where no frame has any.
        sizes: ``(h, w)`` of the L levels.
        valid: ``(B, L, 2)`` share of width and height that is no padding.
    """

    tokens: Tensor
    pos: Tensor
    padding: Tensor | None
    sizes: tuple[Size, ...]
    valid: Tensor

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, frames: slice) -> "DeformableMemory":
        """Return some of the frames."""
        return DeformableMemory(
            self.tokens[frames],
            self.pos[frames],
            None if self.padding is None else self.padding[frames],
            self.sizes,
            self.valid[frames],
        )

    def maps(self) -> list[Tensor]:
        """Return the levels as maps, ``(B, C, h, w)`` each."""
        pairs = zip(self.by_level(self.tokens), self.sizes, strict=True)
        return [part.transpose(1, 2).unflatten(2, size) for part, size in pairs]

    def by_level(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Split ``(B, N, ...)`` by level."""
        return tokens.split([height * width for height, width in self.sizes], dim=1)


class DeformableEncoder(BaseModule):
    """Multi-scale deformable self-attention over all pixels of all levels.

    Args:
        channels: width ``C``.
        num_levels: ``L``.
        num_layers: encoder layers.
        num_heads: attention heads.
        num_points: points read per head and level.
        ffn_channels: hidden width of the FFNs.
        dropout: of attention and FFNs.
    """

    def __init__(
        self,
        *,
        channels: int = 256,
        num_levels: int = 4,
        num_layers: int = 6,
        num_heads: int = 8,
        num_points: int = 4,
        ffn_channels: int = 1024,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        attn = deformable_config(channels, num_levels, num_heads, num_points, dropout)
        ffn = feed_forward_config(channels, ffn_channels, dropout)
        self.layers = nn.ModuleList(
            DeformableDetrTransformerEncoderLayer(self_attn_cfg=attn, ffn_cfg=ffn)
            for _ in range(num_layers)
        )
        self.level_embed = nn.Parameter(torch.empty(num_levels, channels))
        self._sine = SinePositionalEncoding(
            num_feats=channels // 2, normalize=True, offset=-0.5
        )
        init_deformable(self)
        nn.init.normal_(self.level_embed)

    def init_weights(self) -> None:
        """Do nothing: all parts are initialised when they are built."""

    def forward(
        self, levels: Sequence[Tensor], image_sizes: Sequence[Size], padded: Size
    ) -> DeformableMemory:
        """Encode frames.

        Args:
            levels: ``(B, C, h, w)``, large to small.
            image_sizes: ``(h, w)`` of each frame without padding, in input pixels.
            padded: size of the padded input.

        Returns:
            The encoded frames.
        """
        sizes = tuple(tuple(level.shape[-2:]) for level in levels)
        masks = padding_masks(image_sizes, padded, sizes, levels[0].device)
        valid = torch.stack([_valid_share(mask) for mask in masks], 1)  # (B, L, 2)
        padding = torch.cat([mask.flatten(1) for mask in masks], 1)
        if all(tuple(size) == tuple(padded) for size in image_sizes):
            padding = None
        codes = [
            self._sine(mask).flatten(2).transpose(1, 2) + embed
            for mask, embed in zip(masks, self.level_embed, strict=True)
        ]
        pos = torch.cat(codes, 1)
        tokens = torch.cat([x.flatten(2).transpose(1, 2) for x in levels], 1)
        centers = _pixel_centers(sizes, valid)
        references = ReferencePoints(centers.unsqueeze(2) * valid.unsqueeze(1))
        for layer in self.layers:
            attended = deformable_attention(
                layer.self_attn, tokens + pos, tokens, references, sizes, padding
            )
            tokens = layer.norms[0](tokens + layer.self_attn.dropout(attended))
            tokens = layer.norms[1](layer.ffn(tokens))
        return DeformableMemory(tokens, pos, padding, sizes, valid)


class DeformableDecoder(BaseModule):
    """Queries that read the levels around a reference box, refined in every layer.

    Args:
        as in :class:`DeformableEncoder`.
    """

    def __init__(
        self,
        *,
        channels: int = 256,
        num_levels: int = 4,
        num_layers: int = 6,
        num_heads: int = 8,
        num_points: int = 4,
        ffn_channels: int = 1024,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        attn = dict(
            embed_dims=channels, num_heads=num_heads, dropout=dropout, batch_first=True
        )
        cross = deformable_config(channels, num_levels, num_heads, num_points, dropout)
        ffn = feed_forward_config(channels, ffn_channels, dropout)
        self.layers = nn.ModuleList(
            DeformableDetrTransformerDecoderLayer(
                self_attn_cfg=attn, cross_attn_cfg=cross, ffn_cfg=ffn
            )
            for _ in range(num_layers)
        )
        init_deformable(self)

    def init_weights(self) -> None:
        """Do nothing: all parts are initialised when they are built."""

    def forward(
        self,
        queries: Tensor,
        pos: Tensor,
        references: Tensor,
        memory: DeformableMemory,
        box_branches: Sequence[Callable[[Tensor], Tensor]],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Decode.

        Args:
            queries: ``(B, Q, C)``.
            pos: ``(B, Q, C)``.
            references: ``(B, Q, 2)`` centres or ``(B, Q, 4)`` boxes (centre and size)
                in [0, 1] of the frames without padding.
            memory: of the same frames.
            box_branches: per layer, from states to box refinements ``(B, Q, 4)``.

        Returns:
            The states behind every layer, ``(B, Q, C)`` each, and the references: the
            given ones and those behind every layer, ``(B, Q, 4)`` each, detached.
        """
        states, all_references = [], [references]
        for layer, branch in zip(self.layers, box_branches, strict=True):
            queries = layer.norms[0](
                layer.self_attn(
                    query=queries,
                    key=queries,
                    value=queries,
                    query_pos=pos,
                    key_pos=pos,
                )
            )
            attended = deformable_attention(
                layer.cross_attn,
                queries + pos,
                memory.tokens,
                on_levels(references, memory.valid),
                memory.sizes,
                memory.padding,
            )
            queries = layer.norms[1](queries + layer.cross_attn.dropout(attended))
            queries = layer.norms[2](layer.ffn(queries))
            references = refine_boxes(branch(queries), references).detach()
            states.append(queries)
            all_references.append(references)
        return states, all_references


def refine_boxes(deltas: Tensor, references: Tensor) -> Tensor:
    """Move reference points or boxes.

    Args:
        deltas: ``(..., 4)``, added before the sigmoid.
        references: ``(..., 2)`` or ``(..., 4)`` in [0, 1].

    Returns:
        ``(..., 4)`` centres and sizes in [0, 1].
    """
    gap = deltas.shape[-1] - references.shape[-1]
    return (deltas + F.pad(inverse_sigmoid(references, eps=1e-5), (0, gap))).sigmoid()


def padding_masks(
    image_sizes: Sequence[Size],
    padded: Size,
    level_sizes: Sequence[Size],
    device: torch.device,
) -> list[Tensor]:
    """Mark the padding on every level.

    Args:
        image_sizes: ``(h, w)`` of each frame without padding.
        padded: size of the padded input.
        level_sizes: ``(h, w)`` of each level.
        device: of the masks.

    Returns:
        ``(B, h, w)`` bool per level, True = padding.
    """
    whole = torch.ones((len(image_sizes), *padded), device=device)
    for mask, (height, width) in zip(whole, image_sizes, strict=True):
        mask[:height, :width] = 0
    return [
        F.interpolate(whole[:, None], size=size, mode="nearest")[:, 0].bool()
        for size in level_sizes
    ]


def _valid_share(mask: Tensor) -> Tensor:
    """Return the share of width and height without padding, ``(B, 2)``."""
    height, width = mask.shape[-2:]
    columns = (~mask[:, 0]).sum(1) / width
    rows = (~mask[:, :, 0]).sum(1) / height
    return torch.stack([columns, rows], -1)


def _pixel_centers(sizes: Sequence[Size], valid: Tensor) -> Tensor:
    """Return the centre of every pixel in its frame without padding, ``(B, N, 2)``."""
    centers = []
    for (height, width), share in zip(sizes, valid.unbind(1), strict=True):
        y = torch.arange(height, device=valid.device) + 0.5
        x = torch.arange(width, device=valid.device) + 0.5
        x = x / (share[:, :1] * width)  # (B, w)
        y = y / (share[:, 1:] * height)  # (B, h)
        grid = [x[:, None].expand(-1, height, -1), y[..., None].expand(-1, -1, width)]
        centers.append(torch.stack(grid, -1).flatten(1, 2))
    return torch.cat(centers, 1)


def on_levels(references: Tensor, valid: Tensor) -> ReferencePoints:
    """Place references of frames on the padded levels."""
    centers = references[:, :, None, :2] * valid[:, None]
    if references.shape[-1] == 2:
        return ReferencePoints(centers)
    return ReferencePoints(centers, references[:, :, None, 2:] * valid[:, None])


def deformable_config(
    channels: int, levels: int, heads: int, points: int, dropout: float
) -> dict:
    """Return the arguments of mmcv's deformable attention."""
    return dict(
        embed_dims=channels,
        num_heads=heads,
        num_levels=levels,
        num_points=points,
        dropout=dropout,
        batch_first=True,
    )


def feed_forward_config(channels: int, hidden: int, dropout: float) -> dict:
    """Return the arguments of mmcv's FFN."""
    return dict(embed_dims=channels, feedforward_channels=hidden, ffn_drop=dropout)


def init_deformable(module: nn.Module) -> None:
    """Initialise as Deformable DETR does."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    for part in module.modules():
        if isinstance(part, MultiScaleDeformableAttention):
            part.init_weights()
