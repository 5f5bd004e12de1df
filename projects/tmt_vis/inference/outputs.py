"""Where the results of each video go, so that no video overwrites another's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import InferenceError

_VIDEO_SUFFIXES = (".mp4", ".gif")


@dataclass(frozen=True)
class VideoOutputs:
    """Output paths of one video; None where nothing is wanted."""

    video: Path | None
    masks: Path | None

    def existing(self) -> list[Path]:
        """List the paths that are taken."""
        return [path for path in (self.video, self.masks) if path and path.exists()]


@dataclass(frozen=True)
class OutputPlan:
    """Name the outputs of some videos after their inputs.

    Args:
        video: ``*.mp4`` or ``*.gif`` for a single video, else a folder.
        json: ``*.json``, one file for all videos.
        masks: A folder, with a folder per video.

    Raises:
        InferenceError: If the JSON path has another ending.
    """

    video: Path | None = None
    json: Path | None = None
    masks: Path | None = None

    def __post_init__(self) -> None:
        if self.json is not None and self.json.suffix != ".json":
            raise InferenceError(f"--out-json must end in .json, got {self.json}")

    @property
    def folder(self) -> Path | None:
        """Where files that are only needed for a while may lie; None without output."""
        if self.json is not None:
            return self.json.parent
        if self.video is not None:
            return self.video.parent if self._is_file else self.video
        return self.masks

    @property
    def _is_file(self) -> bool:
        return self.video is not None and self.video.suffix in _VIDEO_SUFFIXES

    def per_video(self, names: Sequence[str]) -> list[VideoOutputs]:
        """Give each video its own paths; equal names get a number.

        Args:
            names: Names of the videos.

        Raises:
            InferenceError: If several videos should go into one file.
        """
        if self._is_file and len(names) > 1:
            raise InferenceError(
                f"{self.video} cannot hold {len(names)} videos; give a folder"
            )
        return [
            VideoOutputs(
                video=self._video_path(name),
                masks=None if self.masks is None else self.masks / name,
            )
            for name in _unique(names)
        ]

    def _video_path(self, name: str) -> Path | None:
        if self.video is None or self._is_file:
            return self.video
        return self.video / f"{name}.mp4"


def _unique(names: Sequence[str]) -> list[str]:
    """Append -2, -3, ... to names that were taken before."""
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name}-{number}"
        taken.add(candidate)
        unique.append(candidate)
    return unique
