"""The part of VITA that sees a video as its frame queries, never as pixels.

Frame queries of all frames pass an encoder with windows in time (Sec. 3.2 of VITA), and
video queries read the result. What comes out is one class and one mask embedding for
each object of the video.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tmt_vis.losses import StageKind

from .features import FeatureLevel
from .layers import Attention, feed_forward, xavier_init
from .masked_decoder import BeforeLayer, MaskedTransformerDecoder


class ObjectEncoderLayer(nn.Module):
    """Self-attention and FFN, each followed by residual and LayerNorm.

    Args:
        channels: width of the tokens.
        num_heads: attention heads.
        ffn_channels: hidden width of the FFN.
    """

    def __init__(self, *, channels: int, num_heads: int, ffn_channels: int) -> None:
        super().__init__()
        self.self_attn = Attention(channels, num_heads)
        self.ffn = feed_forward(channels, ffn_channels)
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(2))

    def forward(self, tokens: Tensor, boundaries: Sequence[int]) -> Tensor:
        """Let the tokens of each group of frames see each other.

        Args:
            tokens: ``(B, T, Q, C)``.
            boundaries: first frames of the groups and, at the end, ``T``.

        Returns:
            ``(B, T, Q, C)``.
        """
        groups = [
            self._attend(tokens[:, first:last], length)
            for first, last, length in _equal_groups(boundaries)
        ]
        attended = groups[0] if len(groups) == 1 else torch.cat(groups, 1)
        tokens = self.norms[0](tokens + attended)
        return self.norms[1](tokens + self.ffn(tokens))

    def _attend(self, tokens: Tensor, length: int) -> Tensor:
        """Attend within groups of ``length`` frames, ``(B, n*length, Q, C)``."""
        grouped = tokens.unflatten(1, (-1, length)).flatten(2, 3).flatten(0, 1)
        attended = self.self_attn(grouped, grouped, grouped)
        return attended.reshape(tokens.shape)


class ObjectEncoder(nn.Module):
    """Exchange information between the frame queries of a video (VITA, Sec. 3.2).

    Tokens carry no position, neither in time nor in space. In a test every second layer
    moves its windows by half a window. The released code rolls the frames around, masks
    what padding brings in and splits the window that then holds both ends of the video;
    what is left visible is windows whose boundaries are moved, without any wrap-around,
    so no mask, no padding and no roll are needed here.

    Args:
        num_layers: encoder layers.
        window: frames of a window; 0 attends to the whole clip.
        channels: width of the tokens.
        num_heads: attention heads.
        ffn_channels: hidden width of the FFNs.

    Raises:
        ValueError: if the window is negative.
    """

    def __init__(
        self,
        *,
        num_layers: int = 6,
        window: int = 6,
        channels: int = 256,
        num_heads: int = 8,
        ffn_channels: int = 2048,
    ) -> None:
        super().__init__()
        if window < 0:
            raise ValueError(
                f"the encoder's window must be >= 0 frames, got {window}; VITA uses 6, "
                "and 0 attends to the whole clip"
            )
        self.window = window
        self.input_proj = nn.Linear(channels, channels)
        self.layers = nn.ModuleList(
            ObjectEncoderLayer(
                channels=channels, num_heads=num_heads, ffn_channels=ffn_channels
            )
            for _ in range(num_layers)
        )
        xavier_init(self.layers)

    def forward(self, frame_queries: Tensor) -> Tensor:
        """Encode the frame queries of a batch of videos.

        Args:
            frame_queries: ``(B, T, Q, C)``, normed.

        Returns:
            Object tokens ``(B, T, Q, C)``.
        """
        tokens = self.input_proj(frame_queries)
        for index, layer in enumerate(self.layers):
            # Clips of a training are at most a window long, so nothing is moved there.
            moved = index % 2 == 1 and not self.training
            boundaries = window_boundaries(tokens.shape[1], self.window, moved=moved)
            tokens = layer(tokens, boundaries)
        return tokens


def window_boundaries(num_frames: int, window: int, *, moved: bool) -> list[int]:
    """List where the windows of a video begin, and its end.

    Args:
        num_frames: ``T``.
        window: frames of a window; 0 is one window for all.
        moved: begin the second window after half of a window (rounded down).
    """
    if window == 0:
        return [0, num_frames]
    first = window // 2 if moved and window > 1 else window
    return [0, *range(first, num_frames, window), num_frames]


def _equal_groups(boundaries: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Join neighbouring groups of one length: first and last frame, length."""
    start, length = boundaries[0], boundaries[1] - boundaries[0]
    for first, last in zip(boundaries[1:-1], boundaries[2:], strict=True):
        if last - first != length:
            yield start, first, length
            start, length = first, last - first
    yield start, boundaries[-1], length


class VideoStages(NamedTuple):
    """States of the video queries after the layers of the object decoder.

    Args:
        normed: ``(D, B, Q, C)`` of all layers, or of the last one only.
        last: ``(B, Q, C)`` as they leave the last layer, not normed.
    """

    normed: Tensor
    last: Tensor


class VideoQueryDecoder(nn.Module):
    """Decode object tokens with video queries (VITA, Sec. 3.2).

    The decoder is Mask2Former's without masks. A learned vector tells the frame queries
    of a frame apart, the same in each frame; nothing tells the time.

    Args:
        num_queries: video queries.
        num_frame_queries: queries of a frame.
        num_layers: decoder layers.
        channels: width.
        num_heads: attention heads.
        ffn_channels: hidden width of the FFNs.
    """

    def __init__(
        self,
        *,
        num_queries: int = 100,
        num_frame_queries: int = 100,
        num_layers: int = 3,
        channels: int = 256,
        num_heads: int = 8,
        ffn_channels: int = 2048,
    ) -> None:
        super().__init__()
        self.query_feat = nn.Embedding(num_queries, channels)
        self.query_embed = nn.Embedding(num_queries, channels)
        self.frame_query_pos = nn.Embedding(num_frame_queries, channels)
        self.transformer_decoder = MaskedTransformerDecoder(
            num_layers=num_layers,
            channels=channels,
            num_heads=num_heads,
            ffn_channels=ffn_channels,
        )

    @property
    def num_layers(self) -> int:
        """Number of decoder layers."""
        return len(self.transformer_decoder.layers)

    def initial_queries(self, batch: int) -> Tensor:
        """Return the learned queries of each video, ``(B, Q, C)``."""
        return self.query_feat.weight.expand(batch, -1, -1)

    def forward(
        self,
        tokens: Tensor,
        queries: Tensor,
        *,
        before_layer: BeforeLayer | None = None,
        all_layers: bool = True,
    ) -> VideoStages:
        """Run the decoder.

        Args:
            tokens: ``(B, T, F, C)`` of the encoder.
            queries: ``(B, Q, C)``, learned or those of the clip before.
            before_layer: changes queries and their positions in front of a layer.
            all_layers: return the states of all layers, as a loss needs them.
        """
        batch, frames, per_frame = tokens.shape[:3]
        frame_pos = self.frame_query_pos.weight.repeat(frames, 1)[None]
        level = FeatureLevel(tokens.flatten(1, 2), frame_pos, (frames, per_frame))
        states = []

        def collect(kind: StageKind, layer: int, queries: Tensor) -> None:
            if kind is StageKind.LAYER and (all_layers or layer == self.num_layers - 1):
                states.append(queries)

        pos = self.query_embed.weight.expand(batch, -1, -1)
        last = self.transformer_decoder(
            queries, pos, [level], predict=collect, before_layer=before_layer
        )
        normed = self.transformer_decoder.post_norm(torch.stack(states))
        return VideoStages(normed, last)
