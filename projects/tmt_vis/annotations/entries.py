"""The checked entries of an annotation file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .video_categories import VideoCategories


@dataclass(frozen=True)
class VideoEntry:
    """One entry of ``videos``.

    ``length`` is the number of files, whatever the file's own ``length`` says (UVO's
    differs for some videos); ``declared_length`` keeps that one. If only some of the
    ``listed`` files are used, ``frames`` holds their positions. Without
    ``file_names``, which only evaluation accepts, ``declared_length`` counts. Where the
    files are some frames of a longer video (BURST), ``sampled_frames`` are their
    positions among its ``sampled_from`` frames.
    """

    video_id: int
    name: str
    height: int
    width: int
    file_names: tuple[str, ...]
    declared_length: int
    categories: VideoCategories = VideoCategories()
    sampled_frames: tuple[int, ...] | None = None
    sampled_from: int | None = None
    frames: tuple[int, ...] | None = None
    listed: int | None = None

    @property
    def length(self) -> int:
        """Frames that are used."""
        if self.frames is not None:
            return len(self.frames)
        return len(self.file_names) or self.declared_length

    @property
    def num_files(self) -> int:
        """Frames that the entry lists."""
        return self.length if self.listed is None else self.listed

    def frames_used(self, num_frames: int) -> tuple[int, ...] | None:
        """Return which frames of a result that has more are meant, or None.

        Args:
            num_frames: Frames of the result.
        """
        if self.frames is not None and num_frames == self.num_files:
            return self.frames
        return self.sampled_frames if num_frames == self.sampled_from else None


@dataclass(frozen=True)
class InstanceEntry:
    """One entry of ``annotations``: an instance over all frames of its video.

    ``is_crowd`` is ``iscrowd``, which evaluation reads; ``is_ignored`` is that or
    ``ignore``, neither of which is trained on.
    """

    source_id: int
    slot: int
    is_crowd: bool
    is_ignored: bool
    segmentations: Sequence[Any]
    occlusion: Any = None
