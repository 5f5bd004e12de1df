"""From backbone features to the predictions of every stage: what host models share.

Sub-modules that Mask2Former has as well carry mmdet's names, so its checkpoints load.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from torch import Tensor, nn

from tmt_vis.losses import Stage, StageKind
from tmt_vis.ops import keep_from_mask_logits, mask_logits
from tmt_vis.taxonomy import Taxonomy
from tmt_vis.text import build_text_embeddings
from tmt_vis.typedefs import ConfigType

from .clip_features import (
    ClipFeatures,
    ClipPositionalEncoding,
    Memory,
    PixelFeatures,
)
from .decoding_scopes import StageOutput
from .foreign_classifier import check_foreign_classifier
from .masked_decoder import MaskedTransformerDecoder
from .taxonomy_compilation import CompiledTaxonomy
from .taxonomy_injection import TaxonomyInjectionModule
from .vocabulary import UnionVocabulary, VocabularyMode


class QueryTrunk(BaseModule):
    """Pixel decoder, TCM, TIM, masked decoder and prediction heads, without losses.

    Args:
        pixel_decoder: config of ``ClipPixelDecoder``, or of mmdet's
            ``MSDeformAttnPixelDecoder``.
        taxonomy: ``dict(label_spaces=[...])``, names or files, in the order of the
            joint taxonomy.
        decoder: arguments of :class:`MaskedTransformerDecoder`.
        num_queries: ``Q``.
        classifier: config of the classifier.
        text_embeddings: arguments of ``build_text_embeddings``; None for a model
            that reads no text.
        compilation: config of TCM; None leaves the taxonomy out.
        injection: arguments of :class:`TaxonomyInjectionModule`; needs TCM.
        label_space_mask: restrict cost, loss and prediction to the categories of the
            sample's label space (A11). False is the naive union.
        vocab_mode: ``dict(train=, test=)``, ``dataset`` or ``unified``: the
            categories TCM may compile (A12).
        query_init: ``host`` (N(0, 1), as Mask2Former) or ``zero`` (A14). Weights that
            are loaded afterwards replace either.
        scope: config of what is decoded together: :class:`ClipScope` (default) or
            :class:`FrameScope`.
    """

    def __init__(
        self,
        *,
        pixel_decoder: ConfigType,
        taxonomy: ConfigType,
        decoder: ConfigType | None = None,
        num_queries: int = 100,
        classifier: ConfigType | None = None,
        text_embeddings: ConfigType | None = None,
        compilation: ConfigType | None = None,
        injection: ConfigType | None = None,
        label_space_mask: bool = True,
        vocab_mode: ConfigType | None = None,
        query_init: str = "host",
        scope: ConfigType | None = None,
        init_cfg: ConfigType | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if (compilation is None) != (injection is None):
            raise ValueError(
                "compilation (TCM) and injection (TIM) belong together; set both or "
                f"neither, got compilation={compilation}, injection={injection}"
            )
        self.label_space_mask = label_space_mask
        modes = {"train": "dataset", "test": "dataset", **(vocab_mode or {})}
        self.vocab_modes = {k: VocabularyMode(v) for k, v in modes.items()}
        self.scope = TASK_UTILS.build(scope or dict(type="ClipScope"))
        self.vocabulary = _build_vocabulary(taxonomy, text_embeddings)
        self._build_decoder(pixel_decoder, decoder or {}, num_queries, query_init)
        channels = self.transformer_decoder.channels
        cls_cfg = dict(classifier or dict(type="LinearClassifier"))
        cls_cfg.update(channels=channels, vocabulary=self.vocabulary)
        self.cls_embed = MODELS.build(cls_cfg)
        self._build_taxonomy_modules(compilation, injection, channels)

    def _build_decoder(
        self,
        pixel_decoder: ConfigType,
        decoder: ConfigType,
        num_queries: int,
        query_init: str,
    ) -> None:
        # mmdet reads this config by attribute.
        self.pixel_decoder = MODELS.build(ConfigDict(pixel_decoder))
        self.transformer_decoder = MaskedTransformerDecoder(**decoder)
        channels = self.transformer_decoder.channels
        width = pixel_decoder["feat_channels"]
        levels = self.pixel_decoder.num_encoder_levels
        self.decoder_input_projs = nn.ModuleList(
            nn.Identity() if width == channels else nn.Conv2d(width, channels, 1)
            for _ in range(levels)
        )
        self.level_embed = nn.Embedding(levels, channels)
        self.query_embed = nn.Embedding(num_queries, channels)
        self.query_feat = nn.Embedding(num_queries, channels)
        if query_init not in ("host", "zero"):
            raise ValueError(f"query_init must be host or zero, got {query_init!r}")
        if query_init == "zero":
            nn.init.zeros_(self.query_feat.weight)
        out = pixel_decoder["out_channels"]
        self.mask_embed = nn.Sequential(
            nn.Linear(channels, channels),
            nn.ReLU(inplace=True),
            nn.Linear(channels, channels),
            nn.ReLU(inplace=True),
            nn.Linear(channels, out),
        )
        self._position = ClipPositionalEncoding(channels, temporal=self.scope.temporal)

    def _build_taxonomy_modules(
        self, compilation: ConfigType | None, injection: ConfigType | None, width: int
    ) -> None:
        self.tcm = self.tim = None
        if compilation is None:
            return
        self.vocabulary.check_text()
        tcm = dict(compilation, channels=width, text_dim=self.vocabulary.text_dim)
        self.tcm = MODELS.build(tcm)
        self.tim = TaxonomyInjectionModule(
            num_decoder_layers=len(self.transformer_decoder.layers),
            channels=width,
            num_taxonomy=self.tcm.num_taxonomy,
            **injection,
        )

    def init_weights(self) -> None:
        """Initialise the pixel decoder; the other parts did so when built."""
        super().init_weights()
        self.pixel_decoder.init_weights()

    def pixel_features(
        self, feats: Sequence[Tensor], *, autocast: bool = False
    ) -> PixelFeatures:
        """Run the pixel decoder on ``F`` frames, in float32 as the reference does.

        Args:
            feats: ``(F, C_i, H_i, W_i)`` of the backbone, strides 4 to 32.
            autocast: leave autocast on if it is, for inference in half precision.
        """
        if autocast:
            mask_features, levels = self.pixel_decoder(feats)
        else:
            with torch.autocast(feats[0].device.type, enabled=False):
                mask_features, levels = self.pixel_decoder([f.float() for f in feats])
        return PixelFeatures(mask_features, tuple(levels))

    def clip_features(self, pixels: PixelFeatures, num_frames: int) -> ClipFeatures:
        """Put the frames that are decoded together side by side.

        Args:
            pixels: of ``B * T`` frames, clip by clip.
            num_frames: ``T``.

        Returns:
            Features of ``B`` clips, or of ``B * T`` clips of one frame each.
        """
        length = self.scope.clip_length(num_frames)
        memories = []
        for index, level in enumerate(pixels.levels):
            level = self.decoder_input_projs[index](level)
            tokens = level.flatten(2).transpose(1, 2)  # (B*T, h*w, C)
            tokens = tokens.unflatten(0, (-1, length)).flatten(1, 2)
            tokens = tokens + self.level_embed.weight[index]
            size = tuple(level.shape[-2:])
            pos = self._position(length, size, level.device)
            memories.append(Memory(tokens, pos, size))
        mask_features = pixels.mask_features.unflatten(0, (-1, length))
        return ClipFeatures(mask_features, tuple(memories))

    def compile_taxonomy(
        self, features: ClipFeatures, label_spaces: Sequence[str]
    ) -> CompiledTaxonomy | None:
        """Run TCM on a batch of clips; None without TCM.

        Args:
            features: of the clips.
            label_spaces: of each clip.
        """
        if self.tcm is None:
            return None
        mode = self.vocab_modes["train" if self.training else "test"]
        keep = self.vocabulary.text_keep(label_spaces, mode)
        return self.tcm(self.vocabulary.text_embeddings, features, keep)

    def decode(
        self,
        features: ClipFeatures,
        compiled: CompiledTaxonomy | None,
        stages: Sequence[Stage],
    ) -> list[StageOutput]:
        """Run the decoder and predict at the given stages.

        The mask that guides a layer comes from the prediction in front of it; in
        front of the first layer, that is the injected one if there is an injection.

        Args:
            features: of the clips.
            compiled: the taxonomy of the clips.
            stages: where predictions are wanted, in order.

        Returns:
            One prediction per stage.
        """
        wanted = {(stage.kind, stage.layer) for stage in stages}
        batch = len(features.mask_features)
        queries = self.query_feat.weight.expand(batch, -1, -1)
        pos = self.query_embed.weight.expand(batch, -1, -1)
        level_features = features.level_mask_features()
        out: list[StageOutput] = []

        def visit(kind: StageKind, layer: int, queries: Tensor) -> Tensor:
            normed = self.transformer_decoder.post_norm(queries)
            mask_embeds = self.mask_embed(normed)
            if (kind, layer) in wanted:
                logits = self.cls_embed(normed, self.vocabulary)
                out.append(StageOutput(logits, mask_embeds, normed))
            return mask_embeds.detach()

        if (StageKind.INITIAL, 0) in wanted:
            visit(StageKind.INITIAL, 0, queries)
        for index, layer in enumerate(self.transformer_decoder.layers):
            if self.tim is not None:
                queries, pos = self.tim(index, queries, pos, compiled)
            if index == 0:
                guide = visit(StageKind.INJECTED, 0, queries)
            elif (StageKind.INJECTED, index) in wanted:
                visit(StageKind.INJECTED, index, queries)
            level = index % len(features.memories)
            memory = features.memories[level]
            keep = _keep(guide, level_features[level])
            queries = layer(queries, pos, memory.tokens, memory.pos, keep)
            guide = visit(StageKind.LAYER, index, queries)
        return out

    def class_keep(self, label_spaces: Sequence[str]) -> Tensor:
        """Mark the categories that may be matched, supervised and predicted.

        Returns:
            ``(B, K)`` bool; all True for the naive union.
        """
        keep = self.vocabulary.class_keep(label_spaces)
        return keep if self.label_space_mask else torch.ones_like(keep)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Say what happens to the classifier of a file without a taxonomy."""
        if f"{prefix}vocabulary.taxonomy_json" not in state_dict:
            own = f"{prefix}cls_embed."
            check_foreign_classifier(state_dict, own, self.cls_embed)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


@torch.no_grad()
def _keep(mask_embeds: Tensor, level_features: Tensor) -> Tensor:
    """Let each query attend where its mask is (detached, as in the reference)."""
    logits = mask_logits(mask_embeds, level_features)
    return keep_from_mask_logits(logits.flatten(2))


def _build_vocabulary(
    taxonomy: ConfigType, text_embeddings: ConfigType | None
) -> UnionVocabulary:
    union = Taxonomy.from_label_spaces(taxonomy["label_spaces"])
    if text_embeddings is None:
        return UnionVocabulary(union)
    return UnionVocabulary(union, build_text_embeddings(text_embeddings, union))
