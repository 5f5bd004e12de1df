"""What an export is asked for, and what it counted on the way."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..findings import Findings
from .keyframes import Outlined
from .tracks_file import ExportVideo, TrackFile

SHAPES = ("polygon", "mask")


@dataclass
class ExportJob:
    """Tracks to be written, and the counts that are reported afterwards.

    Args:
        tracks: What is written.
        out: The folder that is made.
        shape: ``polygon`` or ``mask``, for tools that know both.
        min_iou: Least IoU of a polygon and its mask, in [0, 1].
        findings: What could not be kept is counted here.
        progress: Called before each video.
    """

    tracks: TrackFile
    out: Path
    shape: str = "polygon"
    min_iou: float = 0.98
    findings: Findings = field(default_factory=Findings)
    progress: Callable[[ExportVideo], None] = lambda video: None
    keyframes: int = 0
    outlined_masks: int = 0
    least_iou: float = 1.0

    def videos(self) -> Iterator[ExportVideo]:
        """Yield the videos one by one."""
        for video in self.tracks.videos:
            self.progress(video)
            yield video

    def count(self, result: Outlined) -> None:
        """Count the polygons of one track."""
        self.keyframes += len(result.keyframes)
        self.outlined_masks += result.num_masks
        self.least_iou = min(self.least_iou, result.least_iou)
