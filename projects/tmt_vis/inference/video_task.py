"""One video with all that is needed to predict it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

import numpy as np

from tmt_vis.streaming import (
    LinkOptions,
    TrackState,
    VideoEngine,
    WindowPrediction,
)
from tmt_vis.taxonomy import LabelSpace, Taxonomy

from .errors import InferenceError
from .frame_sources import FrameSource
from .partial_results import PartialResults, StoredRun
from .preparation import FramePreparation
from .results import TrackSelection, VideoResult, compiled_categories, select_tracks

Progress: TypeAlias = Callable[[int, int | None], None]


@dataclass(frozen=True, kw_only=True)
class VideoTask:
    """Predict one video, window by window, and remember what is finished.

    Args:
        source: Gives the frames.
        label_space: The categories that are predicted.
        taxonomy: Names the compiled categories.
        engine: Predicts windows.
        prepare: Makes model inputs of frames.
        link: When the objects of two windows are the same.
        selection: Which objects are reported.
        max_frames: Frames that are looked at; None means all.
        partial: Where finished windows are kept; None keeps none.
    """

    source: FrameSource
    label_space: LabelSpace
    taxonomy: Taxonomy
    engine: VideoEngine
    prepare: FramePreparation
    selection: TrackSelection
    link: LinkOptions = field(default_factory=LinkOptions)
    max_frames: int | None = None
    partial: PartialResults | None = None

    def __post_init__(self) -> None:
        if self.max_frames is not None and self.max_frames < 1:
            raise InferenceError(
                f"max_frames must be >= 1, or None for all, got {self.max_frames}"
            )

    def run(
        self, *, resume: bool = False, progress: Progress | None = None
    ) -> VideoResult:
        """Predict the video.

        Args:
            resume: Go on where the run that left ``partial`` ended.
            progress: Called with frames read and frames expected, after each frame and
                each stored window of the run that goes on.

        Returns:
            The result.

        Raises:
            FrameSourceError: If the video cannot be read.
        """
        linker, compiled, num_frames = self.engine.linker(self.link), {}, 0
        for prediction in self._windows(resume, progress):
            linker.add(prediction)
            for union_id, score in prediction.compiled:
                compiled[union_id] = max(score, compiled.get(union_id, 0.0))
            num_frames = prediction.window.stop
        timing = self.source.timing(num_frames)
        return VideoResult(
            name=self.source.name,
            label_space=self.label_space.name,
            tracks=select_tracks(
                linker.finish(),
                self.label_space,
                self.selection,
                num_windows=self.engine.counted_windows(num_frames),
            ),
            taxonomy=compiled_categories(compiled, self.taxonomy),
            height=self.source.height,
            width=self.source.width,
            fps=timing.fps,
            num_frames=num_frames,
            truncated=self.source.truncated,
            frame_times=timing.times,
        )

    def _windows(
        self, resume: bool, progress: Progress | None
    ) -> Iterator[WindowPrediction]:
        """Yield all windows of the video: first what is stored, then new ones."""
        partial = self.partial
        if partial is None:
            for prediction, _ in self._compute(StoredRun(), progress):
                yield prediction
            return
        stored = StoredRun()
        if resume:
            stored = partial.read(self.engine.plan, progress=self._read_from(progress))
        partial.begin(stored)
        yield from stored.windows
        if stored.end is not None:
            self.source.restore_end(stored.end)
            return
        for prediction, state in self._compute(stored, progress):
            partial.append(prediction, state)
            yield prediction
        partial.end(self.source.end_facts())

    def _read_from(
        self, progress: Progress | None
    ) -> Callable[[WindowPrediction], None]:
        """Count the frames of stored windows: reading an hour of them takes a while."""

        def count(prediction: WindowPrediction) -> None:
            if progress is not None:
                progress(prediction.window.stop, self._expected_frames())

        return count

    def _compute(
        self, stored: StoredRun, progress: Progress | None
    ) -> Iterator[tuple[WindowPrediction, TrackState | None]]:
        windows = stored.windows
        start = self.engine.plan.restart_frame(len(windows))
        frames = self._frames(start, progress)
        packed = self.prepare(frames, name=self.source.name, start=start)
        done = windows[-1].window.stop if windows else 0
        yield from self.engine.run(packed, start=start, done=done, state=stored.state)

    def _frames(self, start: int, progress: Progress | None) -> Iterator[np.ndarray]:
        limit, expected = self.max_frames, self._expected_frames()
        left = None if limit is None else max(0, limit - start)
        frames = islice(self.source.frames(start), left)
        for number, frame in enumerate(frames, start + 1):
            yield frame
            if progress is not None:
                progress(number, expected)

    def _expected_frames(self) -> int | None:
        counts = (self.max_frames, self.source.num_frames)
        return min((count for count in counts if count is not None), default=None)
