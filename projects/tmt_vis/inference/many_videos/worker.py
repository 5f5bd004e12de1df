"""One model that takes one video after the other."""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

import torch
from mmengine.logging import MMLogger

from tmt_vis.command_line import describe_error
from tmt_vis.files import HeldError

from ..errors import FrameSourceError, InferenceError
from ..writers import write_masks, write_rendering
from .listing import ListedVideo
from .manifest import agree, make_manifest
from .request import ManyVideosRequest
from .results_folder import ResultsFolder

_MOST_SURPRISES = 10  # in a row, before it is not the videos


class Outcome(Enum):
    """What became of a video."""

    PREDICTED = "predicted"
    FOUND = "already there"
    FAILED = "failed"
    HELD = "held"  # another worker works on it


class VideoWorker:
    """Predict videos into a folder that other workers share.

    Each video is claimed while it is predicted. A worker that dies gives up its claim,
    and the next one that takes the video goes on behind its last finished window.

    Args:
        request: What is asked.
        videos: All videos of the run, for the manifest.

    Raises:
        InferenceError: If the folder belongs to another run, or the request cannot be
            answered.
    """

    def __init__(
        self, request: ManyVideosRequest, videos: Sequence[ListedVideo]
    ) -> None:
        if request.threads is not None:
            torch.set_num_threads(request.threads)
        self.request = request
        self.folder = ResultsFolder(request.out)
        self.find = request.inferencer()
        identity = request.identity(self.find)
        agree(request.out, make_manifest(videos, request.options(), identity))
        self._surprises = 0

    def take(self, video: ListedVideo) -> Outcome:
        """Predict a video, unless it is done or another worker has it.

        Raises:
            OSError: If a result cannot be written: every other video would fail, too.
            InferenceError: If one video after the other fails for reasons that are not
                its own.
        """
        if self.folder.is_done(video):
            self.folder.remove_work(video)
            return Outcome.FOUND
        try:
            with self.folder.claim(video):
                if self.folder.is_done(video):  # meanwhile
                    return Outcome.FOUND
                return self._predict(video)
        except HeldError:
            return Outcome.HELD

    def _predict(self, video: ListedVideo) -> Outcome:
        try:
            self._write(video)
        except FrameSourceError as error:
            self._surprises = 0
            return self._failed(video, error)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - noted, and bounded
            self._surprises += 1
            outcome = self._failed(video, error)
            if self._surprises == _MOST_SURPRISES:
                raise InferenceError(
                    f"{_MOST_SURPRISES} videos in a row failed, which is not their "
                    f"fault; the last: {describe_error(error)}. "
                    f"{self.folder.failures_path} has the others"
                ) from error
            return outcome
        self._surprises = 0
        return Outcome.PREDICTED

    def _write(self, video: ListedVideo) -> None:
        work = self.folder.work_path(video)
        task = self.request.task(self.find, video, work)
        result = replace(task.run(resume=True), name=video.name)
        if self.request.masks:
            write_masks(self.folder.masks_path(video), result)
        if self.request.draw:
            write_rendering(self.folder.drawn_path(video), result, task.source)
        self.folder.write_result(video, result)  # last: from here on it is done
        self.folder.remove_work(video)

    def _failed(self, video: ListedVideo, error: Exception) -> Outcome:
        reason = describe_error(error)
        MMLogger.get_current_instance().error(f"{video.name}: {reason}")
        self.folder.note_failure(video, reason)
        return Outcome.FAILED
