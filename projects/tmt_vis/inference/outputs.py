"""Where the results of each video go, so that no video overwrites another's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tmt_vis.files import file_name
from tmt_vis.visualization import VIDEO_SUFFIXES, is_video_name

from .errors import InferenceError
from .writers import check_mask_folder


def check_free(path: Path, inputs: Iterable[Path], *, replace: bool) -> None:
    """Refuse a path that is taken.

    Args:
        path: The output.
        inputs: What is read; never overwritten.
        replace: Whether an output of an earlier run may be.

    Raises:
        InferenceError: If it is taken.
    """
    if path.resolve() in {taken.resolve() for taken in inputs}:
        raise InferenceError(f"{path} is an input; choose another output")
    if path.exists() and not replace:
        raise InferenceError(f"{path} exists; choose another output, or --overwrite")


@dataclass(frozen=True)
class VideoOutputs:
    """Output paths of one video; None where nothing is wanted."""

    video: Path | None
    masks: Path | None

    def check(self, inputs: Iterable[Path], *, replace: bool) -> None:
        """Refuse to overwrite what must stay.

        Args:
            inputs: Files and folders of the videos; never overwritten.
            replace: Whether outputs of an earlier run may be.

        Raises:
            InferenceError: If a path is taken.
        """
        inputs = list(inputs)
        for path in filter(None, (self.video, self.masks)):
            check_free(path, inputs, replace=replace)
        if self.masks is not None:
            check_mask_folder(self.masks)


@dataclass(frozen=True)
class OutputPlan:
    """Name the outputs of some videos after their inputs.

    Args:
        video: A file for a single video (:data:`VIDEO_SUFFIXES`, in any case), else a
            folder.
        json: ``*.json``, one file for all videos.
        masks: A folder, with a folder per video.

    Raises:
        InferenceError: If the JSON path has another ending, or the video one that is
            not written.
    """

    video: Path | None = None
    json: Path | None = None
    masks: Path | None = None

    def __post_init__(self) -> None:
        if self.json is not None and self.json.suffix.lower() != ".json":
            raise InferenceError(f"--out-json must end in .json, got {self.json}")
        if self.video is None or not is_video_name(self.video):
            return
        if self.video.suffix.lower() not in VIDEO_SUFFIXES:
            raise InferenceError(
                f"--out-video writes {', '.join(VIDEO_SUFFIXES)}, got {self.video}; "
                "write one of these, or name a folder"
            )
        if self.video.is_dir():
            raise InferenceError(
                f"{self.video} is a folder with the name of a video; choose another"
            )

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
        return self.video is not None and is_video_name(self.video)

    def per_video(self, names: Sequence[str]) -> list[VideoOutputs]:
        """Give each video its own paths; equal names get a number.

        Args:
            names: Names of the videos; what is no file name in them is replaced.

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
            for name in unique_names(names)
        ]

    def _video_path(self, name: str) -> Path | None:
        if self.video is None or self._is_file:
            return self.video
        return self.video / f"{name}.mp4"


def unique_names(names: Iterable[str]) -> list[str]:
    """Make file names, and append -2, -3, ... to those that were taken before.

    Args:
        names: Names of videos, in order.

    Returns:
        As many names, no two of which are one file on a disk that ignores case.
    """
    taken: set[str] = set()
    latest: dict[str, int] = {}  # of a name: 4,000 equal names took 11 s without
    unique = []
    for name in map(file_name, names):
        base = name.casefold()
        candidate, number = name, latest.get(base, 1)
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}-{number}"
        latest[base] = number
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique
