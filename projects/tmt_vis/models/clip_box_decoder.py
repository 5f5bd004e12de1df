"""Queries of a clip with a box in every frame (SeqFormer)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmcv.cnn.bricks.transformer import FFN
from mmcv.ops import MultiScaleDeformableAttention
from mmengine.model import bias_init_with_prob
from torch import Tensor, nn

from tmt_vis.typedefs import ConfigType

from .box_query_decoder import mlp
from .deformable_transformer import (
    DeformableEncoder,
    DeformableMemory,
    deformable_config,
    feed_forward_config,
    init_deformable,
    on_levels,
    refine_boxes,
)
from .layers import Attention, deformable_reading


class ClipBoxQueries(NamedTuple):
    """What the queries of ``B`` clips of ``T`` frames are, stage by stage.

    Args:
        states: ``(S, B, Q, C)`` of the clips, behind every layer.
        box_states: ``(S, B * T, Q, C)`` of the frames.
        references: S tensors, the points ``(B * T, Q, 2)`` or boxes ``(B * T, Q, 4)``
            that enter each layer, relative to the frames without padding, detached.
    """

    states: Tensor
    box_states: Tensor
    references: tuple[Tensor, ...]


class ClipBoxDecoderLayer(nn.Module):
    """Attention of two streams: one per clip (what it is), one per frame (where).

    The box stream alone says where the frames are read. What it finds in the frames is
    averaged for the stream of the clip, with weights that the box stream predicts
    (SeqFormer, arXiv:2112.08275, Eqs. 4 and 5).

    Args:
        channels: width ``C``.
        num_levels: of the memory.
        num_heads: attention heads.
        num_points: points read per head and level.
        ffn_channels: hidden width of the FFNs.
        dropout: of all branches.
    """

    def __init__(
        self,
        *,
        channels: int,
        num_levels: int,
        num_heads: int,
        num_points: int,
        ffn_channels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.self_attn = Attention(channels, num_heads)
        self.box_self_attn = Attention(channels, num_heads)
        self.cross_attn = MultiScaleDeformableAttention(
            **deformable_config(channels, num_levels, num_heads, num_points, dropout)
        )
        self.box_proj = nn.Linear(channels, channels)
        # A bias would be the same for all frames, and the softmax takes it out.
        self.frame_weights = nn.Linear(channels, 1, bias=False)
        ffn = feed_forward_config(channels, ffn_channels, dropout)
        self.ffn, self.box_ffn = FFN(**ffn), FFN(**ffn)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))
        self.box_norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        queries: Tensor,
        boxes: Tensor,
        pos: Tensor,
        references: Tensor,
        memory: DeformableMemory,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run the layer on ``B`` clips.

        Args:
            queries: ``(B, Q, C)``.
            boxes: ``(B * T, Q, C)``, or ``(B, Q, C)`` if all frames of a clip share
                them, as in front of the first layer.
            pos: ``(B, Q, C)``.
            references: ``(B * T, Q, 2)`` or ``(B * T, Q, 4)``.
            memory: of the frames.

        Returns:
            Both streams, ``(B, Q, C)`` and ``(B * T, Q, C)``, and the weights of the
            frames, ``(B, T, Q, 1)``.
        """
        count, frames = len(queries), len(memory) // len(queries)
        found = self.self_attn(queries, queries, queries, query_pos=pos, key_pos=pos)
        queries = self.norms[0](queries + self.dropout(found))
        frame_pos = pos.repeat_interleave(frames, dim=0)
        box_pos = pos if len(boxes) == count else frame_pos
        found = self.box_self_attn(
            boxes, boxes, boxes, query_pos=box_pos, key_pos=box_pos
        )
        boxes = self.box_norms[0](boxes + self.dropout(found))
        boxes = boxes.repeat_interleave(len(memory) // len(boxes), dim=0)
        read = deformable_reading(
            self.cross_attn,
            boxes + frame_pos,
            memory.tokens,
            on_levels(references, memory.valid),
            memory.sizes,
            memory.padding,
        )
        boxes = self.box_norms[1](boxes + self.dropout(self.box_proj(read)))
        boxes = self.box_norms[2](self.box_ffn(boxes))
        weights = self.frame_weights(boxes).unflatten(0, (count, frames)).softmax(1)
        seen = self.cross_attn.output_proj(read).unflatten(0, (count, frames))
        seen = (weights * seen).sum(1)
        queries = self.norms[1](queries + self.dropout(seen))
        return self.norms[2](self.ffn(queries)), boxes, weights


class ClipBoxDecoder(nn.Module):
    """Deformable DETR for clips: classes per clip, boxes per frame.

    Args:
        num_categories: rows of the classifiers, one sigmoid each.
        channels: width ``C``.
        num_queries: ``Q``.
        encoder: arguments of :class:`DeformableEncoder`.
        decoder: ``num_layers``, and arguments of :class:`ClipBoxDecoderLayer`.
        prior: initial probability of every category.
    """

    def __init__(
        self,
        *,
        num_categories: int,
        channels: int = 256,
        num_queries: int = 300,
        encoder: ConfigType | None = None,
        decoder: ConfigType | None = None,
        prior: float = 0.01,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.encoder = DeformableEncoder(channels=channels, **(encoder or {}))
        layer = dict(num_levels=4, num_heads=8, num_points=4, ffn_channels=1024)
        layer |= dict(dropout=0.1) | dict(decoder or {})
        num_layers = layer.pop("num_layers", 6)
        self.layers = nn.ModuleList(
            ClipBoxDecoderLayer(channels=channels, **layer) for _ in range(num_layers)
        )
        init_deformable(self.layers)
        # Positions, then contents, as in Deformable DETR's files.
        self.query_embed = nn.Embedding(num_queries, 2 * channels)
        self.reference_points = nn.Linear(channels, 2)
        nn.init.xavier_uniform_(self.reference_points.weight)
        nn.init.zeros_(self.reference_points.bias)
        self.cls_branches = nn.ModuleList(
            nn.Linear(channels, num_categories) for _ in range(num_layers)
        )
        self.reg_branches = nn.ModuleList(mlp(channels, 4) for _ in range(num_layers))
        for branch in self.cls_branches:
            nn.init.constant_(branch.bias, bias_init_with_prob(prior))
        for branch in self.reg_branches:
            nn.init.zeros_(branch[-1].weight)
            nn.init.zeros_(branch[-1].bias)
        nn.init.constant_(self.reg_branches[0][-1].bias[2:], -2.0)

    def decode(self, memory: DeformableMemory, num_clips: int) -> ClipBoxQueries:
        """Run the decoder.

        Args:
            memory: of ``B * T`` frames, clip by clip.
            num_clips: ``B``.
        """
        table = self.query_embed.weight.expand(num_clips, -1, -1)
        pos, queries = table.split(self.channels, dim=-1)
        boxes = queries
        points = self.reference_points(pos).sigmoid()
        references = [points.repeat_interleave(len(memory) // num_clips, dim=0)]
        states, box_states = [], []
        for layer, branch in zip(self.layers, self.reg_branches, strict=True):
            queries, boxes, _ = layer(queries, boxes, pos, references[-1], memory)
            states.append(queries)
            box_states.append(boxes)
            references.append(refine_boxes(branch(boxes), references[-1]).detach())
        return ClipBoxQueries(
            torch.stack(states), torch.stack(box_states), tuple(references[:-1])
        )

    def classes(self, states: Sequence[Tensor], *, first: int = 0) -> Tensor:
        """Return class logits ``(S, B, Q, K)`` of the stages from ``first`` on.

        Args:
            states: ``(B, Q, C)`` each.
            first: stage of the first of them; negative counts from the last.
        """
        pairs = zip(self.cls_branches[first:], states, strict=True)
        return torch.stack([branch(x) for branch, x in pairs])

    def boxes(self, queries: ClipBoxQueries, *, first: int = 0) -> Tensor:
        """Return boxes ``(S, B * T, Q, 4)`` of the stages from ``first`` on.

        Centre and size, relative to the frames without padding. Unlike the references,
        they have a gradient.
        """
        stages = zip(
            self.reg_branches[first:],
            queries.box_states[first:],
            queries.references[first:],
            strict=True,
        )
        return torch.stack([refine_boxes(b(x), r) for b, x, r in stages])
