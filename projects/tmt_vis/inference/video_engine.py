"""Frames in, window predictions out: memory is that of one window."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from tmt_vis.models import TMTVIS, TrackReference
from tmt_vis.models.clip_features import PixelFeatures
from tmt_vis.models.decoding import decode_tubes, rank_tracks
from tmt_vis.structures import ClipDataSample

from .window_prediction import WindowPrediction
from .windows import Window, WindowPlan


class VideoInferenceEngine:
    """Predict a video of any length window by window.

    Every frame passes backbone and pixel decoder once: the frames that two windows
    share keep their features. When one window covers the video, the numbers are
    exactly those of ``model.predict`` on the whole video.

    A model that tracks from frame to frame (MinVIS) continues the tracks of the window
    before, whatever the windows are.

    Args:
        model: The detector, on its device.
        label_space: Label space to predict, part of the model's vocabulary.
        plan: The windows.
        max_objects: Objects kept per window; None takes ``test_cfg.max_per_video``.
        several_categories: Choose the objects like ``model.predict``, which may keep
            fewer of them with several categories each.
    """

    def __init__(
        self,
        model: TMTVIS,
        *,
        label_space: str,
        plan: WindowPlan | None = None,
        max_objects: int | None = None,
        several_categories: bool = False,
    ) -> None:
        self.model = model
        self.label_space = label_space
        self.plan = plan or WindowPlan()
        decoding = model.head.track_decoding
        self.max_objects = max_objects or decoding.limit(label_space)
        self.several_categories = several_categories
        # What TCM says of the window predicted last, for those who count per slot.
        self.last_taxonomy: InstanceData | None = None

    def run(
        self,
        frames: Iterable[Mapping[str, Any]],
        *,
        start: int = 0,
        after: WindowPrediction | None = None,
    ) -> Iterator[WindowPrediction]:
        """Predict window after window.

        Args:
            frames: Packed frames, ``inputs`` (1, 3, h, w) and ``data_samples``, as
                :class:`FramePreparation` makes them. Read when they are needed.
            start: Number of the first frame, a ``plan.restart_frame``.
            after: The last window that is finished already; those that follow are
                wanted.

        Yields:
            One prediction per window, in order.
        """
        self.model.eval()
        buffer = _FeatureBuffer(self.plan.length)
        pending: list[Mapping[str, Any]] = []
        seen, last = start, after
        for packed in frames:
            pending.append(packed)
            seen += 1
            ends = self.plan.ends_at(seen)
            chunk = self.model.chunk_length(packed["inputs"].shape[-2:])
            if ends or len(pending) == chunk:
                pixels, sample = self._pixel_features(pending)
                buffer.add(pixels)
                pending.clear()
            if ends and seen > _end(last):
                last = self._predict(buffer.joined(), sample, seen, last)
                yield last
        if pending:
            pixels, sample = self._pixel_features(pending)
            buffer.add(pixels)
        if seen > _end(last):
            yield self._predict(buffer.joined(), sample, seen, last)

    @torch.no_grad()
    def _pixel_features(
        self, packed: Sequence[Mapping[str, Any]]
    ) -> tuple[PixelFeatures, ClipDataSample]:
        clip = torch.cat([frame["inputs"] for frame in packed])
        data = dict(inputs=[clip], data_samples=[packed[0]["data_samples"]])
        data = self.model.data_preprocessor(data, False)
        with self.model.predict_precision():
            pixels = self.model.pixel_features(data["inputs"][0])
        return pixels, data["data_samples"][0]

    @torch.no_grad()
    def _predict(
        self,
        pixels: PixelFeatures,
        sample: ClipDataSample,
        stop: int,
        last: WindowPrediction | None,
    ) -> WindowPrediction:
        with self.model.predict_precision():
            return self._predict_window(pixels, sample, stop, last)

    def _predict_window(
        self,
        pixels: PixelFeatures,
        sample: ClipDataSample,
        stop: int,
        last: WindowPrediction | None,
    ) -> WindowPrediction:
        head = self.model.head
        window = Window(max(0, stop - self.plan.length), stop)
        features = head.clip_features(pixels, window.num_frames)
        reference = _reference(last, window)
        (queries,) = head.predict_queries(features, [self.label_space], [reference])
        kept = self._choose(queries.slot_probs)
        embeds = queries.mask_embeds[..., kept, :]
        tubes = decode_tubes(embeds, queries.mask_features, sample)
        compiled: tuple[tuple[int, float], ...] = ()
        self.last_taxonomy = queries.taxonomy
        if queries.taxonomy is not None:
            ids, scores = queries.taxonomy.union_ids, queries.taxonomy.scores
            compiled = tuple(zip(ids.tolist(), scores.tolist(), strict=True))
        tracks = last_queries = None
        if queries.last_queries is not None:
            tracks, embeds = tuple(kept.tolist()), queries.last_queries[kept]
            last_queries = queries.last_queries.float().cpu().numpy()
        return WindowPrediction(
            window=window,
            embeddings=embeds.float().cpu().numpy(),
            slot_probs=queries.slot_probs[kept].float().cpu().numpy(),
            tubes=tuple(tubes),
            compiled=compiled,
            tracks=tracks,
            last_queries=last_queries,
        )

    def _choose(self, slot_probs: Tensor) -> Tensor:
        """Return the queries that are decoded, in the order of the model."""
        if self.several_categories:
            return rank_tracks(slot_probs, self.max_objects)[2].unique()
        best = slot_probs.amax(1)
        count = min(self.max_objects, len(best))
        return best.topk(count).indices.sort().values


def _end(last: WindowPrediction | None) -> int:
    return 0 if last is None else last.window.stop


def _reference(last: WindowPrediction | None, window: Window) -> TrackReference | None:
    """Find the last frame of the window before in this one."""
    if last is None or last.last_queries is None:
        return None
    queries = torch.from_numpy(last.last_queries)
    return TrackReference(queries, last.window.stop - 1 - window.start)


class _FeatureBuffer:
    """The pixel features of the latest frames, chunk by chunk.

    Args:
        length: Frames that are needed; up to a chunk more are kept.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._chunks: list[PixelFeatures] = []

    def add(self, pixels: PixelFeatures) -> None:
        """Append a chunk and forget the chunks that lie before the latest frames."""
        self._chunks.append(pixels)
        while sum(len(c.mask_features) for c in self._chunks[1:]) >= self._length:
            del self._chunks[0]

    def joined(self) -> PixelFeatures:
        """Return the features of the latest ``length`` frames, or of all there are."""
        levels = zip(*(chunk.levels for chunk in self._chunks), strict=True)
        return PixelFeatures(
            self._latest([chunk.mask_features for chunk in self._chunks]),
            tuple(self._latest(level) for level in levels),
        )

    def _latest(self, parts: Sequence[Tensor]) -> Tensor:
        # The last bits of what follows depend on strides and alignment, so this is
        # laid out as in model.predict: the chunk itself, or a fresh tensor.
        surplus = max(0, sum(map(len, parts)) - self._length)
        first, *rest = parts
        return torch.cat([first[surplus:], *rest]) if rest else first
