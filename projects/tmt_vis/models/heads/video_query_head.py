"""What VITA and GenVIS share: frame queries, object tokens and video queries."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch import Tensor

from tmt_vis.losses import (
    ObjectEmbeddings,
    SetCriterion,
    Stage,
    StageKind,
    StagePredictions,
    TaxonomyLossPlan,
    matched_embeddings,
    plan_stages,
    restrict_logits,
)
from tmt_vis.ops import PointSampler
from tmt_vis.structures import ClipDataSample, ClipTargets
from tmt_vis.typedefs import ConfigType, Losses

from ..features import ClipFeatures, FeatureLevel, PixelFeatures
from ..masked_decoder import BeforeLayer
from ..prediction_heads import check_foreign_classifier
from ..query_decoder import QueryDecoder, StageOutput
from ..taxonomy import (
    CategoryScores,
    CompiledTaxonomy,
    TaxonomyGuidance,
    UnionVocabulary,
    build_guidance,
)
from ..video_branch import VideoBranch, VideoPrediction
from .base import VideoHead
from .version_0_4 import rename_keys

# What starts from converted weights must not move them: TIM begins as the identity.
_GATED = dict(
    layers="first",
    layer=dict(type="TaxonomyInjectionLayer", norm_first=True, layer_scale=0.0),
)
_SITES = ("frame", "video", "both")


class DecodedFrames(NamedTuple):
    """What the frame decoder says of ``B * T`` frames.

    Args:
        outputs: of each stage that was asked for.
        features: of the frames, one clip each.
        taxonomy: compiled for each sample; None without guidance of the frames.
    """

    outputs: list[StageOutput]
    features: ClipFeatures
    taxonomy: CompiledTaxonomy | None


class VideoQueryHead(VideoHead):
    """Base of the hosts whose video queries read frame queries instead of pixels.

    Args:
        pixel_decoder: config of ``ClipPixelDecoder``.
        decoder: arguments of the frame decoder, a :class:`MaskedTransformerDecoder`.
        num_queries: queries of a frame.
        classifier: config of both classifiers.
        query_init: ``host`` or ``zero``, see :class:`QueryDecoder`.
        video: ``encoder`` and ``decoder``: arguments of :class:`VideoBranch`.
        frame_query_layers: last layers of the frame decoder whose queries train the
            video branch. A test uses those of the last one.
        compilation: config of TCM; None leaves the taxonomy out.
        injection: arguments of TIM in front of the frame decoder's layers.
        video_injection: the same for the object decoder; by default once, with a gate
            that starts at zero.
        inject_to: queries that the taxonomy enters: ``frame``, ``video`` or ``both``,
            each with a TCM of its own.
        vocab_mode: see :class:`TaxonomyGuidance`.
        guidance: config of another guidance than that.
        criterion: as in :class:`TMTVISHead`, with the weight ``sim`` of the similarity
            loss.
        assigner: config of the assigner.
        mask_quality: multiply the score of a track by the quality of its masks.
        **base: arguments of :class:`VideoHead`.

    Raises:
        ValueError: on another ``inject_to``, or if TIM appends queries.
    """

    def __init__(
        self,
        *,
        pixel_decoder: ConfigType,
        decoder: ConfigType | None = None,
        num_queries: int = 100,
        classifier: ConfigType | None = None,
        query_init: str = "host",
        video: ConfigType | None = None,
        frame_query_layers: int = 3,
        compilation: ConfigType | None = None,
        injection: ConfigType | None = None,
        video_injection: ConfigType | None = None,
        inject_to: str = "frame",
        vocab_mode: ConfigType | None = None,
        guidance: ConfigType | None = None,
        criterion: ConfigType | None = None,
        assigner: ConfigType | None = None,
        mask_quality: bool = True,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.mask_quality = mask_quality
        # mmdet reads this config by attribute.
        self.pixel_decoder = MODELS.build(ConfigDict(pixel_decoder))
        classifier = classifier or dict(type="LinearClassifier")
        self.query_decoder = QueryDecoder(
            vocabulary=self.vocabulary,
            num_levels=self.pixel_decoder.num_encoder_levels,
            level_channels=pixel_decoder["feat_channels"],
            mask_channels=pixel_decoder["out_channels"],
            decoder=decoder,
            classifier=classifier,
            num_queries=num_queries,
            query_init=query_init,
            temporal=False,
        )
        self.frame_query_layers = min(frame_query_layers, self.query_decoder.num_layers)
        self.video = VideoBranch(
            vocabulary=self.vocabulary,
            classifier=classifier,
            num_frame_queries=num_queries,
            channels=self.query_decoder.channels,
            pixel_channels=pixel_decoder["feat_channels"],
            **self._video_parts(video or {}),
        )
        self._build_guidance(
            inject_to,
            injection,
            _GATED if video_injection is None else video_injection,
            compilation=compilation,
            vocab_mode=vocab_mode,
            guidance=guidance,
            loss_weight=self._build_losses(dict(criterion or {}), assigner or {}),
        )
        self._plan_stages(
            TaxonomyLossPlan(**(criterion or {}).get("taxonomy_loss", {}))
        )

    def _video_parts(self, video: ConfigType) -> dict[str, Any]:
        """Complete the arguments of the video branch."""
        unknown = sorted(set(video) - {"encoder", "decoder", "memory"})
        if unknown:
            raise ValueError(
                f"head.video takes encoder, decoder and memory, got {unknown}"
            )
        if "memory" in video:
            raise ValueError(
                f"{type(self).__name__} has no memory, got video.memory="
                f"{video['memory']}; GenVISHead has one"
            )
        return dict(encoder={}, decoder={}, memory=None) | dict(video)

    def _build_losses(self, criterion: dict, assigner: ConfigType) -> float:
        """Build criterion and assigner; return the weight of the loss on S."""
        criterion.pop("taxonomy_loss", None)
        weights = dict(cls=2.0, mask=5.0, dice=5.0, taxo=0.5)
        weights.update(criterion.pop("loss_weights", {}))
        self.similarity_weight = weights.pop("sim", 0.5)
        compilation_weight = weights.pop("comp", weights["taxo"])
        points = PointSampler(**criterion.pop("points", {}))
        self.criterion = SetCriterion(loss_weights=weights, points=points, **criterion)
        assigner = dict(type="TaxoHungarianAssigner") | dict(assigner)
        self.assigner = TASK_UTILS.build(assigner)
        return compilation_weight

    def _build_guidance(
        self,
        inject_to: str,
        frame_injection: ConfigType | None,
        video_injection: ConfigType,
        **options: Any,
    ) -> None:
        if inject_to not in _SITES:
            raise ValueError(
                f"inject_to must be one of {', '.join(_SITES)}, got {inject_to!r}"
            )
        sites = dict(guidance=(frame_injection, self.query_decoder.num_layers))
        layers = self.video.decoder.num_layers
        sites["video_guidance"] = (video_injection, layers)
        wanted = dict(frame=["guidance"], video=["video_guidance"]).get(
            inject_to, sites
        )
        for name, (injection, num_layers) in sites.items():
            built = None
            if name in wanted and options["compilation"] is not None:
                built = build_guidance(
                    injection=injection,
                    vocabulary=self.vocabulary,
                    channels=self.query_decoder.channels,
                    num_decoder_layers=num_layers,
                    **options,
                )
                if not built.tim.keeps_query_count:
                    raise ValueError(
                        f"{type(self).__name__} has one position for each frame query, "
                        "and concatenation appends queries; use cross-attention or "
                        "addition"
                    )
            setattr(self, name, built)

    def _plan_stages(self, taxonomy_loss: TaxonomyLossPlan) -> None:
        injected = () if self.guidance is None else self.guidance.tim.injected_layers
        layers = self.query_decoder.num_layers
        frame = plan_stages(layers, injected, taxonomy_loss)
        self.stages = tuple(stage.named("frame.") for stage in frame)
        last = self.video.decoder.num_layers - 1
        names = [f"video.d{i}." for i in range(last)] + ["video."]
        self.video_stages = tuple(
            Stage(StageKind.LAYER, i, name, f"{name}loss_cls")
            for i, name in enumerate(names)
        )

    def init_weights(self) -> None:
        """Initialise the pixel decoder; the other parts did so when built."""
        super().init_weights()
        self.pixel_decoder.init_weights()

    @property
    def accepts_text(self) -> bool:
        """Whether the classifiers compare with text."""
        return self.video.cls_embed.needs_text

    # ------------------------------------------------------------------- features

    def pixel_features(
        self, feats: Sequence[Tensor], images: Tensor, *, autocast: bool = False
    ) -> PixelFeatures:
        """Run the pixel decoder, in float32 as the reference does; see the base."""
        if autocast:
            mask_features, levels, fine = self.pixel_decoder(feats, with_fine=True)
        else:
            with torch.autocast(feats[0].device.type, enabled=False):
                mask_features, levels, fine = self.pixel_decoder(
                    [f.float() for f in feats], with_fine=True
                )
        return PixelFeatures(mask_features, tuple(levels), fine=fine)

    def decode_frames(
        self,
        pixels: PixelFeatures,
        label_spaces: Sequence[str],
        stages: Sequence[Stage],
        vocabulary: UnionVocabulary | None = None,
        *,
        samples: Sequence[ClipDataSample] | None = None,
    ) -> DecodedFrames:
        """Run the frame decoder.

        Args:
            pixels: of ``B * T`` frames, clip by clip.
            label_spaces: of ``B`` samples.
            stages: where predictions are wanted.
            vocabulary: None: the head's own.
            samples: see :meth:`TaxonomyGuidance.compile`.
        """
        vocabulary = vocabulary or self.vocabulary
        count = pixels.num_frames // len(label_spaces)
        features = self.query_decoder.clip_features(pixels, 1, clips_per_sample=count)
        compiled = inject = None
        if self.guidance is not None:
            compiled = self.guidance.compile(
                _levels(self.guidance, features),
                label_spaces,
                vocabulary,
                samples=samples,
            )
            inject = partial(self.guidance.inject, compiled=compiled.repeated(count))
        outputs = self.query_decoder(features, vocabulary, stages, before_layer=inject)
        return DecodedFrames(outputs, features, compiled)

    def video_before_layer(
        self,
        scores: CategoryScores | None,
        label_spaces: Sequence[str],
        vocabulary: UnionVocabulary | None = None,
        *,
        copies: int = 1,
        samples: Sequence[ClipDataSample] | None = None,
    ) -> tuple[BeforeLayer | None, CompiledTaxonomy | None]:
        """Return what injects the taxonomy into the video queries, and the taxonomy.

        Args:
            scores: of the categories in ``B`` clips; None without guidance.
            label_spaces: of the clips.
            vocabulary: None: the head's own.
            copies: sets of frame queries of each clip that are decoded, side by side:
                all clips of the first set come first.
            samples: see :meth:`TaxonomyGuidance.compile`.
        """
        if scores is None:
            return None, None
        compiled = self.video_guidance.select(
            scores, label_spaces, vocabulary or self.vocabulary, samples=samples
        )
        clips = torch.arange(len(label_spaces), device=compiled.keep.device)
        shared = compiled[clips.repeat(copies)]
        return partial(self.video_guidance.inject, compiled=shared), compiled

    def category_scores(
        self, features: ClipFeatures, vocabulary: UnionVocabulary | None = None
    ) -> CategoryScores | None:
        """Score the categories for the video queries; None without guidance of them.

        Args:
            features: of all frames of each sample.
            vocabulary: None: the head's own.
        """
        if self.video_guidance is None:
            return None
        levels = _levels(self.video_guidance, features)
        return self.video_guidance.look(levels, vocabulary or self.vocabulary)

    def report(
        self,
        frame_taxonomy: CompiledTaxonomy | None,
        video_taxonomy: CompiledTaxonomy | None,
        label_space: str,
        vocabulary: UnionVocabulary,
    ) -> InstanceData | None:
        """Report what was compiled for one video, for its frames where that is done."""
        if frame_taxonomy is not None:
            return self.guidance.report(frame_taxonomy, label_space, vocabulary)
        if video_taxonomy is not None:
            return self.video_guidance.report(video_taxonomy, label_space, vocabulary)
        return None

    # ------------------------------------------------------------------- training

    @property
    def query_stages(self) -> list[int]:
        """Positions of the stages whose frame queries train the video branch."""
        first = self.query_decoder.num_layers - self.frame_query_layers
        return [
            index
            for index, stage in enumerate(self.stages)
            if stage.kind is StageKind.LAYER and stage.layer >= first
        ]

    def frame_queries(self, frames: DecodedFrames) -> Tensor:
        """Stack the frame queries of the last layers, ``(L * B, T, F, C)``."""
        queries = torch.stack([frames.outputs[i].queries for i in self.query_stages])
        count = frames.features.clips_per_sample
        return queries.unflatten(1, (-1, count)).flatten(0, 1)

    def frame_predictions(
        self, frames: DecodedFrames, samples: Sequence[ClipDataSample]
    ) -> StagePredictions:
        """Collect what the criterion needs of all frames and stages."""
        keep = self.supervised_keep(samples)
        keep = keep.repeat_interleave(frames.features.clips_per_sample, dim=0)
        logits = torch.stack([out.class_logits for out in frames.outputs])
        return StagePredictions(
            class_logits=restrict_logits(logits, keep),
            mask_embeds=torch.stack([out.mask_embeds for out in frames.outputs]),
            mask_features=frames.features.mask_features,
        )

    def video_predictions(
        self, prediction: VideoPrediction, mask_features: Tensor, keep: Tensor
    ) -> StagePredictions:
        """Collect what the criterion needs of ``D * L`` stages of each clip.

        Args:
            prediction: of ``L * B`` clips after all layers.
            mask_features: ``(B, T, C, H, W)``.
            keep: ``(B, K)``, see :meth:`supervised_keep`.
        """
        logits, embeds = (
            x.unflatten(1, (-1, len(keep))).flatten(0, 1)
            for x in (prediction.class_logits, prediction.mask_embeds)
        )
        return StagePredictions(restrict_logits(logits, keep), embeds, mask_features)

    def supervised_keep(self, samples: Sequence[ClipDataSample]) -> Tensor:
        """Mark the categories that supervise each sample, ``(B, K)``."""
        spaces = [sample.label_space for sample in samples]
        return self.class_keep(spaces) & self.known_keep(samples)

    def match(
        self, predictions: StagePredictions, targets: Sequence[ClipTargets]
    ) -> list[Tensor]:
        """Match the targets of each clip in all stages, see the assigner."""
        return self.assigner.assign(
            *_detached(predictions), targets, self.criterion.points
        )

    def costs(
        self, predictions: StagePredictions, targets: Sequence[ClipTargets]
    ) -> list[Tensor]:
        """Compute the costs of all pairs of each clip in all stages."""
        return self.assigner.costs(
            *_detached(predictions), targets, self.criterion.points
        )

    def object_embeddings(
        self,
        tokens: Tensor,
        queries: Tensor,
        frame_matches: Sequence[Tensor],
        video_matches: Sequence[Tensor],
    ) -> list[ObjectEmbeddings]:
        """Collect the embeddings that the similarity loss compares, per clip.

        Args:
            tokens: ``(L * B, T, F, C)``.
            queries: ``(L * B, Q, C)``, normed, of the last stage.
            frame_matches: per clip ``(L, T, N)``.
            video_matches: per clip ``(L, N)``.
        """
        frames, videos = (
            embed(x).unflatten(0, (-1, len(frame_matches))).transpose(0, 1)
            for embed, x in (
                (self.video.frame_embed, tokens),
                (self.video.video_embed, queries),
            )
        )
        parts = zip(frames, frame_matches, videos, video_matches, strict=True)
        return [matched_embeddings(*part) for part in parts]

    def taxonomy_losses(
        self,
        guidance: TaxonomyGuidance | None,
        compiled: CompiledTaxonomy | None,
        targets: Sequence[ClipTargets],
        samples: Sequence[ClipDataSample],
        part: str = "",
    ) -> Losses:
        """Supervise the scores of a TCM with the categories of each clip.

        Args:
            guidance: of the frame or video queries; None: there is nothing.
            compiled: by it, of each clip.
            targets: of each clip.
            samples: of each clip.
            part: of the model, in front of the name.
        """
        if guidance is None:
            return {}
        spaces = [sample.label_space for sample in samples]
        losses = guidance.loss(
            compiled, targets, spaces, self.vocabulary, known=self.known_keep(samples)
        )
        return {f"{part}{name}": loss for name, loss in losses.items()}

    def _check_memory(self, state_dict: Mapping[str, Tensor], prefix: str) -> None:
        """Refuse weights of a model whose queries start from a memory."""
        has_memory = any(key.startswith(prefix) for key in state_dict)
        if has_memory and self.video.memory is None:
            raise ValueError(
                f"the checkpoint is one of GenVIS (it has {prefix}*), and "
                f"{type(self).__name__} has no memory; use a config of GenVISHead"
            )

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Load weights of mmdet's Mask2Former as well, as a warm start."""
        rename_keys(state_dict, prefix)
        self._check_memory(state_dict, f"{prefix}video.memory.")
        if f"{prefix}vocabulary.taxonomy_json" not in state_dict:
            for name in ("query_decoder.cls_embed", "video.cls_embed"):
                classifier = self.get_submodule(name)
                check_foreign_classifier(state_dict, f"{prefix}{name}.", classifier)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _levels(
    guidance: TaxonomyGuidance, features: ClipFeatures
) -> tuple[FeatureLevel, ...]:
    """Return what the categories look at: all frames of each sample."""
    clips = features.joined()
    if guidance.needs_mask_level:
        return (*clips.levels, clips.mask_level())
    return clips.levels


def _detached(predictions: StagePredictions) -> tuple[Tensor, ...]:
    return (
        predictions.class_logits.detach(),
        predictions.mask_embeds.detach(),
        predictions.mask_features.detach(),
    )
