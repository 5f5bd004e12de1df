"""Video Mask Transfiner: clips at once, masks refined along their outlines.

Ke et al., "Video Mask Transfiner for High-Quality Video Instance Segmentation", ECCV
2022. SeqFormer with masks in three steps. Prediction is that of the released network;
no training code was released, so training is our reading (docs/hosts/vmt.md).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS, TASK_UTILS
from mmengine.logging import MMLogger
from torch import Tensor

from tmt_vis.losses import TubeCriterion, restrict_logits
from tmt_vis.streaming import TrackState, WindowPrediction, WindowRequest
from tmt_vis.structures import ClipDataSample
from tmt_vis.typedefs import ConfigType, Losses, Size

from ..clip_box_decoder import ClipBoxDecoder, ClipBoxQueries
from ..clip_box_losses import ClipBoxLosses
from ..deformable_transformer import DeformableMemory
from ..features import CascadeFeatures
from ..mask_cascade import FrameMaps, FrameObjects, MaskCascade
from ..postprocessing import choose_queries, encode_window, rank_tracks
from .base import VideoHead

_MASK_LEVELS = 3  # strides 8, 16, 32
_LEAST = torch.finfo(torch.float32).tiny  # pairs out of the best have 0
_SPARE = 1  # columns of the classifier in front of and behind the categories


@MODELS.register_module()
class VMTHead(VideoHead):
    """Predict the objects of a clip, and their masks in three steps.

    The classifiers have a column in front of the categories and one behind them, as the
    released ones: ids of YouTube-VIS start at 1, and nothing ever belongs to columns 0
    and 41. They compete for the places of a test, and are no tracks.

    Nothing is padded at test: set ``test_size_divisor=1`` of the data preprocessor.

    Args:
        neck: config of what brings the levels of strides 8, 16 and 32 to one width and
            adds stride 64.
        query_decoder: arguments of :class:`ClipBoxDecoder`.
        cascade: arguments of :class:`MaskCascade`.
        assigner: config of the matching; :class:`ClipBoxAssigner` by default.
        criterion: arguments of :class:`TubeCriterion`.
        base: arguments of :class:`VideoHead`.
    """

    def __init__(
        self,
        *,
        neck: ConfigType,
        query_decoder: ConfigType | None = None,
        cascade: ConfigType | None = None,
        assigner: ConfigType | None = None,
        criterion: ConfigType | None = None,
        test_cfg: ConfigType | None = None,
        **base: Any,
    ) -> None:
        test_cfg = dict(min_score=_LEAST) | dict(test_cfg or {})
        super().__init__(test_cfg=test_cfg, **base)
        self.neck = MODELS.build(neck)
        columns = self.vocabulary.num_categories + 2 * _SPARE
        self.query_decoder = ClipBoxDecoder(
            num_categories=columns, **(query_decoder or {})
        )
        channels = self.query_decoder.channels
        self.cascade = MaskCascade(channels=channels, **(cascade or {}))
        assigner = dict(type="ClipBoxAssigner") | dict(assigner or {})
        self.losses = ClipBoxLosses(
            assigner=TASK_UTILS.build(assigner),
            criterion=TubeCriterion(**(criterion or {})),
            first_column=_SPARE,
        )

    # ------------------------------------------------------------------- features

    def pixel_features(
        self, feats: Sequence[Tensor], images: Tensor, *, autocast: bool = False
    ) -> CascadeFeatures:
        """Run the neck, and keep what the masks are refined with. See the base."""
        *stems, stage = feats[:-3]
        stem = stems[0] if stems else None
        size = [2 * side for side in stage.shape[-2:]] if stem is None else None
        image = F.interpolate(images, size=size or stem.shape[-2:], mode="nearest")
        levels = tuple(self.neck(tuple(feats[-3:])))
        # As in the release, masks teach the first stages of the backbone nothing.
        stem = None if stem is None else stem.detach()
        return CascadeFeatures(levels, stage.detach(), stem, image)

    def encode(
        self, pixels: CascadeFeatures, image_sizes: Sequence[Size], padded: Size
    ) -> DeformableMemory:
        """Run the encoder on frames, which do not interact, in float32.

        Args:
            pixels: of ``F`` frames.
            image_sizes: ``(h, w)`` of each frame without padding.
            padded: size of the padded input.
        """
        levels = [level.float() for level in pixels.levels]
        return self.query_decoder.encoder(levels, image_sizes, padded)

    def forward(
        self, pixels: CascadeFeatures, label_spaces: Sequence[str]
    ) -> tuple[Tensor, Tensor]:
        """Return class logits and boxes of the last stage; see the base."""
        padded = tuple(2 * side for side in pixels.image.shape[-2:])
        memory = self.encode(pixels, [padded] * pixels.num_frames, padded)
        queries = self.query_decoder.decode(memory, len(label_spaces))
        parts = self.query_decoder
        classes = parts.classes(queries.states[-1:], first=-1)[0]
        return classes, parts.boxes(queries, first=-1)[0]

    # ------------------------------------------------------------------- training

    def loss(
        self, pixels: CascadeFeatures, samples: Sequence[ClipDataSample]
    ) -> Losses:
        """Compute all losses of a batch of clips; see the base."""
        with torch.autocast(pixels.stage.device.type, enabled=False):
            pixels = pixels.with_tensors(x.float() for x in pixels.tensors())
            frames = pixels.num_frames // len(samples)
            sizes = [sample.img_shape for sample in samples for _ in range(frames)]
            padded = samples[0].batch_input_shape
            memory = self.encode(pixels, sizes, padded)
            queries = self.query_decoder.decode(memory, len(samples))
            keep = self.class_keep([sample.label_space for sample in samples])
            return self.losses(
                self.query_decoder,
                self.cascade,
                queries,
                self._frame_maps(memory, pixels),
                [self.clip_targets(sample) for sample in samples],
                samples,
                keep=_with_spare(keep & self.known_keep(samples)),
            )

    def _frame_maps(
        self, memory: DeformableMemory, pixels: CascadeFeatures
    ) -> list[FrameMaps]:
        merged = self.cascade.merge(memory.maps()[:_MASK_LEVELS])
        stems = pixels.stage if pixels.stem is None else pixels.stem
        maps = zip(merged, pixels.stage, stems, pixels.image, strict=True)
        return [FrameMaps(*frame) for frame in maps]

    # ------------------------------------------------------------------ inference

    def union_probs(self, class_logits: Tensor, keep: Tensor) -> Tensor:
        """Return one sigmoid per category; see the base.

        Args:
            class_logits: ``(Q, K + 2)``, all columns.
            keep: ``(1, K)`` bool.
        """
        logits = class_logits[None, :, _SPARE:-_SPARE]
        return restrict_logits(logits, keep, no_object=False)[0].sigmoid()

    @torch.no_grad()
    def predict_window(
        self, pixels: CascadeFeatures, request: WindowRequest, state: TrackState | None
    ) -> tuple[WindowPrediction, TrackState | None]:
        """Predict the objects of one window; see the base."""
        with torch.autocast(pixels.stage.device.type, enabled=False):
            pixels = pixels.with_tensors(x.float() for x in pixels.tensors())
            sample = request.sample
            size, padded = sample.img_shape, sample.batch_input_shape
            memory = self.encode(pixels, [size] * pixels.num_frames, padded)
            queries = self.query_decoder.decode(memory, 1)
            logits = self.query_decoder.classes(queries.states[-1:], first=-1)[0, 0]
            probs, chosen = self._choose(logits, request)
            masks = _WindowMasks(self, queries, chosen, memory, pixels, request)
            prediction = encode_window(
                masks.unpadded(request),
                masks,
                slot_probs=probs,
                embeddings=queries.states[-1, 0, chosen],
                queries=chosen,
            )
        masks.report()
        return prediction, None

    def _choose(self, logits: Tensor, request: WindowRequest) -> tuple[Tensor, Tensor]:
        """Choose the queries that get masks.

        Where pairs compete, those of the spare columns take part, and a pair that is
        not among the best is none.

        Returns:
            ``(k, slots)`` probabilities, and k query indices, ascending.
        """
        vocabulary, space = self.vocabulary_of(request), request.label_space
        probs = self.slot_probs(logits, space, vocabulary)
        limit = request.max_objects
        if not request.several_categories:
            chosen = choose_queries(probs, limit, several_categories=False)
            return probs[chosen], chosen
        slots = probs.shape[1]
        spare = logits[:, [0, -1]].sigmoid()
        _, columns, rows = rank_tracks(torch.cat([probs, spare], 1), limit)
        kept = torch.zeros_like(probs)
        pairs = (x[columns < slots] for x in (rows, columns))
        rows_kept, slots_kept = pairs
        kept[rows_kept, slots_kept] = probs[rows_kept, slots_kept]
        chosen = rows.unique()
        return kept[chosen], chosen


class _WindowMasks:
    """The refined masks of some queries, frame by frame when they are asked for."""

    def __init__(
        self,
        head: VMTHead,
        queries: ClipBoxQueries,
        chosen: Tensor,
        memory: DeformableMemory,
        pixels: CascadeFeatures,
        request: WindowRequest,
    ) -> None:
        self.head, self.memory, self.pixels = head, memory, pixels
        self.first = request.window.start
        height, width = request.sample.img_shape
        self.padded = request.sample.batch_input_shape
        boxes = head.query_decoder.boxes(queries, first=-1)[0][:, chosen]
        points = queries.references[-1][:, chosen, :2]
        self.centers = points * points.new_tensor([width, height])
        share = boxes.new_tensor([width, height]) / boxes.new_tensor(self.padded[::-1])
        self.boxes = boxes * share.repeat(2)
        self.control = head.cascade.control(queries.states[-1, 0, chosen])
        self.left_out: list[int] = []

    def __call__(self, frames: slice) -> Tensor:
        """Return logits ``(k, F, H, W)``."""
        pixels = self.pixels.with_tensors(x[frames] for x in self.pixels.tensors())
        maps = self.head._frame_maps(self.memory[frames], pixels)
        start = frames.start or 0
        masks = []
        for index, frame in enumerate(maps, start):
            objects = FrameObjects(
                self.centers[index], self.boxes[index], self.first + index
            )
            found = self.head.cascade(self.control, objects, frame)
            masks.append(found.refined)
            if found.left_out:
                self.left_out.append(found.left_out)
        return torch.stack(masks, 1)

    def unpadded(self, request: WindowRequest) -> WindowRequest:
        """Say which size the masks have.

        Sides that are odd are a pixel longer there. Masks are stretched to the output
        as they are, so the size of the input takes no part.
        """
        size = tuple(2 * side for side in self.pixels.image.shape[-2:])
        sample = ClipDataSample(metainfo=request.sample.metainfo)
        inner = size if sample.img_shape == self.padded else sample.img_shape
        sample.set_metainfo(dict(batch_input_shape=size, img_shape=inner))
        return replace(request, sample=sample)

    def report(self) -> None:
        """Log how many pixels were not refined."""
        if self.left_out:
            MMLogger.get_current_instance().warning(
                "%d frames have more incoherent pixels than "
                "cascade.pixels.max_pixels=%d: %d were not refined",
                len(self.left_out),
                self.head.cascade.choice.max_pixels,
                sum(self.left_out),
            )


def _with_spare(keep: Tensor) -> Tensor:
    """Keep the spare columns, which learn that nothing is theirs."""
    return F.pad(keep, (_SPARE, _SPARE), value=True)
