"""Mask2Former's query decoder: learned queries, masked layers and prediction heads."""

from collections.abc import Collection
from typing import NamedTuple

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from tmt_vis.losses import Stage, StageKind
from tmt_vis.ops import keep_from_mask_logits, mask_logits
from tmt_vis.typedefs import ConfigType

from .features import (
    ClipFeatures,
    ClipPositionalEncoding,
    FeatureLevel,
    PixelFeatures,
)
from .masked_decoder import AttentionGuide, BeforeLayer, MaskedTransformerDecoder
from .prediction_heads import MaskHead
from .taxonomy.vocabulary import UnionVocabulary


class StageOutput(NamedTuple):
    """What one stage predicts for ``B`` decoded clips.

    Args:
        class_logits: ``(B, Q, K + 1)``, not restricted to a label space.
        mask_embeds: ``(B, Q, C)``.
        queries: ``(B, Q, C)``, the states that enter the prediction heads (normed).
        states: ``(B, Q, C)``, the same as the decoder left them (not normed).
    """

    class_logits: Tensor
    mask_embeds: Tensor
    queries: Tensor
    states: Tensor


class QueryDecoder(nn.Module):
    """From pixel features to what each query predicts.

    Sub-modules carry mmdet's names, so the checkpoints of its Mask2Former load.

    Args:
        vocabulary: that the classifier is built for.
        num_levels: feature levels that are read in turn.
        level_channels: their width.
        mask_channels: width of the mask features.
        decoder: arguments of :class:`MaskedTransformerDecoder`.
        classifier: config of the classifier.
        num_queries: ``Q``.
        query_init: ``host`` (N(0, 1), as Mask2Former) or ``zero`` (A14). Weights that
            are loaded afterwards replace either.
        temporal: positions know the time; False where clips are single frames.

    Raises:
        ValueError: on another ``query_init``.
    """

    def __init__(
        self,
        *,
        vocabulary: UnionVocabulary,
        num_levels: int,
        level_channels: int,
        mask_channels: int,
        decoder: ConfigType | None = None,
        classifier: ConfigType | None = None,
        num_queries: int = 100,
        query_init: str = "host",
        temporal: bool = True,
    ) -> None:
        super().__init__()
        # Optimisers number parameters in this order, and checkpoints rely on it.
        self.transformer_decoder = MaskedTransformerDecoder(**(decoder or {}))
        channels = self.transformer_decoder.channels
        self.decoder_input_projs = nn.ModuleList(
            nn.Identity()
            if level_channels == channels
            else nn.Conv2d(level_channels, channels, 1)
            for _ in range(num_levels)
        )
        self.level_embed = nn.Embedding(num_levels, channels)
        self.query_embed = nn.Embedding(num_queries, channels)
        self.query_feat = nn.Embedding(num_queries, channels)
        if query_init not in ("host", "zero"):
            raise ValueError(f"query_init must be host or zero, got {query_init!r}")
        if query_init == "zero":
            nn.init.zeros_(self.query_feat.weight)
        self.mask_embed = MaskHead(channels, mask_channels)
        cfg = dict(classifier or dict(type="LinearClassifier"))
        cfg.update(channels=channels, vocabulary=vocabulary)
        self.cls_embed = MODELS.build(cfg)
        self._position = ClipPositionalEncoding(channels, temporal=temporal)

    @property
    def channels(self) -> int:
        """Width of the queries."""
        return self.transformer_decoder.channels

    @property
    def num_layers(self) -> int:
        """Number of decoder layers."""
        return len(self.transformer_decoder.layers)

    def clip_features(
        self, pixels: PixelFeatures, length: int, *, clips_per_sample: int = 1
    ) -> ClipFeatures:
        """Put the frames that are decoded together side by side.

        Args:
            pixels: of ``B * length`` frames, clip by clip.
            length: frames of a clip.
            clips_per_sample: that the result records.

        Returns:
            Features of ``B`` clips.
        """
        levels = []
        for index, level in enumerate(pixels.levels):
            level = self.decoder_input_projs[index](level)
            tokens = level.flatten(2).transpose(1, 2)  # (B*T, h*w, C)
            tokens = tokens.unflatten(0, (-1, length)).flatten(1, 2)
            tokens = tokens + self.level_embed.weight[index]
            size = tuple(level.shape[-2:])
            pos = self._position(length, size, level.device)
            levels.append(FeatureLevel(tokens, pos, size))
        mask_features = pixels.mask_features.unflatten(0, (-1, length))
        return ClipFeatures(mask_features, tuple(levels), clips_per_sample)

    def forward(
        self,
        features: ClipFeatures,
        vocabulary: UnionVocabulary,
        stages: Collection[Stage],
        *,
        before_layer: BeforeLayer | None = None,
    ) -> list[StageOutput]:
        """Decode, and predict at the given stages.

        Args:
            features: of ``B`` clips.
            vocabulary: whose categories are predicted.
            stages: where predictions are wanted.
            before_layer: changes queries and positions in front of every layer.

        Returns:
            One prediction per stage, in the order in which the decoder makes them.
        """
        wanted = {(stage.kind, stage.layer) for stage in stages}
        level_features = features.level_mask_features()
        out: list[StageOutput] = []

        def predict(kind: StageKind, layer: int, states: Tensor) -> AttentionGuide:
            predicts = (kind, layer) in wanted
            guides = kind is StageKind.LAYER or (kind, layer) == _FIRST_GUIDE
            if not predicts and not guides:
                return None
            normed = self.transformer_decoder.post_norm(states)
            mask_embeds = self.mask_embed(normed)
            if predicts:
                logits = self.cls_embed(normed, vocabulary)
                out.append(StageOutput(logits, mask_embeds, normed, states))
            embeds = mask_embeds.detach()
            return lambda level: attention_keep(embeds, level_features[level])

        queries, pos = (
            table.weight.expand(len(features), -1, -1)
            for table in (self.query_feat, self.query_embed)
        )
        self.transformer_decoder(
            queries, pos, features.levels, predict=predict, before_layer=before_layer
        )
        return out


_FIRST_GUIDE = (StageKind.INJECTED, 0)


@torch.no_grad()
def attention_keep(mask_embeds: Tensor, level_features: Tensor) -> Tensor:
    """Let each query attend where its mask is (detached, as in the reference).

    Args:
        mask_embeds: ``(B, Q, C)``.
        level_features: ``(B, T, C, h, w)``, mask features at the size of a level.

    Returns:
        ``(B, Q, T*h*w)`` bool.
    """
    logits = mask_logits(mask_embeds, level_features)
    return keep_from_mask_logits(logits.flatten(2))
