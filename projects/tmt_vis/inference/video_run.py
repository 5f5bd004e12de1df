"""The windows of one video: those an interrupted run left, then new ones."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

import numpy as np
from torch import nn

from .frame_sources import FrameSource
from .partial_results import PartialResults, StoredRun
from .preparation import FramePreparation
from .video_engine import VideoInferenceEngine
from .window_prediction import WindowPrediction

Progress: TypeAlias = Callable[[int, "int | None"], None]


class VideoRun:
    """Predict one video, window by window, and remember what is finished.

    Args:
        engine: Predicts.
        prepare: Makes model inputs of frames.
        source: Gives the frames.
        max_frames: Frames that are looked at; None means all.
        partial: Where finished windows are kept; None keeps none.
        resume: Go on where ``partial`` ends, instead of starting anew.
        progress: Called after each frame with frames read and frames expected.
    """

    def __init__(
        self,
        *,
        engine: VideoInferenceEngine,
        prepare: FramePreparation,
        source: FrameSource,
        max_frames: int | None = None,
        partial: PartialResults | None = None,
        resume: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self._engine = engine
        self._prepare = prepare
        self._source = source
        self._max_frames = max_frames
        self._partial = partial
        self._resume = resume
        self._progress = progress
        # Why the video could not be read to its end; known after the last window.
        self.truncated: str | None = None

    def windows(self) -> Iterator[WindowPrediction]:
        """Yield all windows of the video in order."""
        partial = self._partial
        if partial is None:
            yield from self._compute(())
            self.truncated = self._source.truncated
            return
        stored = partial.read() if self._resume else StoredRun()
        partial.begin(stored)
        yield from stored.windows
        if stored.end is not None:
            self.truncated = stored.end["truncated"]
            return
        for prediction in self._compute(stored.windows):
            partial.append(prediction)
            yield prediction
        self.truncated = self._source.truncated
        partial.end({"truncated": self.truncated})

    def _compute(self, done: Sequence[WindowPrediction]) -> Iterator[WindowPrediction]:
        start = self._engine.plan.restart_frame(len(done))
        frames = self._prepare(
            self._frames(start), name=self._source.name, start=start
        )
        until = done[-1].window.stop if done else 0
        yield from self._engine.run(frames, start=start, done_until=until)

    def _frames(self, start: int) -> Iterator[np.ndarray]:
        limit, expected = self._max_frames, self._source.num_frames
        if limit is not None:
            expected = limit if expected is None else min(limit, expected)
        count = None if limit is None else max(0, limit - start)
        frames = islice(self._source.frames(start), count)
        for number, frame in enumerate(frames, start + 1):
            yield frame
            if self._progress is not None:
                self._progress(number, expected)


def digest_of_state(module: nn.Module) -> str:
    """Hash the weights and buffers of a module (about a second per 500 MB).

    Args:
        module: The module, on any device.

    Returns:
        SHA-256 in hex.
    """
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
    return digest.hexdigest()
