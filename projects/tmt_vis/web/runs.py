"""A video that was predicted for a visitor: what is shown of it, and corrected."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tmt_vis.inference import (
    Track,
    VideoResult,
    VideoTask,
    VISInferencer,
    write_rendering,
)

from .edits import Edits
from .errors import WebError
from .jobs import Job
from .limits import Limits

_TOLERANCE = 0.75  # pixels that an outline may deviate from its mask


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a visitor asks about a video.

    Args:
        model: Title of the model.
        label_space: Whose categories to look for; None: ``words``.
        words: Names to look for; None: those of the label space.
        score_thr: Least score of a track.
    """

    model: str
    label_space: str | None = None
    words: tuple[str, ...] | None = None
    score_thr: float = 0.3

    @property
    def what(self) -> str:
        """What is looked for, in words."""
        return ", ".join(self.words) if self.words else self.label_space or ""


class Run:
    """A finished prediction.

    Args:
        question: What was asked.
        task: That answered it; knows the video.
        result: The answer.
        folder: New folder for its files.

    Attributes:
        token: Names it in addresses; cannot be guessed.
        edits: The visitor's corrections.
    """

    def __init__(
        self, question: Question, task: VideoTask, result: VideoResult, folder: Path
    ) -> None:
        self.token = secrets.token_urlsafe(16)
        self.question, self.edits = question, Edits()
        self.label_space = task.label_space
        self.folder = folder
        self._source, self._predicted = task.source, result
        self._version = 0
        self._drawing = threading.Lock()

    @property
    def result(self) -> VideoResult:
        """The result with the visitor's corrections."""
        return self.edits.apply(self._predicted, self.label_space)

    @property
    def video(self) -> Path:
        """The latest drawing; every correction makes a file of another name."""
        return self.folder / f"tracks-{self._version}.mp4"

    def track(self, track_id: int) -> Track:
        """Find a track that is not dropped.

        Raises:
            WebError: If there is none.
        """
        for track in self.result.tracks:
            if track.id == track_id:
                return track
        raise WebError(f"there is no track {track_id}; it may have been dropped")

    def draw(self, progress: Callable[[int], None]) -> None:
        """Draw the tracks into a new video and remove the one before.

        Args:
            progress: Called with the number of frames drawn.

        Raises:
            WebError: If the visitor has gone, and the folder with it.
        """
        with self._drawing:
            if not self.folder.is_dir():
                raise WebError("this page was closed; reload it")
            before = self.video
            after = self.folder / f"tracks-{self._version + 1}.mp4"
            write_rendering(
                after, self.result, self._source, legend=False, progress=progress
            )
            self._version += 1
            before.unlink(missing_ok=True)

    def outlines(self, track_id: int) -> list[list[list[int]]]:
        """Return the outlines of a track.

        Returns:
            For each frame its polygons, each ``[x, y, x, y, ...]`` in pixels; holes are
            polygons, too.
        """
        return [outline_polygons(mask) for mask in self.track(track_id).tube.decode()]


def predict(
    job: Job,
    find: VISInferencer,
    question: Question,
    video: Path,
    folder: Path,
    limits: Limits,
) -> Run:
    """Answer a question about a video, and draw the answer.

    Args:
        job: Progress is reported to it.
        find: The model.
        question: What is asked.
        video: The file.
        folder: New folder for what is written.
        limits: The length is checked while frames come: files may not know it.

    Raises:
        WebError: If the video is too long.
        InferenceError: If the question cannot be answered.
    """
    task = find.task(
        video,
        label_space=question.label_space,
        vocabulary=list(question.words) if question.words is not None else None,
        score_thr=question.score_thr,
    )
    limits.check_frames(task.source)

    def count(done: int, expected: int | None) -> None:
        limits.check_length(done, task.source.fps)
        job.count(done, expected)

    job.begin("Finding objects", task.source.num_frames)
    result = task.run(progress=count)
    folder.mkdir(parents=True)
    run = Run(question, task, result, folder)
    job.begin("Drawing", result.num_frames)
    run.draw(lambda done: job.count(done, result.num_frames))
    return run


def outline_polygons(mask: np.ndarray) -> list[list[int]]:
    """Return the outlines of a mask, those of its holes, too.

    Args:
        mask: (H, W) bool.

    Returns:
        Polygons ``[x, y, x, y, ...]`` through the outermost pixels, to be filled by
        the even-odd rule.
    """
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    thinned = (cv2.approxPolyDP(c, _TOLERANCE, closed=True) for c in contours)
    return [polygon.reshape(-1).tolist() for polygon in thinned]
