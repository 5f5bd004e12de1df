"""Attention and feed-forward blocks of the decoder, TCM and TIM."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import FFN
from torch import Tensor, nn

from tmt_vis.ops import CAN_ATTEND_IN_PARTS, attend_in_parts, masked_attention

# A part stays in the cache and is all of the projected keys that is in memory: 138,240
# keys of 36 frames take 56 instead of 375 MB and 0.9 of the time (one thread; 2,048
# keys at a time do the same, 16,384 take 130 MB and longer).
_KEYS_AT_ONCE = 4096


class Attention(nn.Module):
    """Multi-head attention, computed by one fused call.

    The parameters live in an ``nn.MultiheadAttention`` called ``attn``, so
    checkpoints of mmdet's transformer layers load unchanged.

    Args:
        channels: width of queries, keys and values.
        num_heads: attention heads.
    """

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(channels, num_heads, batch_first=True)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        query_pos: Tensor | None = None,
        key_pos: Tensor | None = None,
        keep: Tensor | None = None,
    ) -> Tensor:
        """Return what the queries attend to (without the residual).

        Positions are added to queries and keys, never to values.

        Args:
            query: ``(B, L, C)``.
            key: ``(B, M, C)``.
            value: ``(B, M, C)``.
            query_pos: added to the query, broadcastable to it.
            key_pos: added to the key, broadcastable to it.
            keep: ``(B, 1 or L, M)`` bool, True = attend.

        Returns:
            ``(B, L, C)``.
        """
        weights = self.attn.in_proj_weight.chunk(3)
        biases = self.attn.in_proj_bias.chunk(3)
        to_query, *to_memory = zip(weights, biases, strict=True)
        q = self._split_heads(F.linear(_plus(query, query_pos), *to_query))
        memory = key, value, key_pos, keep
        many = key.is_cpu and key.shape[1] > _KEYS_AT_ONCE
        if many and CAN_ATTEND_IN_PARTS and not torch.is_grad_enabled():
            parts = (self._project(to_memory, *part) for part in _parts(*memory))
            attended = attend_in_parts(q, parts)
        else:
            attended = masked_attention(q, *self._project(to_memory, *memory))
        return self.attn.out_proj(attended.transpose(1, 2).flatten(2))

    def _project(
        self,
        to_memory: Sequence[tuple[Tensor, Tensor]],
        key: Tensor,
        value: Tensor,
        key_pos: Tensor | None,
        keep: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return keys and values of all heads, and ``keep``."""
        to_key, to_value = to_memory
        k = self._split_heads(F.linear(_plus(key, key_pos), *to_key))
        v = self._split_heads(F.linear(value, *to_value))
        return k, v, keep

    def _split_heads(self, x: Tensor) -> Tensor:
        # (B, L, C) -> (B, heads, L, d)
        return x.unflatten(-1, (self.attn.num_heads, -1)).transpose(1, 2)


class CrossAttentionBlock(nn.Module):
    """Cross-attention and FFN, each followed by residual and LayerNorm.

    The block of TCM (Eqs. 3-4) and TIM (Eq. 6). The equations print neither residual
    nor norm; without them E2 would be an average of the video features and lose the
    identity of its category (resolution A6).

    Args:
        channels: width.
        num_heads: attention heads.
        ffn_channels: hidden width of the FFN.
        layer_scale: initial factor of both branches; None = no factor.
        norm_first: normalise what enters each branch instead of what leaves it. With
            ``layer_scale=0`` the block then starts as the identity and leaves
            warm-started queries in place, which the LayerNorm of the usual order
            never does.
    """

    def __init__(
        self,
        *,
        channels: int,
        num_heads: int = 8,
        ffn_channels: int = 2048,
        layer_scale: float | None = None,
        norm_first: bool = False,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.cross_attn = Attention(channels, num_heads)
        self.ffn = feed_forward(channels, ffn_channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))
        self.scales = nn.ModuleList(
            nn.Identity() if layer_scale is None else Scale(channels, layer_scale)
            for _ in range(2)
        )

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        query_pos: Tensor | None = None,
        key_pos: Tensor | None = None,
        keep: Tensor | None = None,
    ) -> Tensor:
        """Update the queries; the arguments are those of :class:`Attention`."""
        pos = dict(query_pos=query_pos, key_pos=key_pos)
        if self.norm_first:
            attended = self.cross_attn(
                self.norms[0](query), key, value, keep=keep, **pos
            )
            query = query + self.scales[0](attended)
            return query + self.scales[1](self.ffn(self.norms[1](query)))
        attended = self.cross_attn(query, key, value, keep=keep, **pos)
        query = self.norms[0](query + self.scales[0](attended))
        return self.norms[1](query + self.scales[1](self.ffn(query)))


class Scale(nn.Module):
    """Multiply each channel by a learned factor (LayerScale, CaiT)."""

    def __init__(self, channels: int, init: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((channels,), init))

    def forward(self, x: Tensor) -> Tensor:
        """Scale ``(..., C)``."""
        return x * self.factor


def feed_forward(channels: int, hidden: int) -> FFN:
    """Build mmcv's FFN (ReLU, no residual), keyed like mmdet's transformer layers."""
    return FFN(
        embed_dims=channels,
        feedforward_channels=hidden,
        num_fcs=2,
        act_cfg=dict(type="ReLU", inplace=True),
        ffn_drop=0.0,
        add_identity=False,
    )


def xavier_init(module: nn.Module) -> None:
    """Initialise every matrix with Xavier-uniform, as the reference does."""
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)


def _plus(x: Tensor, pos: Tensor | None) -> Tensor:
    return x if pos is None else x + pos


def _parts(
    key: Tensor, value: Tensor, key_pos: Tensor | None, keep: Tensor | None
) -> Iterator[tuple[Tensor, Tensor, Tensor | None, Tensor | None]]:
    """Yield some keys at a time."""
    if key_pos is not None:
        key_pos = key_pos.expand_as(key)
    for start in range(0, key.shape[1], _KEYS_AT_ONCE):
        part = slice(start, start + _KEYS_AT_ONCE)
        yield (
            key[:, part],
            value[:, part],
            None if key_pos is None else key_pos[:, part],
            None if keep is None else keep[..., part],
        )
