"""The TMT-VIS head: losses and tracks of what the trunk predicts.

Without ``compilation`` and ``injection`` the same code is Mask2Former-VIS, and with
frames decoded one by one it is MinVIS.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmengine.structures import InstanceData
from torch import Tensor

from tmt_vis.losses import (
    SetCriterion,
    StageKind,
    StagePredictions,
    TaxonomyLossPlan,
    compilation_loss,
    plan_stages,
    restrict_logits,
)
from tmt_vis.ops import PointSampler
from tmt_vis.structures import ClipDataSample, ClipTargets
from tmt_vis.typedefs import ConfigType, Losses

from ..clip_features import ClipFeatures
from ..decoding import TrackDecoding, decode_tracks
from ..decoding_scopes import StageOutput
from ..query_tracker import TrackReference
from ..query_trunk import QueryTrunk
from ..taxonomy_compilation import CompiledTaxonomy, ScoreSupervision
from ..vocabulary import VocabularyMode


class QueryPrediction(NamedTuple):
    """The queries of one video in the label space it is evaluated in.

    Args:
        slot_probs: ``(Q, slots)``.
        mask_embeds: ``(Q, C)``, or ``(T, Q, C)`` where each frame has its own.
        mask_features: ``(T, C, H, W)`` of the video.
        taxonomy: compiled ``union_ids`` and their ``scores``, best first; None without
            TCM.
        last_queries: ``(Q, C)`` of the last frame, from which the tracker goes on;
            None where frames are decoded together.
    """

    slot_probs: Tensor
    mask_embeds: Tensor
    mask_features: Tensor
    taxonomy: InstanceData | None
    last_queries: Tensor | None


@MODELS.register_module()
class TMTVISHead(QueryTrunk):
    """Wire the modules of the paper.

    Args:
        criterion: arguments of :class:`SetCriterion`; ``points`` those of
            :class:`PointSampler`, ``taxonomy_loss`` those of
            :class:`TaxonomyLossPlan`. ``loss_weights.comp``, of the loss on the scores
            S, is that of ``taxo`` unless given.
        assigner: config of the assigner.
        test_cfg: arguments of :class:`TrackDecoding`.
        trunk: arguments of :class:`QueryTrunk`.
    """

    def __init__(
        self,
        *,
        criterion: ConfigType | None = None,
        assigner: ConfigType | None = None,
        test_cfg: ConfigType | None = None,
        **trunk: Any,
    ) -> None:
        super().__init__(**trunk)
        self.track_decoding = TrackDecoding(**(test_cfg or {}))
        self._build_losses(criterion or {}, assigner or {})

    def _build_losses(self, criterion: ConfigType, assigner: ConfigType) -> None:
        cfg = dict(criterion)
        taxo = TaxonomyLossPlan(**cfg.pop("taxonomy_loss", {}))
        self.points = PointSampler(**cfg.pop("points", {}))
        weights = dict(cls=2.0, mask=5.0, dice=5.0, taxo=0.5)
        weights.update(cfg.pop("loss_weights", {}))
        self.compilation_weight = weights.pop("comp", weights["taxo"])
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

    def loss(self, features: ClipFeatures, samples: Sequence[ClipDataSample]) -> Losses:
        """Compute all losses of a batch (Eq. 8).

        Args:
            features: of the clips.
            samples: with ``gt_instances``; clips may come from different datasets.

        Returns:
            Weighted losses by name.
        """
        spaces = [sample.label_space for sample in samples]
        spaces = _repeated(spaces, len(features))
        known = self._known_keep(samples, len(features))
        compiled = self.compile_taxonomy(features, spaces)
        outputs = self.decode(features, compiled, self.stages)
        class_logits = torch.stack([o.class_logits for o in outputs])
        class_keep = self.class_keep(spaces) & known
        predictions = StagePredictions(
            class_logits=restrict_logits(class_logits, class_keep),
            mask_embeds=torch.stack([o.mask_embeds for o in outputs]),
            mask_features=features.mask_features,
        )
        targets = [
            target
            for sample in samples
            for target in self.scope.targets(self.clip_targets(sample))
        ]
        assignment = self._assign(predictions, targets)
        with torch.autocast(class_logits.device.type, enabled=False):
            losses = self.criterion(predictions, targets, assignment, self.stages)
            losses |= self._compilation_loss(compiled, targets, spaces, known)
        return losses

    def _known_keep(self, samples: Sequence[ClipDataSample], count: int) -> Tensor:
        """Mark, ``(count, K)``, what the sample of each decoded clip says something of.

        TCM still compiles from the whole label space, in training as at test: the list
        of what is known would tell it what to find.
        """
        rows = [
            self.vocabulary.known_keep(sample.label_space, sample.get("known_slots"))
            for sample in samples
        ]
        return torch.stack(rows).repeat_interleave(count // len(rows), dim=0)

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
        known: Tensor,
    ) -> Losses:
        if compiled is None:
            return {}
        if self.tcm.score_supervision is not ScoreSupervision.BCE:
            return {}
        keep = self.vocabulary.text_keep(spaces, VocabularyMode.DATASET) & known
        present = torch.zeros_like(keep)
        for row, target in zip(present, targets, strict=True):
            row[target.labels] = True
        loss = compilation_loss(compiled.score_logits, present, keep)
        return {"loss_taxo_comp": self.compilation_weight * loss}

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
        predicted = self.predict_queries(features, spaces)
        for sample, queries in zip(samples, predicted, strict=True):
            sample.pred_tracks = decode_tracks(
                queries.slot_probs,
                queries.mask_embeds,
                queries.mask_features,
                sample,
                self.track_decoding,
            )
            if queries.taxonomy is not None:
                sample.pred_taxonomy = queries.taxonomy
        return list(samples)

    @torch.no_grad()
    def predict_queries(
        self,
        features: ClipFeatures,
        label_spaces: Sequence[str],
        references: Sequence[TrackReference | None] | None = None,
    ) -> list[QueryPrediction]:
        """Predict what all queries see of each video, before any is chosen.

        Args:
            features: of the videos.
            label_spaces: of each video.
            references: of each video, tracks that it continues, for a model that
                tracks from frame to frame; None where it continues none.
        """
        final, compiled = self.decode_final(features, label_spaces)
        references = references or [None] * len(label_spaces)
        videos = self.scope.videos(final, features, references)
        length = len(features) // len(videos)
        return [
            QueryPrediction(
                self._slot_probs(video.class_logits, label_space),
                video.mask_embeds,
                video.mask_features,
                None
                if compiled is None
                else compiled.report(
                    slice(i * length, (i + 1) * length),
                    self.vocabulary.slots_to_union(label_space),
                ),
                video.last_queries,
            )
            for i, (video, label_space) in enumerate(
                zip(videos, label_spaces, strict=True)
            )
        ]

    def decode_final(
        self, features: ClipFeatures, label_spaces: Sequence[str]
    ) -> tuple[StageOutput, CompiledTaxonomy | None]:
        """Predict the last stage of all that is decoded, in parts if there is much.

        Args:
            features: of the videos.
            label_spaces: of each video.
        """
        spaces = _repeated(label_spaces, len(features))
        shared = None
        if self.tcm is not None and self.scope.shares_taxonomy:
            count = len(features) // len(label_spaces)
            shared = self.compile_taxonomy(features.joined(count), label_spaces)
            shared = shared.repeated(count)
        outputs, taxonomies = [], []
        for part in self.scope.parts(len(features)):
            piece = features[part]
            if shared is None:
                compiled = self.compile_taxonomy(piece, spaces[part])
            else:
                compiled = shared[part]
            outputs.append(self.decode(piece, compiled, self.stages[-1:])[0])
            taxonomies.append(compiled)
        if len(outputs) == 1:
            return outputs[0], taxonomies[0]
        whole = StageOutput(*map(torch.cat, zip(*outputs, strict=True)))
        return whole, None if self.tcm is None else CompiledTaxonomy.cat(taxonomies)

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


def _repeated(label_spaces: Sequence[str], count: int) -> list[str]:
    """Give each decoded clip the label space of its sample."""
    times = count // len(label_spaces)
    return [space for space in label_spaces for _ in range(times)]
