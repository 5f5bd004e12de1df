"""IDOL: an image detector whose embeddings are learned across two frames.

Wu et al., "In Defense of Online Models for Video Instance Segmentation", ECCV 2022.
Deformable DETR with one sigmoid per category, several queries per object, dynamic masks
and a contrastive loss on embeddings; videos are tracked frame by frame.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS, TASK_UTILS
from numpy.typing import NDArray
from torch import Tensor

from tmt_vis.losses import restrict_logits
from tmt_vis.ops import to_corners
from tmt_vis.streaming import TrackState, WindowPlan, WindowPrediction, WindowRequest
from tmt_vis.structures import ClipDataSample
from tmt_vis.typedefs import ConfigType, Losses, Size

from ..box_query_decoder import BoxQueries, BoxQueryDecoder
from ..deformable_transformer import DeformableMemory
from ..features import FeatureLevel, FrameLevels
from ..pair_losses import PairLosses
from ..pair_targets import PairTargets
from ..postprocessing import encode_window
from ..taxonomy import (
    CompiledTaxonomy,
    TaxonomyGuidance,
    UnionVocabulary,
    build_guidance,
)
from ..trackers import UNTRACKED, FrameDetections, Selection, TrackMemory
from .base import VideoHead

_STRIDES = 3  # levels of the backbone, the last ones
_FIRST_STRIDE = 8  # of the levels; paddings are multiples of 32
_TCM_LEVELS = (2, 1, 0)  # strides 32, 16, 8, as other hosts give them


@MODELS.register_module()
class IDOLHead(VideoHead):
    """Detect in single frames, learn embeddings from pairs, track by embeddings.

    With ``compilation`` and ``injection``, TCM looks at the encoder's memory and TIM
    changes the queries in front of the first decoder layer.

    Args:
        neck: config of what brings the levels of strides 8, 16 and 32 to one width and
            adds stride 64.
        query_decoder: arguments of :class:`BoxQueryDecoder`.
        tracker: config of what tracks at test; :class:`EmbeddingTracker` by default.
        selection: arguments of :class:`Selection`, which queries are detections.
        assigner: config of the matching; :class:`QuerySimOTAAssigner` by default.
        criterion: arguments of :class:`DetectionCriterion`, ``contrast`` those of
            :class:`PairContrast`. ``loss_weights.comp``, of the loss on TCM's scores,
            is that of ``taxo`` unless given.
        guidance: type and further arguments of the taxonomy guidance.
        compilation: config of TCM; None leaves the taxonomy out.
        injection: arguments of TIM; needs TCM.
        vocab_mode: of the guidance.
        base: arguments of :class:`VideoHead`.

    Raises:
        ValueError: if the guidance asks for what this host does not have.
    """

    plan = WindowPlan(length=1, overlap=0, last="short")
    training_frames = 2
    """A training clip: the key frame and, later, the reference frame."""

    def __init__(
        self,
        *,
        neck: ConfigType,
        query_decoder: ConfigType | None = None,
        tracker: ConfigType | None = None,
        selection: ConfigType | None = None,
        assigner: ConfigType | None = None,
        criterion: ConfigType | None = None,
        guidance: ConfigType | None = None,
        compilation: ConfigType | None = None,
        injection: ConfigType | None = None,
        vocab_mode: ConfigType | None = None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.neck = MODELS.build(neck)
        queries = dict(query_decoder or {})
        queries["num_categories"] = self.vocabulary.num_categories
        self.query_decoder = BoxQueryDecoder(**queries)
        default = dict(type="EmbeddingTracker")
        self.tracker = TASK_UTILS.build(default | dict(tracker or {}))
        self.selection = Selection(**(selection or {}))
        weights = dict((criterion or {}).get("loss_weights", {}))
        comp = weights.pop("comp", weights.get("taxo", 0.5))
        criterion = dict(criterion or {}, loss_weights=weights)
        self.pair_losses = PairLosses(assigner=assigner, criterion=criterion)
        self.guidance = build_guidance(
            guidance,
            compilation=compilation,
            injection=injection,
            vocab_mode=vocab_mode,
            loss_weight=comp,
            vocabulary=self.vocabulary,
            channels=self.query_decoder.channels,
            num_decoder_layers=1,  # in front of the first one only
        )
        if self.guidance is not None:
            _check_guidance(self.guidance)

    # ------------------------------------------------------------------- features

    def pixel_features(
        self, feats: Sequence[Tensor], images: Tensor, *, autocast: bool = False
    ) -> FrameLevels:
        """Run the neck; the encoder needs to know the padding. See the base."""
        return FrameLevels(tuple(self.neck(tuple(feats[-_STRIDES:]))))

    def encode(
        self, pixels: FrameLevels, image_sizes: Sequence[Size]
    ) -> DeformableMemory:
        """Run the encoder on frames, in float32 as the reference does.

        Args:
            pixels: of ``F`` frames.
            image_sizes: ``(h, w)`` of each frame without padding.
        """
        levels = [level.float() for level in pixels.levels]
        padded = pixels.padded_size(_FIRST_STRIDE)
        return self.query_decoder.encoder(levels, image_sizes, padded)

    def compile_taxonomy(
        self,
        memory: DeformableMemory,
        label_spaces: Sequence[str],
        vocabulary: UnionVocabulary | None = None,
        *,
        samples: Sequence[ClipDataSample] | None = None,
    ) -> CompiledTaxonomy | None:
        """Compile the taxonomy of each frame; None without guidance."""
        if self.guidance is None:
            return None
        tokens, pos = memory.by_level(memory.tokens), memory.by_level(memory.pos)
        levels = [FeatureLevel(tokens[i], pos[i], memory.sizes[i]) for i in _TCM_LEVELS]
        vocabulary = vocabulary or self.vocabulary
        return self.guidance.compile(levels, label_spaces, vocabulary, samples=samples)

    def decode(
        self, memory: DeformableMemory, compiled: CompiledTaxonomy | None
    ) -> BoxQueries:
        """Run the decoder on frames."""
        inject = None
        if compiled is not None:
            inject = partial(self.guidance.inject, 0, compiled=compiled)
        return self.query_decoder.decode(memory, inject)

    def forward(
        self, pixels: FrameLevels, label_spaces: Sequence[str]
    ) -> tuple[Tensor, Tensor]:
        """Return class logits and boxes of the last stage; see the base."""
        count = pixels.num_frames
        spaces = [s for s in label_spaces for _ in range(count // len(label_spaces))]
        memory = self.encode(pixels, [pixels.padded_size(_FIRST_STRIDE)] * count)
        queries = self.decode(memory, self.compile_taxonomy(memory, spaces))
        parts = self.query_decoder
        classes = parts.classes(queries.states[-1:], first=-1)[0]
        return classes, parts.boxes(queries, first=-1)[0]

    # ------------------------------------------------------------------- training

    def loss(self, pixels: FrameLevels, samples: Sequence[ClipDataSample]) -> Losses:
        """Compute all losses of a batch of pairs; see the base.

        Objects that are absent from the key frame are no targets in either frame.
        """
        if pixels.num_frames != self.training_frames * len(samples):
            raise ValueError(
                f"IDOL trains on pairs of frames, got {pixels.num_frames} frames of "
                f"{len(samples)} clips; set num_frames=2 in every data set"
            )
        with torch.autocast(pixels.levels[0].device.type, enabled=False):
            return self._loss(pixels, samples)

    def _loss(self, pixels: FrameLevels, samples: Sequence[ClipDataSample]) -> Losses:
        frames = [sample for sample in samples for _ in range(self.training_frames)]
        spaces = [frame.label_space for frame in frames]
        memory = self.encode(pixels, [frame.img_shape for frame in frames])
        compiled = self.compile_taxonomy(memory, spaces, samples=frames)
        queries = self.decode(memory, compiled)
        targets = PairTargets.of([self.clip_targets(s) for s in samples], samples)
        known = self.known_keep(samples)
        losses = self.pair_losses(
            self.query_decoder,
            queries,
            memory[::2],
            targets,
            keep=self.class_keep(spaces[::2]) & known,
            injected=compiled is not None,
        )
        if compiled is not None:
            shown = [frame for target in targets for frame in target.shown]
            losses |= self.guidance.loss(
                compiled,
                shown,
                spaces,
                self.vocabulary,
                known=known.repeat_interleave(2, dim=0),
            )
        return losses

    # ------------------------------------------------------------------ inference

    def union_probs(self, class_logits: Tensor, keep: Tensor) -> Tensor:
        """Return one sigmoid per category; see the base."""
        logits = restrict_logits(class_logits[None], keep, no_object=False)
        return logits[0].sigmoid()

    @torch.no_grad()
    def predict_window(
        self, pixels: FrameLevels, request: WindowRequest, state: TrackState | None
    ) -> tuple[WindowPrediction, TrackState | None]:
        """Detect and track in one frame; see the base."""
        vocabulary, space = self.vocabulary_of(request), request.label_space
        with torch.autocast(pixels.levels[0].device.type, enabled=False):
            memory = self.encode(pixels, [request.sample.img_shape])
            compiled = self.compile_taxonomy(
                memory, [space], vocabulary, samples=[request.sample]
            )
            queries, probs, masks, embeds = self._detect(memory, compiled, request)
        detections = FrameDetections(probs.amax(1), embeds, masks > 0)
        ids, tracks = self._track(detections, state)
        # Detections come best first.
        kept = torch.from_numpy(np.flatnonzero(ids != UNTRACKED)[: request.max_objects])
        rows = kept.to(probs.device)
        kept_masks = masks[rows].unsqueeze(1)
        report = None
        if compiled is not None:
            report = self.guidance.report(compiled, space, vocabulary)
        prediction = encode_window(
            request,
            lambda frames: kept_masks[:, frames],
            slot_probs=probs[rows],
            embeddings=embeds[rows],
            queries=queries[rows],
            tracks=torch.from_numpy(ids)[kept],
            taxonomy=report,
            nearest=True,
            retracted=tracks.retracted,
        )
        tensors = {k: torch.from_numpy(x) for k, x in tracks.to_arrays().items()}
        return prediction, TrackState(request.window.stop, tensors)

    def _detect(
        self,
        memory: DeformableMemory,
        compiled: CompiledTaxonomy | None,
        request: WindowRequest,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return queries, slot probabilities, masks and embeddings, best first."""
        parts, queries = self.query_decoder, self.decode(memory, compiled)
        logits = parts.classes(queries.states[-1:], first=-1)[0, 0]
        probs = self.slot_probs(
            logits, request.label_space, self.vocabulary_of(request)
        )
        boxes = parts.boxes(queries, first=-1)[0, 0]
        chosen = self.selection(probs, to_corners(boxes))
        chosen = torch.from_numpy(chosen).to(probs.device)
        states = queries.states[-1, 0, chosen]
        references = queries.references[-1][0, chosen]
        features = parts.frame_features(memory)[0]
        masks = parts.masks(states, references, features, request.sample.img_shape)
        return chosen, probs[chosen], masks, parts.embed_head(states)

    def _track(
        self, detections: FrameDetections, state: TrackState | None
    ) -> tuple[NDArray[np.int64], TrackMemory]:
        if state is None:
            memory = self.tracker.start(detections.embeddings.shape[1])
        else:
            arrays = {name: x.numpy() for name, x in state.tensors.items()}
            memory = TrackMemory.from_arrays(arrays)
        return self.tracker.update(detections, memory), memory


def _check_guidance(guidance: TaxonomyGuidance) -> None:
    if guidance.needs_mask_level:
        raise ValueError(
            "IDOL's mask features have 8 channels, so TCM cannot look at them; set "
            "compilation.features to 'memory_rr' or another of the levels"
        )
    if not guidance.tim.keeps_query_count:
        raise ValueError(
            "queries of IDOL have reference points, which appended ones lack; use "
            "TaxonomyInjectionLayer or TaxonomyAdditionLayer in injection.layer"
        )
