"""Annotations addressed per (video, frame), in numpy arrays shared by all workers."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tmt_vis.annotations import AnnotationFile, InstanceEntry, VideoEntry

from . import segmentation
from .record_store import RecordStore


class VideoInfo(NamedTuple):
    """Facts of one video; H and W in pixels, ``length`` in frames.

    ``known_slots`` are the categories known to be there or not; None = all.
    ``incomplete_slots`` are those of which objects were left out.
    """

    video_id: int
    name: str
    height: int
    width: int
    length: int
    known_slots: tuple[int, ...] | None = None
    incomplete_slots: tuple[int, ...] = ()


class FrameInstance(NamedTuple):
    """One instance in one frame; ``counts`` is its compressed RLE."""

    source_id: int
    slot: int
    is_ignored: bool
    counts: bytes


class FrameRecord(NamedTuple):
    """One frame: its file and the instances present in it."""

    file_name: str
    instances: tuple[FrameInstance, ...]


class AnnotationIndex:
    """Answer questions about single frames without touching the rest of the video.

    ``BaseDataset`` unpickles a whole video per sample (2.5 ms for 500 frames); this
    index unpickles the frames asked for. Masks are the only truth about presence: a
    frame's ``bboxes`` and ``areas`` entries are not read, boxes come from the masks.

    Args:
        file: The checked annotation file; it is used up.
        num_slots: Size of the label space.

    Attributes:
        visible: (F,) bool over the frames of all videos, whether a usable instance
            (not crowd, mask not empty) is there.
        instances_per_slot: (num_slots,) usable instances of each category.
        counts: Occurrences of what was met: ``ignored`` instances, ``empty`` instances
            (no pixel in any frame), ``unmapped`` instances (of a category that is left
            out), ``length_differs`` videos.
    """

    def __init__(self, file: AnnotationFile, *, num_slots: int) -> None:
        self.counts: Counter[str] = Counter()
        self.instances_per_slot = np.zeros(num_slots, dtype=np.int64)
        if file.unmapped:
            self.counts["unmapped"] = file.unmapped
        videos = file.videos
        lengths = [video.length for video in videos]
        self._first_frame = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self.visible = np.zeros(self._first_frame[-1], dtype=bool)
        present: list[set[int]] = [set() for _ in videos]
        self._frames = RecordStore(self._iterate_frames(file, present))
        self._videos = RecordStore(map(_video_info, videos, present))

    def __len__(self) -> int:
        return len(self._videos)

    @property
    def nbytes(self) -> int:
        """Memory of the index in bytes."""
        arrays = self._first_frame.nbytes + self.visible.nbytes
        return self._videos.nbytes + self._frames.nbytes + arrays

    def video(self, row: int) -> VideoInfo:
        """Return the facts of a video by its row in the file."""
        return VideoInfo(*self._videos[row])

    def frame(self, row: int, frame_id: int) -> FrameRecord:
        """Load one frame of a video.

        Args:
            row: Row of the video in the file.
            frame_id: Frame number, in [0, length).
        """
        first, end = self._first_frame[row : row + 2]
        if not 0 <= frame_id < end - first:
            raise IndexError(f"frame {frame_id} of a video of {end - first} frames")
        file_name, instances = self._frames[int(first) + frame_id]
        return FrameRecord(file_name, tuple(FrameInstance(*item) for item in instances))

    def visible_in(self, row: int) -> np.ndarray:
        """Return (length,) bool, whether a usable instance is visible per frame."""
        return self.visible[self._first_frame[row] : self._first_frame[row + 1]]

    def rows_with_instances(self) -> np.ndarray:
        """Return the rows of the videos with a usable instance, ascending."""
        starts = self._first_frame[:-1]
        if not len(starts):
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(np.logical_or.reduceat(self.visible, starts))

    def _iterate_frames(
        self, file: AnnotationFile, present: list[set[int]]
    ) -> Iterator[tuple]:
        for row, video in enumerate(file.videos):
            self.counts["length_differs"] += video.num_files != video.declared_length
            frames: list[list[tuple]] = [[] for _ in video.file_names]
            for instance in file.instances(video):
                present[row].add(instance.slot)
                self._add_instance(file, instance, video, frames, self.visible_in(row))
            for file_name, instances in zip(video.file_names, frames, strict=True):
                yield file_name, tuple(instances)

    def _add_instance(
        self,
        file: AnnotationFile,
        instance: InstanceEntry,
        video: VideoEntry,
        frames: list[list[tuple]],
        visible: np.ndarray,
    ) -> None:
        masks = dict(file.masks(instance, video))
        area = self._checked_areas(file, instance, video, masks)
        shown = [t for t, pixels in zip(masks, area, strict=True) if pixels > 0]
        head = (instance.source_id, instance.slot, instance.is_ignored)
        for frame_id in shown:
            frames[frame_id].append((*head, masks[frame_id]))
        if instance.is_ignored:
            self.counts["ignored"] += 1
        elif shown:
            visible[shown] = True
            self.instances_per_slot[instance.slot] += 1
        else:
            self.counts["empty"] += 1

    def _checked_areas(
        self,
        file: AnnotationFile,
        instance: InstanceEntry,
        video: VideoEntry,
        masks: dict[int, bytes],
    ) -> np.ndarray:
        size = dict(height=video.height, width=video.width)
        if all(type(item) is list for item in instance.segmentations if item):
            # Polygons were rasterised here, so their runs need no check, which costs
            # 0.1 ms a call: more than a minute for the 860,000 instances of COCO.
            return segmentation.areas(list(masks.values()), **size)
        try:
            area = segmentation.checked_areas(list(masks.values()), **size)
        except ValueError as error:
            raise file.mask_error(instance, video, None, str(error)) from error
        for frame_id, pixels in zip(masks, area, strict=True):
            if pixels < 0:
                why = f"its runs do not add up to {video.height} x {video.width} pixels"
                raise file.mask_error(instance, video, frame_id, why)
        return area


def _video_info(video: VideoEntry, present: set[int]) -> tuple:
    known = video.categories.known(present)
    facts = (video.video_id, video.name, video.height, video.width, video.length)
    return (*facts, known, tuple(sorted(video.categories.not_exhaustive)))
