"""What every worker of a run is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmt_vis.streaming import WindowPlan

from ..inferencer import VISInferencer
from ..video_task import VideoTask
from .listing import ListedVideo


@dataclass(frozen=True, kw_only=True)
class ManyVideosRequest:
    """Options of a run on many videos; plain values, which travel between processes.

    Args:
        out: Folder of the results.
        config: Config file, or the name of a released model.
        checkpoint: Path or URL of weights; None takes those of the name.
        device: Where a worker computes; None takes the GPU if there is one.
        cfg_options: Changes of the config.
        windows: Frames seen together; None leaves them to the model.
        max_objects: Objects kept per window; None takes those of the config.
        several_categories: Report all good categories of an object.
        max_iou: Drop objects that overlap a better one by more; None keeps all.
        dtype: ``bfloat16``; None takes that of the config.
        label_space: Whose categories are looked for; None takes the first.
        vocabulary: Names, or a label-space file, to look for instead.
        score_thr: Least score of a track.
        max_frames: Frames of each video that are looked at; None means all.
        fps: Frames per second of videos that do not say it.
        draw: Also write each video with its tracks drawn on it.
        masks: Also write index images.
        threads: CPU threads of a worker; None leaves them as they are.
    """

    out: Path
    config: str
    checkpoint: str | None = None
    device: str | None = None
    cfg_options: Mapping[str, Any] | None = None
    windows: WindowPlan | None = None
    max_objects: int | None = None
    several_categories: bool = False
    max_iou: float | None = None
    dtype: str | None = None
    label_space: str | None = None
    vocabulary: str | None = None
    score_thr: float = 0.3
    max_frames: int | None = None
    fps: float | None = None
    draw: bool = False
    masks: bool = False
    threads: int | None = None

    def inferencer(self) -> VISInferencer:
        """Load the model."""
        return VISInferencer(
            self.config,
            self.checkpoint,
            self.device,
            cfg_options=self.cfg_options,
            windows=self.windows,
            max_objects=self.max_objects,
            several_categories=self.several_categories,
            max_iou=self.max_iou,
            dtype=self.dtype,
        )

    def options(self) -> dict[str, Any]:
        """List what results depend on, besides model and categories."""
        names = ("score_thr", "max_frames", "fps", "draw", "masks")
        return {name: getattr(self, name) for name in names}

    def identity(self, find: VISInferencer) -> dict[str, Any]:
        """Describe the model and the categories that are looked for."""
        return find.identity(label_space=self.label_space, vocabulary=self.vocabulary)

    def task(self, find: VISInferencer, video: ListedVideo, work: Path) -> VideoTask:
        """Open a video; finished windows are kept in ``work``.

        Raises:
            FrameSourceError: If it cannot be read.
        """
        return find.task(
            find.open(video.path, label_space=self.label_space, fps=self.fps),
            label_space=self.label_space,
            vocabulary=self.vocabulary,
            score_thr=self.score_thr,
            max_frames=self.max_frames,
            partial_dir=work,
        )
