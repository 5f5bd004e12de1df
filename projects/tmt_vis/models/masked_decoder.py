"""The masked transformer decoder of Mask2Former; it knows nothing of text."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from torch import Tensor, nn

from tmt_vis.losses import StageKind

from .features import FeatureLevel
from .layers import Attention, feed_forward, xavier_init


class MaskedDecoderLayer(nn.Module):
    """Masked cross-attention, self-attention, FFN, each with residual and LayerNorm.

    Sub-modules are named as in mmdet's ``Mask2FormerTransformerDecoderLayer``.

    Args:
        channels: width of the queries.
        num_heads: attention heads.
        ffn_channels: hidden width of the FFN.
    """

    def __init__(self, *, channels: int, num_heads: int, ffn_channels: int) -> None:
        super().__init__()
        self.cross_attn = Attention(channels, num_heads)
        self.self_attn = Attention(channels, num_heads)
        self.ffn = feed_forward(channels, ffn_channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))

    def forward(
        self,
        queries: Tensor,
        query_pos: Tensor,
        memory: Tensor,
        memory_pos: Tensor | None,
        keep: Tensor | None = None,
    ) -> Tensor:
        """Update the queries (Eq. 7).

        Args:
            queries: ``(B, Q, C)``.
            query_pos: ``(B, Q, C)``.
            memory: ``(B, M, C)``, e.g. the tokens of all frames of one feature level.
            memory_pos: ``(1, M, C)``; None adds no position.
            keep: ``(B, Q, M)`` bool, True = attend; None: everywhere.

        Returns:
            ``(B, Q, C)``.
        """
        attended = self.cross_attn(
            queries,
            memory,
            memory,
            query_pos=query_pos,
            key_pos=memory_pos,
            keep=keep,
        )
        queries = self.norms[0](queries + attended)
        attended = self.self_attn(
            queries, queries, queries, query_pos=query_pos, key_pos=query_pos
        )
        queries = self.norms[1](queries + attended)
        return self.norms[2](queries + self.ffn(queries))


AttentionGuide: TypeAlias = Callable[[int], Tensor]
"""Maps the index of a feature level to its ``keep``, ``(B, Q, M)`` bool."""
Predict: TypeAlias = Callable[[StageKind, int, Tensor], AttentionGuide | None]
"""Sees the raw queries ``(B, Q, C)`` of a stage; may guide the layer behind it."""
BeforeLayer: TypeAlias = Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Changes queries and positions in front of a layer, e.g. injects a taxonomy."""


class MaskedTransformerDecoder(nn.Module):
    """The decoder of Mask2Former: layers that read the feature levels in turn.

    Args:
        num_layers: decoder layers (9 in the paper).
        channels: width.
        num_heads: attention heads.
        ffn_channels: hidden width of the FFNs.
    """

    def __init__(
        self,
        *,
        num_layers: int = 9,
        channels: int = 256,
        num_heads: int = 8,
        ffn_channels: int = 2048,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.layers = nn.ModuleList(
            MaskedDecoderLayer(
                channels=channels, num_heads=num_heads, ffn_channels=ffn_channels
            )
            for _ in range(num_layers)
        )
        self.post_norm = nn.LayerNorm(channels)  # in front of the prediction heads
        xavier_init(self)

    def forward(
        self,
        queries: Tensor,
        pos: Tensor,
        levels: Sequence[FeatureLevel],
        *,
        predict: Predict,
        before_layer: BeforeLayer | None = None,
    ) -> Tensor:
        """Run all layers.

        A layer attends where the prediction in front of it says; the first one follows
        the injected queries.

        Args:
            queries: ``(B, Q, C)``.
            pos: ``(B, Q, C)``.
            levels: of the features; layer l reads level ``l mod len(levels)``.
            predict: called at every stage, in order: with the initial queries, with
                those that enter a layer (injected), and with those that leave it.
            before_layer: called in front of every layer.

        Returns:
            The queries behind the last layer, ``(B, Q, C)``, not normed.
        """
        predict(StageKind.INITIAL, 0, queries)
        guide = None
        for index, layer in enumerate(self.layers):
            if before_layer is not None:
                queries, pos = before_layer(index, queries, pos)
            injected = predict(StageKind.INJECTED, index, queries)
            if index == 0:
                guide = injected
            number = index % len(levels)
            level = levels[number]
            keep = None if guide is None else guide(number)
            queries = layer(queries, pos, level.tokens, level.pos, keep)
            guide = predict(StageKind.LAYER, index, queries)
        return queries
