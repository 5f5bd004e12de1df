"""VITA: one look at a whole video through its frame queries (arXiv:2206.04403)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor

from tmt_vis.losses import similarity_loss
from tmt_vis.ops import mask_logits
from tmt_vis.streaming import TrackState, WindowPlan, WindowPrediction, WindowRequest
from tmt_vis.structures import ClipDataSample, ClipTargets, presence
from tmt_vis.typedefs import ConfigType, Losses

from ..feature_store import MaskFeatureStore
from ..features import PixelFeatures
from ..postprocessing import (
    MaskLogits,
    choose_queries,
    encode_window,
    joined_taxonomy,
)
from ..taxonomy import CategoryScores
from .frame_supervision import FrameTargets
from .video_query_head import DecodedFrames, VideoQueryHead


@dataclass(frozen=True, eq=False)
class CollectedFrames(TrackState):
    """What is kept of the frames so far: their queries, and their mask features.

    It holds a file, so it cannot be stored: an interrupted video begins anew.

    Args:
        store: mask features of all frames.
        scores: of the categories in them, for the video queries.
        reports: of the taxonomy of each chunk, for the frame queries.
    """

    store: MaskFeatureStore | None = None
    scores: CategoryScores | None = None
    reports: tuple[InstanceData, ...] = ()


@MODELS.register_module()
class VITAHead(VideoQueryHead):
    """Decode frames one by one, and then all of their queries at once.

    A video of any length passes in chunks. Of each frame its queries stay (0.1 MB), and
    its mask features until the end of the video tells which masks are wanted.

    Args:
        frames_per_chunk: frames of a test that are decoded at a time. TCM compiles the
            taxonomy of the frame queries from so many frames.
        mask_store: arguments of :class:`MaskFeatureStore`.
        **parts: arguments of :class:`VideoQueryHead`.

    Raises:
        ValueError: if the chunks hold no frame.
    """

    def __init__(
        self,
        *,
        frames_per_chunk: int = 18,
        mask_store: ConfigType | None = None,
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        if frames_per_chunk < 1:
            raise ValueError(f"frames_per_chunk must be >= 1, got {frames_per_chunk}")
        self.plan = WindowPlan(frames_per_chunk, 0, last="short")
        self._store_options = dict(mask_store or {})
        self._new_store()  # a bad option is found now

    def forward(
        self, pixels: PixelFeatures, label_spaces: Sequence[str]
    ) -> tuple[Tensor, Tensor]:
        """Return class logits and mask embeddings of the last stage; see the base."""
        final = self.decode_frames(pixels, label_spaces, self.stages[-1:]).outputs[-1]
        queries = final.queries.unflatten(0, (len(label_spaces), -1))
        start = self.video.decoder.initial_queries(len(label_spaces))
        video = self.video.predict(self.video.encoder(queries), start, self.vocabulary)
        return video.class_logits[-1], video.mask_embeds[-1]

    # ------------------------------------------------------------------- training

    def loss(self, pixels: PixelFeatures, samples: Sequence[ClipDataSample]) -> Losses:
        """Compute the losses of frames and clips, and of similarity; see the base."""
        spaces = [sample.label_space for sample in samples]
        targets = [self.clip_targets(sample) for sample in samples]
        in_frames = FrameTargets(targets, presence(targets))
        frames = self.decode_frames(pixels, spaces, self.stages, samples=samples)
        predictions = self.frame_predictions(frames, samples)
        matches = self.match(predictions, in_frames.targets)
        reuse = [i for i, s in enumerate(self.stages) if not s.own_assignment]
        for match in matches:
            match[reuse] = match[-1].clone()
        with torch.autocast(pixels.fine.device.type, enabled=False):
            losses = self.criterion(
                predictions, in_frames.targets, matches, self.stages
            )
        by_object = in_frames.by_object(matches, self.query_stages)
        losses |= self._video_losses(pixels, frames, samples, targets, by_object)
        return losses | self.taxonomy_losses(
            self.guidance, frames.taxonomy, targets, samples
        )

    def _video_losses(
        self,
        pixels: PixelFeatures,
        frames: DecodedFrames,
        samples: Sequence[ClipDataSample],
        targets: Sequence[ClipTargets],
        frame_matches: Sequence[Tensor],
    ) -> Losses:
        spaces = [sample.label_space for sample in samples]
        copies = self.frame_query_layers
        inject, compiled = self.video_before_layer(
            self.category_scores(frames.features),
            spaces,
            copies=copies,
            samples=samples,
        )
        tokens = self.video.encoder(self.frame_queries(frames))
        prediction = self.video.predict(
            tokens,
            self.video.decoder.initial_queries(len(tokens)),
            self.vocabulary,
            before_layer=inject,
            all_layers=True,
        )
        features = self.video.mask_feature(pixels.fine)
        features = features.unflatten(0, (len(samples), -1))
        keep = self.supervised_keep(samples)
        stages = self.video_predictions(prediction, features, keep)
        matches = self.match(stages, targets)
        last = [match[-copies:] for match in matches]
        embeddings = self.object_embeddings(
            tokens, prediction.queries, frame_matches, last
        )
        with torch.autocast(pixels.fine.device.type, enabled=False):
            found = self.criterion.stage_losses(stages, targets, matches, rows="tube")
            losses = self.criterion.named(found.mean_over(copies), self.video_stages)
            similarity = similarity_loss(embeddings)
        losses["video.loss_sim"] = self.similarity_weight * similarity
        return losses | self.taxonomy_losses(
            self.video_guidance, compiled, targets, samples, "video."
        )

    # ------------------------------------------------------------------ inference

    @torch.no_grad()
    def predict_window(
        self, pixels: PixelFeatures, request: WindowRequest, state: TrackState | None
    ) -> tuple[None, CollectedFrames]:
        """Collect the queries and mask features of some frames; see the base."""
        vocabulary = self.vocabulary_of(request)
        frames = self.decode_frames(
            pixels,
            [request.label_space],
            self.stages[-1:],
            vocabulary,
            samples=[request.sample],
        )
        before = state or CollectedFrames(0, {}, store=self._new_store())
        window, store = request.window, before.store
        if len(store) != window.start:
            raise RuntimeError(
                f"this state was continued up to frame {len(store)} already, and the "
                f"window begins at {window.start}; begin the video anew"
            )
        store.add(self.video.mask_feature(pixels.fine))
        queries = [*before.tensors.values(), frames.outputs[-1].queries]
        scores, reports = before.scores, before.reports
        if (new := self.category_scores(frames.features, vocabulary)) is not None:
            share = window.num_frames / window.stop
            scores = new if scores is None else scores.mean_with(new, share)
        if frames.taxonomy is not None:
            space = request.label_space
            report = self.guidance.report(frames.taxonomy, space, vocabulary)
            reports = (*reports, report)
        return None, CollectedFrames(
            window.stop,
            dict(queries=torch.cat(queries)),
            store=store,
            scores=scores,
            reports=reports,
        )

    def _new_store(self) -> MaskFeatureStore:
        return MaskFeatureStore(**self._store_options)

    @torch.no_grad()
    def finish_video(
        self, request: WindowRequest, state: CollectedFrames
    ) -> WindowPrediction:
        """Decode the video from the queries of all frames; see the base."""
        vocabulary, space = self.vocabulary_of(request), request.label_space
        inject, compiled = self.video_before_layer(
            state.scores, [space], vocabulary, samples=[request.sample]
        )
        video = self.video.predict(
            self.video.encoder(state.tensors["queries"][None]),
            self.video.decoder.initial_queries(1),
            vocabulary,
            before_layer=inject,
        )
        probs = self.slot_probs(video.class_logits[-1, 0], space, vocabulary)
        kept = choose_queries(
            probs, request.max_objects, several_categories=request.several_categories
        )
        embeds = video.mask_embeds[-1, 0, kept]
        taxonomy = self.report(None, compiled, space, vocabulary)
        if state.reports:
            taxonomy = joined_taxonomy(state.reports)
        prediction = encode_window(
            request,
            _stored_logits(embeds, state.store),
            slot_probs=probs[kept],
            embeddings=embeds,
            queries=kept,
            taxonomy=taxonomy,
            quality=self.mask_quality,
        )
        state.store.report()
        return prediction


def _stored_logits(embeds: Tensor, store: MaskFeatureStore) -> MaskLogits:
    """Give the mask logits of queries ``(k, C)``, one frame in memory at a time."""

    def logits(frames: slice) -> Tensor:
        features = torch.stack([store[i] for i in range(frames.start, frames.stop)])
        return mask_logits(embeds[None], features[None])[0]

    return logits
