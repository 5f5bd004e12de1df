"""The TMT-VIS head: pixel decoder, TCM, TIM, masked decoder, losses, tracks.

Without ``compilation`` and ``injection`` the same code is Mask2Former-VIS. Sub-modules
that Mask2Former has as well carry mmdet's names, so its checkpoints load.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmengine.config import ConfigDict
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from tmt_vis.losses import (
    SetCriterion,
    Stage,
    StageKind,
    StagePredictions,
    TaxonomyLossPlan,
    compilation_loss,
    plan_stages,
    restrict_logits,
)
from tmt_vis.ops import PointSampler, keep_from_mask_logits, mask_logits
from tmt_vis.structures import ClipDataSample, ClipTargets
from tmt_vis.taxonomy import Taxonomy
from tmt_vis.text import build_text_embeddings
from tmt_vis.typedefs import ConfigType, Losses

from ..clip_features import ClipFeatures, ClipPositionalEncoding, Memory
from ..decoding import TrackDecoding, decode_tracks
from ..masked_decoder import MaskedTransformerDecoder
from ..taxonomy_compilation import CompiledTaxonomy, ScoreSupervision
from ..taxonomy_injection import TaxonomyInjectionModule
from ..vocabulary import UnionVocabulary, VocabularyMode


class PixelFeatures(NamedTuple):
    """Output of the pixel decoder for ``F`` frames.

    Args:
        mask_features: ``(F, C, H, W)`` at stride 4.
        levels: ``(F, C, h, w)`` at strides 32, 16, 8.
    """

    mask_features: Tensor
    levels: tuple[Tensor, ...]


class QueryPrediction(NamedTuple):
    """The queries of one video in the label space it is evaluated in.

    Args:
        slot_probs: ``(Q, slots)``.
        mask_embeds: ``(Q, C)``.
        taxonomy: compiled ``union_ids`` and their ``scores``, best first; None without
            TCM.
    """

    slot_probs: Tensor
    mask_embeds: Tensor
    taxonomy: InstanceData | None


class _Prediction(NamedTuple):
    class_logits: Tensor  # (B, Q, K + 1), not restricted
    mask_embeds: Tensor  # (B, Q, C)


@MODELS.register_module()
class TMTVISHead(BaseModule):
    """Wire the modules of the paper.

    Args:
        pixel_decoder: config of mmdet's ``MSDeformAttnPixelDecoder``.
        taxonomy: ``dict(label_spaces=[...])``, names or files, in the order of the
            joint taxonomy.
        decoder: arguments of :class:`MaskedTransformerDecoder`.
        num_queries: ``Q``.
        classifier: config of the classifier.
        text_embeddings: arguments of ``build_text_embeddings``; None for a model
            that reads no text.
        compilation: config of TCM; None leaves the taxonomy out.
        injection: arguments of :class:`TaxonomyInjectionModule`; needs TCM.
        criterion: arguments of :class:`SetCriterion`; ``points`` those of
            :class:`PointSampler`, ``taxonomy_loss`` those of
            :class:`TaxonomyLossPlan`.
        assigner: config of the assigner.
        label_space_mask: restrict cost, loss and prediction to the categories of the
            sample's label space (A11). False is the naive union.
        vocab_mode: ``dict(train=, test=)``, ``dataset`` or ``unified``: the
            categories TCM may compile (A12).
        query_init: ``host`` (N(0, 1), as Mask2Former) or ``zero`` (A14). Weights that
            are loaded afterwards replace either.
        test_cfg: arguments of :class:`TrackDecoding`.
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
        criterion: ConfigType | None = None,
        assigner: ConfigType | None = None,
        label_space_mask: bool = True,
        vocab_mode: ConfigType | None = None,
        query_init: str = "host",
        test_cfg: ConfigType | None = None,
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
        self.track_decoding = TrackDecoding(**(test_cfg or {}))
        self.vocabulary = _build_vocabulary(taxonomy, text_embeddings)
        self._build_decoder(pixel_decoder, decoder or {}, num_queries, query_init)
        channels = self.transformer_decoder.channels
        cls_cfg = dict(classifier or dict(type="LinearClassifier"))
        cls_cfg.update(channels=channels, vocabulary=self.vocabulary)
        self.cls_embed = MODELS.build(cls_cfg)
        self._build_taxonomy_modules(compilation, injection, channels)
        self._build_losses(criterion or {}, assigner or {})

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
        self._position = ClipPositionalEncoding(channels)

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

    def _build_losses(self, criterion: ConfigType, assigner: ConfigType) -> None:
        cfg = dict(criterion)
        taxo = TaxonomyLossPlan(**cfg.pop("taxonomy_loss", {}))
        self.points = PointSampler(**cfg.pop("points", {}))
        weights = dict(cls=2.0, mask=5.0, dice=5.0, taxo=0.5)
        weights.update(cfg.pop("loss_weights", {}))
        self.criterion = SetCriterion(loss_weights=weights, points=self.points, **cfg)
        self.assigner = TASK_UTILS.build(
            dict(type="TaxoHungarianAssigner") | dict(assigner)
        )
        injected = () if self.tim is None else self.tim.injected_layers
        num_layers = len(self.transformer_decoder.layers)
        self.stages = plan_stages(num_layers, injected, taxo)
        kinds = {stage.kind for stage in self.stages}
        mixed = {StageKind.INITIAL, StageKind.INJECTED} <= kinds
        if mixed and self.tim is not None and not self.tim.keeps_query_count:
            raise ValueError(
                "concatenation changes the number of queries, so the queries before "
                "and after it cannot both predict; use taxonomy_loss.target="
                "'replace_aux0'"
            )

    def init_weights(self) -> None:
        """Initialise the pixel decoder; the other parts did so when built."""
        super().init_weights()
        self.pixel_decoder.init_weights()

    # ---------------------------------------------------------------- features

    def pixel_features(self, feats: Sequence[Tensor]) -> PixelFeatures:
        """Run the pixel decoder on ``F`` frames, in float32 as the reference does.

        Args:
            feats: ``(F, C_i, H_i, W_i)`` of the backbone, strides 4 to 32.
        """
        with torch.autocast(feats[0].device.type, enabled=False):
            mask_features, levels = self.pixel_decoder([f.float() for f in feats])
        return PixelFeatures(mask_features, tuple(levels))

    def clip_features(self, pixels: PixelFeatures, num_frames: int) -> ClipFeatures:
        """Put the frames of each clip side by side.

        Args:
            pixels: of ``B * T`` frames, clip by clip.
            num_frames: ``T``.
        """
        memories = []
        for index, level in enumerate(pixels.levels):
            level = self.decoder_input_projs[index](level)
            tokens = level.flatten(2).transpose(1, 2)  # (B*T, h*w, C)
            tokens = tokens.unflatten(0, (-1, num_frames)).flatten(1, 2)
            tokens = tokens + self.level_embed.weight[index]
            size = tuple(level.shape[-2:])
            pos = self._position(num_frames, size, level.device)
            memories.append(Memory(tokens, pos, size))
        mask_features = pixels.mask_features.unflatten(0, (-1, num_frames))
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

    # ---------------------------------------------------------------- decoding

    def decode(
        self,
        features: ClipFeatures,
        compiled: CompiledTaxonomy | None,
        stages: Sequence[Stage],
    ) -> list[_Prediction]:
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
        out: list[_Prediction] = []

        def visit(kind: StageKind, layer: int, queries: Tensor) -> Tensor:
            normed = self.transformer_decoder.post_norm(queries)
            mask_embeds = self.mask_embed(normed)
            if (kind, layer) in wanted:
                logits = self.cls_embed(normed, self.vocabulary)
                out.append(_Prediction(logits, mask_embeds))
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

    # ---------------------------------------------------------------- training

    def loss(self, features: ClipFeatures, samples: Sequence[ClipDataSample]) -> Losses:
        """Compute all losses of a batch (Eq. 8).

        Args:
            features: of the clips.
            samples: with ``gt_instances``; clips may come from different datasets.

        Returns:
            Weighted losses by name.
        """
        spaces = [sample.label_space for sample in samples]
        compiled = self.compile_taxonomy(features, spaces)
        outputs = self.decode(features, compiled, self.stages)
        class_logits = torch.stack([o.class_logits for o in outputs])
        predictions = StagePredictions(
            class_logits=restrict_logits(class_logits, self.class_keep(spaces)),
            mask_embeds=torch.stack([o.mask_embeds for o in outputs]),
            mask_features=features.mask_features,
        )
        targets = [self.clip_targets(sample) for sample in samples]
        assignment = self._assign(predictions, targets)
        with torch.autocast(class_logits.device.type, enabled=False):
            losses = self.criterion(predictions, targets, assignment, self.stages)
            losses |= self._compilation_loss(compiled, targets, spaces)
        return losses

    def clip_targets(self, sample: ClipDataSample) -> ClipTargets:
        """Translate the slots of a sample's ground truth into ``union_id``."""
        truth = sample.gt_instances
        union_ids = self.vocabulary.slots_to_union(sample.label_space)
        seed = sample.get("clip_seed")
        return ClipTargets(union_ids[truth.labels], truth.masks, seed)

    def _assign(
        self, predictions: StagePredictions, targets: Sequence[ClipTargets]
    ) -> list[Tensor]:
        matches = self.assigner.assign(
            predictions.class_logits.detach(),
            predictions.mask_embeds.detach(),
            predictions.mask_features.detach(),
            targets,
            self.points,
        )
        reuse = [i for i, s in enumerate(self.stages) if not s.own_assignment]
        for match in matches:
            match[reuse] = match[-1].clone()
        return matches

    def _compilation_loss(
        self,
        compiled: CompiledTaxonomy | None,
        targets: Sequence[ClipTargets],
        spaces: Sequence[str],
    ) -> Losses:
        if compiled is None:
            return {}
        if self.tcm.score_supervision is not ScoreSupervision.BCE:
            return {}
        keep = self.vocabulary.text_keep(spaces, VocabularyMode.DATASET)
        present = torch.zeros_like(keep)
        for row, target in zip(present, targets, strict=True):
            row[target.labels] = True
        weight = self.criterion.loss_weights["taxo"]
        loss = compilation_loss(compiled.score_logits, present, keep)
        return {"loss_taxo_comp": weight * loss}

    # ---------------------------------------------------------------- inference

    @torch.no_grad()
    def predict(
        self, features: ClipFeatures, samples: Sequence[ClipDataSample]
    ) -> list[ClipDataSample]:
        """Predict the tracks of each video, in the label space of its sample.

        Args:
            features: of the videos.
            samples: whose metainfo holds label space and sizes.

        Returns:
            The samples, with ``pred_tracks`` and (with TCM) ``pred_taxonomy``.
        """
        spaces = [sample.label_space for sample in samples]
        for index, queries in enumerate(self.predict_queries(features, spaces)):
            sample = samples[index]
            sample.pred_tracks = decode_tracks(
                queries.slot_probs,
                queries.mask_embeds,
                features.mask_features[index],
                sample,
                self.track_decoding,
            )
            if queries.taxonomy is not None:
                sample.pred_taxonomy = queries.taxonomy
        return list(samples)

    @torch.no_grad()
    def predict_queries(
        self, features: ClipFeatures, label_spaces: Sequence[str]
    ) -> list[QueryPrediction]:
        """Predict what all queries see of each video, before any is chosen.

        Args:
            features: of the videos.
            label_spaces: of each video.
        """
        compiled = self.compile_taxonomy(features, label_spaces)
        final = self.decode(features, compiled, self.stages[-1:])[0]
        return [
            QueryPrediction(
                self._slot_probs(final.class_logits[index], label_space),
                final.mask_embeds[index].float(),
                None if compiled is None else _taxonomy_report(compiled, index),
            )
            for index, label_space in enumerate(label_spaces)
        ]

    def _slot_probs(self, class_logits: Tensor, label_space: str) -> Tensor:
        """Turn union logits ``(Q, K + 1)`` into probabilities ``(Q, slots)``."""
        keep = self.class_keep([label_space])
        near = None
        if self.track_decoding.near_pooling:
            near = self.vocabulary.near_matrix(label_space)  # (slots, K)
            keep = keep | near.any(0)
        probs = restrict_logits(class_logits[None], keep)[0].softmax(-1)[:, :-1]
        if near is not None:
            return (probs.unsqueeze(1) * near).amax(-1)
        return probs[:, self.vocabulary.slots_to_union(label_space)]

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Say what happens to the classifier of a file without a taxonomy.

        mmengine would print a shape mismatch among hundreds of lines, and nothing at
        all about rows of another order.
        """
        if f"{prefix}vocabulary.taxonomy_json" not in state_dict:
            for name, own in self.cls_embed.state_dict().items():
                self._take_foreign_rows(state_dict, f"{prefix}cls_embed.{name}", own)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    @staticmethod
    def _take_foreign_rows(state_dict: dict, key: str, own: Tensor) -> None:
        theirs = state_dict.get(key)
        if theirs is None:
            return
        shapes = f"{key} of the checkpoint has shape {tuple(theirs.shape)}"
        if theirs.shape != own.shape:
            state_dict.pop(key)
            outcome = f"the joint taxonomy needs {tuple(own.shape)}: it is not loaded"
        else:
            outcome = (
                "as here, and nothing says which categories its rows are: they are "
                "taken in order (tools/convert_checkpoint.py goes by name)"
            )
        MMLogger.get_current_instance().warning(f"{shapes}, {outcome}")


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


def _taxonomy_report(compiled: CompiledTaxonomy, index: int) -> InstanceData:
    """List the compiled categories of one video, best first."""
    keep = compiled.keep[index]
    union_ids = compiled.union_ids[index][keep]
    scores = compiled.score_logits[index][union_ids].sigmoid()
    return InstanceData(union_ids=union_ids.cpu(), scores=scores.float().cpu())
