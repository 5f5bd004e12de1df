"""Frames in, window predictions out: memory is that of one window."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from tmt_vis.structures import ClipDataSample
from tmt_vis.typedefs import Size

from .feature_buffer import FeatureBuffer, FrameFeatures, join_features
from .linking import LinkOptions, TrackLinker
from .window_prediction import TrackState, WindowPrediction, WindowRequest
from .windows import Window, WindowPlan

Answer: TypeAlias = tuple[WindowPrediction | None, TrackState | None, WindowRequest]


class WindowHead(Protocol):
    """What the engine needs of a head, see ``tmt_vis.models.VideoHead``."""

    plan: WindowPlan | None
    aggregate: str

    def limit(self, label_space: str | None) -> int:
        """Return the objects kept per window."""

    def predict_window(
        self, pixels: FrameFeatures, request: WindowRequest, state: TrackState | None
    ) -> tuple[WindowPrediction | None, TrackState | None]:
        """Predict one window and say what the next one needs to know."""

    def finish_video(
        self, request: WindowRequest, state: TrackState | None
    ) -> WindowPrediction | None:
        """Say what only the end of the video tells; None: all was said."""


class VideoModel(Protocol):
    """What the engine needs of a detector."""

    head: WindowHead

    def chunk_length(self, size: Size) -> int:
        """Return how many frames pass :meth:`pixel_features` at a time."""

    def preprocess(
        self, clip: Tensor, sample: ClipDataSample
    ) -> tuple[Tensor, ClipDataSample]:
        """Normalise and pad frames (T, 3, h, w)."""

    def pixel_features(self, frames: Tensor) -> FrameFeatures:
        """Compute the features of frames (F, 3, H, W)."""

    def predict_precision(self) -> AbstractContextManager:
        """Return the context in which the model predicts."""


class VideoEngine:
    """Predict a video of any length window by window, with any head.

    Every frame passes backbone and pixel decoder once: the frames that two windows
    share keep their features. Nothing of a video is kept on the model: what a head
    remembers from window to window is handed through, so several videos, with
    different categories, can be predicted with one model at the same time.

    Args:
        model: The detector, on its device, in evaluation mode.
        label_space: Label space to predict.
        vocabulary: Holds the label space; None means the model's own vocabulary.
        plan: The windows; None takes the default. A head that was made for windows of
            its own has the last word.
        max_objects: Objects kept per window; None takes the head's limit.
        several_categories: Choose the objects as benchmarks do, which may keep fewer
            of them with several categories each.

    Raises:
        ValueError: If the head has windows of its own and ``plan`` asks for others.
    """

    def __init__(
        self,
        model: VideoModel,
        *,
        label_space: str,
        vocabulary: nn.Module | None = None,
        plan: WindowPlan | None = None,
        max_objects: int | None = None,
        several_categories: bool = False,
    ) -> None:
        self.model = model
        self.label_space = label_space
        self.vocabulary = vocabulary
        self.plan = choose_plan(model.head, plan)
        self.max_objects = max_objects or model.head.limit(
            None if vocabulary is not None else label_space
        )
        self.several_categories = several_categories

    def linker(self, options: LinkOptions | None = None) -> TrackLinker:
        """Return what links the windows of this engine."""
        return TrackLinker(options, aggregate=self.model.head.aggregate)

    def counted_windows(self, num_frames: int) -> int:
        """Return how many times ``max_objects`` tracks are kept of a whole video.

        A long video may hold more objects than a short one: once per window's worth of
        frames. A head with windows of its own keeps as many as of one window, whose
        length says nothing of the video then.
        """
        if self.model.head.plan is not None:
            return 1
        return -(-num_frames // self.plan.length)

    def run(
        self,
        frames: Iterable[Mapping[str, Any]],
        *,
        start: int = 0,
        done: int = 0,
        state: TrackState | None = None,
        num_frames: int | None = None,
        preprocessed: bool = False,
    ) -> Iterator[tuple[WindowPrediction, TrackState | None]]:
        """Predict window after window.

        Args:
            frames: Packed frames, ``inputs`` (1, 3, h, w) and ``data_samples``. Read
                when they are needed.
            start: Number of the first frame, a ``plan.restart_frame``.
            done: End of the last window that is finished already; those that follow
                are wanted.
            state: That came with the last finished window.
            num_frames: Frames of the video, if known. If one window holds them all,
                their features are not kept twice.
            preprocessed: The frames are normalised and padded already.

        Yields:
            One prediction per window, in order, and the state behind it; a head that
            needs the end of the video says all in a single one.
        """
        last = None
        for answer in self._windows(
            frames, start, done, state, num_frames, preprocessed
        ):
            prediction, state_behind, last = answer
            if prediction is not None:
                yield prediction, state_behind
        if last is None:
            return
        whole = replace(last, window=Window(0, last.window.stop))
        with torch.no_grad(), self.model.predict_precision():
            prediction = self.model.head.finish_video(whole, state_behind)
        if prediction is not None:
            yield prediction, None

    def _windows(
        self,
        frames: Iterable[Mapping[str, Any]],
        start: int,
        done: int,
        state: TrackState | None,
        num_frames: int | None,
        preprocessed: bool,
    ) -> Iterator[Answer]:
        chunks = self._chunks(frames, start, preprocessed)
        if num_frames is not None and num_frames <= self.plan.length:
            yield self._predict_whole(chunks, num_frames, state)
            return
        buffer, seen, last_sample = FeatureBuffer(self.plan.length), start, None
        for pixels, sample in chunks:
            buffer.add(pixels)
            seen, last_sample = seen + pixels.num_frames, sample
            if self.plan.ends_at(seen) and seen > done:
                answer = self._predict(buffer, sample, seen, done, state)
                done, state = seen, answer[1]
                yield answer
        if seen > done:
            yield self._predict(buffer, last_sample, seen, done, state)

    def _chunks(
        self, frames: Iterable[Mapping[str, Any]], seen: int, preprocessed: bool
    ) -> Iterator[tuple[FrameFeatures, ClipDataSample]]:
        """Yield features, chunk by chunk; no chunk lies in two windows."""
        pending: list[Mapping[str, Any]] = []
        for packed in frames:
            pending.append(packed)
            seen += 1
            chunk = self.model.chunk_length(packed["inputs"].shape[-2:])
            if self.plan.ends_at(seen) or len(pending) == chunk:
                yield self._pixel_features(pending, preprocessed)
                pending.clear()
        if pending:
            yield self._pixel_features(pending, preprocessed)

    @torch.no_grad()
    def _pixel_features(
        self, packed: Sequence[Mapping[str, Any]], preprocessed: bool
    ) -> tuple[FrameFeatures, ClipDataSample]:
        clip = torch.cat([frame["inputs"] for frame in packed])
        sample = packed[0]["data_samples"]
        if not preprocessed:
            clip, sample = self.model.preprocess(clip, sample)
        with self.model.predict_precision():
            return self.model.pixel_features(clip), sample

    def _predict_whole(
        self,
        chunks: Iterator[tuple[FrameFeatures, ClipDataSample]],
        num_frames: int,
        state: TrackState | None,
    ) -> Answer:
        samples = []

        def features() -> Iterator[FrameFeatures]:
            for pixels, sample in chunks:
                samples.append(sample)
                yield pixels

        pixels = join_features(features(), num_frames)
        return self._predict_window(pixels, samples[-1], num_frames, 0, state)

    def _predict(
        self,
        buffer: "FeatureBuffer",
        sample: ClipDataSample,
        stop: int,
        done: int,
        state: TrackState | None,
    ) -> Answer:
        window = self.plan.window(stop, done)
        pixels = buffer.latest(window.num_frames)
        return self._predict_window(pixels, sample, stop, done, state)

    @torch.no_grad()
    def _predict_window(
        self,
        pixels: FrameFeatures,
        sample: ClipDataSample,
        stop: int,
        done: int,
        state: TrackState | None,
    ) -> Answer:
        request = WindowRequest(
            window=self.plan.window(stop, done),
            sample=sample,
            label_space=self.label_space,
            max_objects=self.max_objects,
            several_categories=self.several_categories,
            vocabulary=self.vocabulary,
        )
        with self.model.predict_precision():
            answer = self.model.head.predict_window(pixels, request, state)
        return *answer, request


def choose_plan(head: WindowHead, plan: WindowPlan | None) -> WindowPlan:
    """Return the windows for a head.

    Args:
        head: May have windows of its own.
        plan: That somebody asks for; None: whatever suits.

    Raises:
        ValueError: If both are there and differ.
    """
    if head.plan is None:
        return plan or WindowPlan()
    if plan is not None and plan != head.plan:
        raise ValueError(
            f"{type(head).__name__} was made for {head.plan}, got {plan}; leave the "
            "windows to it, or change the config of the head"
        )
    return head.plan
