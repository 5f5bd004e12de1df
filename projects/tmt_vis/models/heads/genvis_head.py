"""GenVIS: video queries that go on from clip to clip (arXiv:2211.08834)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from numpy.typing import NDArray
from torch import Tensor

from tmt_vis.streaming import TrackState, WindowPlan, WindowPrediction, WindowRequest
from tmt_vis.structures import ClipDataSample, ClipTargets, presence
from tmt_vis.typedefs import ConfigType, Losses

from ..features import PixelFeatures
from ..postprocessing import encode_window, query_mask_logits
from ..prototype_memory import PrototypeBank
from ..taxonomy import CategoryScores, UnionVocabulary
from .clip_supervision import TrainedClip, clip_losses, match_clips
from .frame_supervision import FrameTargets
from .propagated_queries import PropagatedQueries
from .video_query_head import DecodedFrames, VideoQueryHead


@MODELS.register_module()
class GenVISHead(VideoQueryHead):
    """Decode a video clip by clip with queries that remember.

    The queries of a clip start from those of the clip before and from a memory of all
    earlier ones, so that a query is a track. Nothing in front of the video queries
    learns: give its modules to ``frozen`` of the detector.

    Args:
        window: frames of a clip: 1 is the online model, 3 the semi-online one.
        memory: arguments of :class:`PrototypeMemory`.
        protect_vanished: see :class:`ClipChain`.
        inject_to: see :class:`VideoQueryHead`. Here the video queries by default: the
            frame part is frozen, and takes its guidance from a VITA of before.
        video: as in :class:`VideoQueryHead`; the encoder attends to the whole clip.
        **parts: further arguments of :class:`VideoQueryHead`.

    Raises:
        ValueError: if the window holds no frame, or the encoder has one of its own.
    """

    aggregate = "max"

    def __init__(
        self,
        *,
        window: int = 1,
        memory: ConfigType | None = None,
        protect_vanished: bool = False,
        inject_to: str = "video",
        video: ConfigType | None = None,
        **parts: Any,
    ) -> None:
        if window < 1:
            raise ValueError(
                f"GenVIS's window must be >= 1 frame, got {window}; the online model "
                "has 1, the semi-online model 3"
            )
        self._memory_options = dict(memory or {})
        super().__init__(inject_to=inject_to, video=video, **parts)
        if self.video.encoder.window != 0:
            raise ValueError(
                "GenVIS encodes a clip as a whole, got video.encoder.window="
                f"{self.video.encoder.window}; leave it out, head.window is the clip"
            )
        self.plan = WindowPlan(window, 0, last="short")
        self.protect_vanished = protect_vanished

    def _video_parts(self, video: ConfigType) -> dict[str, Any]:
        parts = super()._video_parts(video)
        encoder = dict(window=0) | dict(parts["encoder"])
        return parts | dict(encoder=encoder, memory=self._memory_options)

    def forward(
        self, pixels: PixelFeatures, label_spaces: Sequence[str]
    ) -> tuple[Tensor, Tensor]:
        """Return class logits and mask embeddings of the first clip; see the base."""
        final = self.decode_frames(pixels, label_spaces, self.stages[-1:]).outputs[-1]
        queries = final.queries.unflatten(0, (len(label_spaces), -1))
        start = self.video.decoder.initial_queries(len(queries))
        video = self.video.predict(
            self.video.encoder(queries[:, : self.plan.length]),
            self.video.memory.read(start, PrototypeBank()),
            self.vocabulary,
        )
        return video.class_logits[-1], video.mask_embeds[-1]

    # ------------------------------------------------------------------- training

    def loss(self, pixels: PixelFeatures, samples: Sequence[ClipDataSample]) -> Losses:
        """Compute the losses of all clips of each sample; see the base."""
        num_frames = pixels.num_frames // len(samples)
        if num_frames % self.plan.length:
            raise ValueError(
                "GenVIS trains on clips of whole windows, got num_frames="
                f"{num_frames} with a window of {self.plan.length}; set num_frames of "
                "the datasets to a multiple of it"
            )
        targets = [self.clip_targets(sample) for sample in samples]
        present = presence(targets)
        frames, frame_matches = self._frozen_frames(pixels, samples, targets, present)
        clips = self._decode_clips(pixels, frames, samples, targets)
        chains = match_clips(
            self, clips, targets, present, protect_vanished=self.protect_vanished
        )
        losses: Losses = {}
        for number, (clip, matches) in enumerate(zip(clips, chains, strict=True)):
            found = clip_losses(
                self, clip, matches, samples, targets, present, frame_matches
            )
            losses |= {f"{name}_clip{number}": loss for name, loss in found.items()}
        if len(clips) == 1:
            # Nothing is read from the memory: DDP needs its parameters in the graph.
            unused = sum(p.sum() for p in self.video.memory.parameters()) * 0
            losses["video.loss_sim_clip0"] = losses["video.loss_sim_clip0"] + unused
        if leftover := sum(match.leftover for clip in chains for match in clip):
            # A number for the log, not a loss: objects that no query is left for.
            losses["unmatched_objects"] = pixels.fine.new_tensor(float(leftover))
        return losses

    def _frozen_frames(
        self,
        pixels: PixelFeatures,
        samples: Sequence[ClipDataSample],
        targets: Sequence[ClipTargets],
        present: Sequence[NDArray[np.bool_]],
    ) -> tuple[DecodedFrames, list[Tensor]]:
        """Decode and match all frames: per sample ``(L, T, N)``."""
        spaces = [sample.label_space for sample in samples]
        stages = [self.stages[i] for i in self.query_stages]
        in_frames = FrameTargets(targets, present)
        with torch.no_grad():
            frames = self.decode_frames(pixels, spaces, stages, samples=samples)
            predictions = self.frame_predictions(frames, samples)
            matches = self.match(predictions, in_frames.targets)
        return frames, in_frames.by_object(matches, range(len(stages)))

    def _decode_clips(
        self,
        pixels: PixelFeatures,
        frames: DecodedFrames,
        samples: Sequence[ClipDataSample],
        targets: Sequence[ClipTargets],
    ) -> list[TrainedClip]:
        """Run the video branch clip by clip; gradients flow through all of them."""
        queries = torch.stack([out.queries for out in frames.outputs])
        queries = queries.unflatten(1, (len(samples), -1)).flatten(0, 1)
        features = self.video.mask_feature(pixels.fine)
        features = features.unflatten(0, (len(samples), -1))
        keep = self.supervised_keep(samples)
        state = self.video.decoder.initial_queries(len(queries))
        bank, scores, clips = PrototypeBank(), None, []
        for first in range(0, features.shape[1], self.plan.length):
            part = slice(first, first + self.plan.length)
            scores = self._scores_up_to(part, frames, samples, scores)
            tokens = self.video.encoder(queries[:, part])
            inject, compiled = self.video_before_layer(
                scores,
                [sample.label_space for sample in samples],
                copies=self.frame_query_layers,
                samples=samples,
            )
            prediction = self.video.predict(
                tokens,
                self.video.memory.read(state, bank),
                self.vocabulary,
                before_layer=inject,
                all_layers=True,
            )
            state = prediction.state
            bank = self.video.memory.write(prediction.queries, bank)
            stages = self.video_predictions(prediction, features[:, part], keep)
            seen = [target.part(None, part) for target in targets]
            costs = self.costs(stages, seen)
            clips.append(TrainedClip(part, tokens, prediction, stages, compiled, costs))
        return clips

    def _scores_up_to(
        self,
        part: slice,
        frames: DecodedFrames,
        samples: Sequence[ClipDataSample],
        scores: CategoryScores | None,
    ) -> CategoryScores | None:
        """Average the scores of the categories over all frames up to a clip's end."""
        if self.video_guidance is None:
            return None
        new = self.category_scores(frames.features.frames(part))
        if scores is None:
            return new
        return scores.mean_with(new, (part.stop - part.start) / part.stop)

    # ------------------------------------------------------------------ inference

    @torch.no_grad()
    def predict_window(
        self, pixels: PixelFeatures, request: WindowRequest, state: TrackState | None
    ) -> tuple[WindowPrediction, PropagatedQueries]:
        """Predict one clip and hand its queries on; see the base."""
        vocabulary, space = self.vocabulary_of(request), request.label_space
        frames = self.decode_frames(
            pixels, [space], self.stages[-1:], vocabulary, samples=[request.sample]
        )
        queries, bank, scores = (
            self.video.decoder.initial_queries(1),
            PrototypeBank(),
            None,
        )
        if state is not None:
            before = PropagatedQueries.of(state, pixels.fine.device)
            queries, bank, scores = (
                before.tensors["queries"],
                before.bank,
                before.scores,
            )
        scores = self._scores_behind(request, frames, vocabulary, scores)
        inject, compiled = self.video_before_layer(
            scores, [space], vocabulary, samples=[request.sample]
        )
        video = self.video.predict(
            self.video.encoder(frames.outputs[-1].queries[None]),
            self.video.memory.read(queries, bank),
            vocabulary,
            before_layer=inject,
        )
        bank = self.video.memory.write(video.queries, bank)
        tracks = torch.arange(video.queries.shape[1])
        # Which of them are the best is known at the end, so all are encoded.
        prediction = encode_window(
            request,
            query_mask_logits(
                video.mask_embeds[-1, 0], self.video.mask_feature(pixels.fine)
            ),
            slot_probs=self.slot_probs(video.class_logits[-1, 0], space, vocabulary),
            embeddings=video.queries[0],
            queries=tracks,
            tracks=tracks,
            taxonomy=self.report(frames.taxonomy, compiled, space, vocabulary),
            quality=self.mask_quality,
        )
        return prediction, PropagatedQueries.behind(
            request.window.stop, video.state, bank, scores
        )

    def _scores_behind(
        self,
        request: WindowRequest,
        frames: DecodedFrames,
        vocabulary: UnionVocabulary,
        scores: CategoryScores | None,
    ) -> CategoryScores | None:
        """Average the scores of the categories over all frames of the video so far."""
        new = self.category_scores(frames.features, vocabulary)
        if new is None or scores is None:
            return new
        window = request.window
        return scores.mean_with(new, window.num_frames / window.stop)
