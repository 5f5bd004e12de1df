"""The masked transformer decoder of Mask2Former; it knows nothing of text."""

from torch import Tensor, nn

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
        memory_pos: Tensor,
        keep: Tensor,
    ) -> Tensor:
        """Update the queries (Eq. 7).

        Args:
            queries: ``(B, Q, C)``.
            query_pos: ``(B, Q, C)``.
            memory: ``(B, M, C)`` tokens of all frames of one feature level.
            memory_pos: ``(1, M, C)``.
            keep: ``(B, Q, M)`` bool, True = attend.

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


class MaskedTransformerDecoder(nn.Module):
    """The layers and the norm in front of the shared prediction heads.

    The loop over the layers is the head's, because predictions and injections happen
    between them.

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
        self.post_norm = nn.LayerNorm(channels)
        xavier_init(self)
