"""The TMT-VIS head: losses and tracks of what its queries predict.

Without ``compilation`` and ``injection`` the same code is Mask2Former-VIS, and with
``per_frame`` it is MinVIS.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmengine.config import ConfigDict
from torch import Tensor

from tmt_vis.losses import Stage
from tmt_vis.streaming import TrackState, WindowPrediction, WindowRequest
from tmt_vis.structures import ClipDataSample, frame_targets
from tmt_vis.typedefs import ConfigType, Losses

from ..features import ClipFeatures, PixelFeatures
from ..postprocessing import choose_queries, encode_window, query_mask_logits
from ..prediction_heads import check_foreign_classifier
from ..query_decoder import QueryDecoder, StageOutput
from ..query_supervision import QuerySupervision, loss_weights
from ..query_tracks import QueryTracks, track_reference
from ..taxonomy import CompiledTaxonomy, UnionVocabulary, build_guidance
from ..trackers import TrackReference
from .base import VideoHead
from .version_0_4 import frame_options, rename_keys


@MODELS.register_module()
class TMTVISHead(VideoHead):
    """Wire the modules of the paper.

    Args:
        pixel_decoder: config of ``ClipPixelDecoder``, or of mmdet's
            ``MSDeformAttnPixelDecoder``.
        decoder: arguments of :class:`MaskedTransformerDecoder`.
        num_queries: ``Q``.
        classifier: config of the classifier.
        query_init: see :class:`QueryDecoder`.
        compilation: config of TCM; None leaves the taxonomy out.
        injection: arguments of :class:`TaxonomyInjectionModule`; needs TCM.
        vocab_mode: see :class:`TaxonomyGuidance`.
        guidance: type and further arguments of another guidance than that.
        criterion: arguments of :class:`SetCriterion`; ``points`` those of
            :class:`PointSampler`, ``taxonomy_loss`` those of
            :class:`TaxonomyLossPlan`. ``loss_weights.comp``, of the loss on the scores
            S, is that of ``taxo`` unless given.
        assigner: config of the assigner.
        refiner: config of a :class:`MaskRefiner`; None encodes masks as they are.
        per_frame: decode each frame by itself and link the frames by their queries, as
            MinVIS, instead of all frames of a clip together. In training a frame is a
            sample of its own then: an object that is absent from it is no target. In a
            test, class logits are averaged over the frames of a track.
        tracker: config of what links the frames.
        test_taxonomy: with ``per_frame``, whether TCM compiles per ``frame`` at test,
            as in training, or once per ``video``. The compiled embeddings enter the
            queries that are compared, so those of a frame move all queries of it;
            those of a video do not, but were never trained on.
        frames_per_chunk: with ``per_frame``, frames decoded at a time in a test; bounds
            memory only.
        scope: the same four in the form of version 0.4.
        **base: arguments of :class:`VideoHead`.
    """

    def __init__(
        self,
        *,
        pixel_decoder: ConfigType,
        decoder: ConfigType | None = None,
        num_queries: int = 100,
        classifier: ConfigType | None = None,
        query_init: str = "host",
        compilation: ConfigType | None = None,
        injection: ConfigType | None = None,
        vocab_mode: ConfigType | None = None,
        guidance: ConfigType | None = None,
        criterion: ConfigType | None = None,
        assigner: ConfigType | None = None,
        refiner: ConfigType | None = None,
        scope: ConfigType | None = None,
        per_frame: bool = False,
        tracker: ConfigType | None = None,
        test_taxonomy: str = "frame",
        frames_per_chunk: int = 8,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        frames = dict(
            per_frame=per_frame,
            tracker=tracker,
            test_taxonomy=test_taxonomy,
            frames_per_chunk=frames_per_chunk,
        )
        self._set_frames(**(frames | frame_options(scope)))
        # mmdet reads this config by attribute.
        self.pixel_decoder = MODELS.build(ConfigDict(pixel_decoder))
        self.query_decoder = QueryDecoder(
            vocabulary=self.vocabulary,
            num_levels=self.pixel_decoder.num_encoder_levels,
            level_channels=pixel_decoder["feat_channels"],
            mask_channels=pixel_decoder["out_channels"],
            decoder=decoder,
            classifier=classifier,
            num_queries=num_queries,
            query_init=query_init,
            temporal=not self.per_frame,
        )
        self.guidance = build_guidance(
            guidance,
            compilation=compilation,
            injection=injection,
            vocab_mode=vocab_mode,
            loss_weight=loss_weights(criterion)["comp"],
            vocabulary=self.vocabulary,
            channels=self.query_decoder.channels,
            num_decoder_layers=self.query_decoder.num_layers,
        )
        self.supervision = QuerySupervision(
            criterion=criterion,
            assigner=assigner,
            num_layers=self.query_decoder.num_layers,
            injection=None if self.guidance is None else self.guidance.tim,
        )
        self.refiner = None if refiner is None else MODELS.build(refiner)

    def _set_frames(
        self,
        *,
        per_frame: bool,
        tracker: ConfigType | None,
        test_taxonomy: str,
        frames_per_chunk: int,
    ) -> None:
        if test_taxonomy not in ("frame", "video"):
            raise ValueError(
                f"test_taxonomy must be 'frame' or 'video', got {test_taxonomy!r}"
            )
        if frames_per_chunk < 1:
            raise ValueError(f"frames_per_chunk must be >= 1, got {frames_per_chunk}")
        self.per_frame, self.test_taxonomy = per_frame, test_taxonomy
        self.frames_per_chunk = frames_per_chunk
        cfg = tracker or dict(type="QuerySimilarityTracker")
        self.tracker = TASK_UTILS.build(cfg) if per_frame else None

    def init_weights(self) -> None:
        """Initialise the pixel decoder; the other parts did so when built."""
        super().init_weights()
        self.pixel_decoder.init_weights()

    @property
    def accepts_text(self) -> bool:
        """Whether the classifier compares with text."""
        return self.query_decoder.cls_embed.needs_text

    # ------------------------------------------------------------------- features

    def pixel_features(
        self, feats: Sequence[Tensor], images: Tensor, *, autocast: bool = False
    ) -> PixelFeatures:
        """Run the pixel decoder, in float32 as the reference does; see the base."""
        if autocast:
            mask_features, levels = self.pixel_decoder(feats)
        else:
            with torch.autocast(feats[0].device.type, enabled=False):
                mask_features, levels = self.pixel_decoder([f.float() for f in feats])
        kept = images if getattr(self.refiner, "needs_images", False) else None
        return PixelFeatures(mask_features, tuple(levels), images=kept)

    def clip_features(self, pixels: PixelFeatures, num_samples: int) -> ClipFeatures:
        """Put the frames that are decoded together side by side.

        Args:
            pixels: of ``B * T`` frames, clip by clip.
            num_samples: ``B``.

        Returns:
            Features of ``B`` clips, or of ``B * T`` clips of one frame each.
        """
        num_frames = pixels.num_frames // num_samples
        length, count = (1, num_frames) if self.per_frame else (num_frames, 1)
        return self.query_decoder.clip_features(pixels, length, clips_per_sample=count)

    def compile_taxonomy(
        self,
        features: ClipFeatures,
        label_spaces: Sequence[str],
        vocabulary: UnionVocabulary | None = None,
        *,
        samples: Sequence[ClipDataSample] | None = None,
    ) -> CompiledTaxonomy | None:
        """Compile the taxonomy of each clip; None without guidance.

        Args:
            features: of the clips.
            label_spaces: of each clip.
            vocabulary: None: the head's own.
            samples: of each clip, see :meth:`TaxonomyGuidance.compile`.
        """
        if self.guidance is None:
            return None
        levels = features.levels
        if self.guidance.needs_mask_level:
            levels = (*levels, features.mask_level())
        vocabulary = vocabulary or self.vocabulary
        return self.guidance.compile(levels, label_spaces, vocabulary, samples=samples)

    def decode(
        self,
        features: ClipFeatures,
        compiled: CompiledTaxonomy | None,
        stages: Sequence[Stage],
        vocabulary: UnionVocabulary | None = None,
    ) -> list[StageOutput]:
        """Run the decoder on clips and predict at the given stages."""
        inject = None
        if compiled is not None:
            inject = partial(self.guidance.inject, compiled=compiled)
        vocabulary = vocabulary or self.vocabulary
        return self.query_decoder(features, vocabulary, stages, before_layer=inject)

    def forward(
        self, pixels: PixelFeatures, label_spaces: Sequence[str]
    ) -> tuple[Tensor, Tensor]:
        """Return class logits and mask embeddings of the last stage; see the base."""
        features = self.clip_features(pixels, len(label_spaces))
        compiled = self.compile_taxonomy(features, features.repeat(label_spaces))
        (final,) = self.decode(features, compiled, self.supervision.stages[-1:])
        return final.class_logits, final.mask_embeds

    # ------------------------------------------------------------------- training

    def loss(self, pixels: PixelFeatures, samples: Sequence[ClipDataSample]) -> Losses:
        """Compute all losses of a batch (Eq. 8); see the base."""
        features = self.clip_features(pixels, len(samples))
        clips = features.repeat(samples)
        spaces = [sample.label_space for sample in clips]
        known = self.known_keep(samples)
        known = known.repeat_interleave(features.clips_per_sample, dim=0)
        compiled = self.compile_taxonomy(features, spaces, samples=clips)
        outputs = self.decode(features, compiled, self.supervision.stages)
        targets = [self.clip_targets(sample) for sample in samples]
        targets = frame_targets(targets) if self.per_frame else targets
        class_keep = self.class_keep(spaces) & known
        losses = self.supervision.losses(
            outputs, features.mask_features, targets, class_keep
        )
        if compiled is not None:
            losses |= self.guidance.loss(
                compiled, targets, spaces, self.vocabulary, known=known
            )
        return losses

    # ------------------------------------------------------------------ inference

    @torch.no_grad()
    def predict_window(
        self, pixels: PixelFeatures, request: WindowRequest, state: TrackState | None
    ) -> tuple[WindowPrediction, TrackState | None]:
        """Predict one window; see the base."""
        vocabulary, window = self.vocabulary_of(request), request.window
        features = self.clip_features(pixels, 1)
        final, compiled = self.decode_final(
            features, request.label_space, vocabulary, sample=request.sample
        )
        tracks = self.query_tracks(final, track_reference(state, window.start))
        probs = self.slot_probs(tracks.class_logits, request.label_space, vocabulary)
        kept = choose_queries(
            probs, request.max_objects, several_categories=request.several_categories
        )
        embeds = tracks.mask_embeds[..., kept, :]
        logits = query_mask_logits(embeds, pixels.mask_features)
        if self.refiner is not None:
            logits = self.refiner(logits, pixels)
        report = None
        if compiled is not None:
            space = request.label_space
            report = self.guidance.report(compiled, space, vocabulary)
        prediction = encode_window(
            request,
            logits,
            slot_probs=probs[kept],
            embeddings=tracks.last_queries[kept] if self.per_frame else embeds,
            queries=kept,
            tracks=kept if self.per_frame else None,
            taxonomy=report,
        )
        return prediction, tracks.state(window.stop)

    def decode_final(
        self,
        features: ClipFeatures,
        label_space: str,
        vocabulary: UnionVocabulary | None = None,
        *,
        sample: ClipDataSample | None = None,
    ) -> tuple[StageOutput, CompiledTaxonomy | None]:
        """Predict the last stage of one video, in parts if it is decoded in many clips.

        Args:
            features: of its clips.
            label_space: of the video.
            vocabulary: None: the head's own.
            sample: of the video.
        """
        count, shared = len(features), None
        if self.guidance is not None and self.test_taxonomy == "video" and count > 1:
            shared = self.compile_taxonomy(
                features.joined(), [label_space], vocabulary, samples=[sample]
            ).repeated(count)
        outputs, taxonomies = [], []
        for start in range(0, count, self.frames_per_chunk):
            part = slice(start, start + self.frames_per_chunk)
            piece = features[part]
            if shared is None:
                spaces, samples = [label_space] * len(piece), [sample] * len(piece)
                compiled = self.compile_taxonomy(
                    piece, spaces, vocabulary, samples=samples
                )
            else:
                compiled = shared[part]
            outputs += self.decode(
                piece, compiled, self.supervision.stages[-1:], vocabulary
            )
            taxonomies.append(compiled)
        if len(outputs) == 1:
            return outputs[0], taxonomies[0]
        whole = StageOutput(*map(torch.cat, zip(*outputs, strict=True)))
        return whole, self.guidance and CompiledTaxonomy.cat(taxonomies)

    def query_tracks(
        self, final: StageOutput, reference: TrackReference | None = None
    ) -> QueryTracks:
        """Put the decoded clips of one video together, see :class:`QueryTracks`."""
        if self.per_frame:
            return QueryTracks.of_frames(final, self.tracker, reference)
        return QueryTracks.of_clip(final)

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Load weights of version 0.4 and of mmdet's Mask2Former as well."""
        rename_keys(state_dict, prefix)
        if f"{prefix}vocabulary.taxonomy_json" not in state_dict:
            own = f"{prefix}query_decoder.cls_embed."
            check_foreign_classifier(state_dict, own, self.query_decoder.cls_embed)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
