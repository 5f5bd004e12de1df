"""The checked entries of an annotation file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tmt_vis.annotations import VideoCategories


@dataclass(frozen=True)
class VideoEntry:
    """One entry of ``videos``.

    ``length`` is the number of files, whatever the file's own ``length`` says (UVO's
    differs for some videos); ``declared_length`` keeps that one. If only some of the
    ``listed`` files are used, ``frames`` holds their positions.
    """

    video_id: int
    name: str
    height: int
    width: int
    file_names: tuple[str, ...]
    declared_length: int
    categories: VideoCategories = VideoCategories()
    frames: tuple[int, ...] | None = None
    listed: int | None = None

    @property
    def length(self) -> int:
        return len(self.file_names)

    @property
    def num_files(self) -> int:
        """Number of files that the entry lists."""
        return len(self.file_names) if self.listed is None else self.listed


@dataclass(frozen=True)
class InstanceEntry:
    """One entry of ``annotations``: an instance over all frames of its video."""

    source_id: int
    slot: int
    is_ignored: bool
    segmentations: Sequence[Any]
