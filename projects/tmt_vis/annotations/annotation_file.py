"""The native annotation files of all video data sets: read and check.

Training, evaluation, the checker and the converters read with these rules.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tmt_vis.structures import compress_segmentation
from tmt_vis.structures.run_lengths import MAX_COCO_RUN
from tmt_vis.taxonomy import LabelSpace

from .entries import InstanceEntry, VideoEntry
from .errors import AnnotationError
from .file_categories import FileCategories
from .frames import annotated_frames, is_absent, segmentations_of
from .reading import read_annotations
from .values import read_flag, read_id, read_size, shorten, with_slashes
from .video_categories import VideoCategories


class AnnotationFile:
    """Check an annotation file and iterate over its videos.

    Args:
        path: The JSON file, any mmengine file backend.
        label_space: Label space its categories belong to. Categories are matched by
            name; neither their order in the file nor their ids matter. None means the
            file's own categories, whose names nothing is matched with.
        with_gt: Read ``annotations``. Without, they may be missing or null, as in the
            public files of the evaluation servers.
        segmentation_key: Name of the list of masks in each annotation; HQ-YTVIS has
            ``segmentations_refined`` as well.
        annotated_frames_only: Leave out frames in which no object has a mask, for
            files annotated at some frames only.
        category_map: Name in the label space of each category of the file that is
            read; several may have one name, and objects of all others are left out
            (``unmapped`` counts them). None reads all, which then have to be in the
            label space.
        files_needed: Every video lists its files. Evaluation does not open them, so
            there ``length`` is enough.
        all_frames: BURST: videos hold the frames between the annotated ones too, where
            no object has a mask.
        backend_args: mmengine file backend options.

    Attributes:
        videos: The entries of ``videos``.
        is_burst: Whether it has the layout of BURST.
        is_withheld: Whether the file has no annotations, as those of servers.

    Raises:
        AnnotationError: If the file breaks a rule of the format.
    """

    _remedy = "use the native file, not a converted one (images: ImageDataset)"

    def __init__(
        self,
        path: str,
        label_space: LabelSpace | None,
        *,
        with_gt: bool = True,
        segmentation_key: str = "segmentations",
        annotated_frames_only: bool = False,
        category_map: Mapping[str, str] | None = None,
        files_needed: bool = True,
        all_frames: bool = False,
        backend_args: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.unmapped = 0
        self._segmentation_key = segmentation_key
        self._files_needed = files_needed
        self._all_frames = all_frames
        data = self._load(backend_args)
        self.is_burst = "merged_category_ids" in data
        self.is_withheld = not self._rows(data, "annotations")
        self._categories = self._match(data, label_space, category_map)
        self.videos = self._read_videos(data)
        with_entries = with_gt or annotated_frames_only
        grouped = self._group_annotations(data) if with_entries else {}
        if annotated_frames_only and grouped:  # withheld annotations hide nothing
            self.videos = self._only_annotated(grouped)
        self._annotations = grouped if with_gt else {}
        self._left = {video.video_id for video in self.videos}

    @property
    def label_space(self) -> LabelSpace:
        """The label space that was given, or that of the file."""
        return self._categories.label_space

    @property
    def slot_of_category(self) -> Mapping[int, int]:
        """Category id in the file -> slot."""
        return self._categories.slot_of_category

    @property
    def merged_slots(self) -> Mapping[int, int]:
        """Slot -> slot that it is counted as in evaluation (TAO's ``merged``)."""
        return self._categories.merged_slots

    def instances(self, video: VideoEntry) -> Iterator[InstanceEntry]:
        """Yield the instances of one video in file order, once.

        They are released as they are read, so that a file and what is made of it are
        never in memory both.

        Args:
            video: One of ``videos``.

        Yields:
            Instances; their ``segmentations`` have one entry per frame.

        Raises:
            AnnotationError: If an entry is malformed.
            RuntimeError: If they were read before.
        """
        if video.video_id not in self._left:
            raise RuntimeError(
                f"the instances of video_id={video.video_id} were read before; open "
                f"{self.path} again"
            )
        self._left.discard(video.video_id)
        seen: set[int] = set()
        entries = self._annotations.pop(video.video_id, [])
        entries.reverse()
        while entries:
            entry = entries.pop()
            instance = self._read_instance(entry, video)
            if instance.source_id in seen:
                raise self._error(
                    _place(instance.source_id, video),
                    "instance ids must be unique within a video, this one is not",
                    "give every instance of the video its own id",
                )
            seen.add(instance.source_id)
            yield instance

    def masks(
        self, instance: InstanceEntry, video: VideoEntry
    ) -> Iterator[tuple[int, bytes]]:
        """Yield the frames in which an instance has a mask, and its compressed counts.

        Only null and ``[]`` mean that it is absent. Run lengths of counts that are
        compressed in the file are not looked at.

        Raises:
            AnnotationError: If a mask is of no known form or of another size.
        """
        for frame, item in enumerate(instance.segmentations):
            if is_absent(item):
                continue
            try:
                counts = compress_segmentation(
                    item, height=video.height, width=video.width
                )
            except (ValueError, TypeError) as error:
                raise self.mask_error(instance, video, frame, str(error)) from error
            yield frame, counts

    def mask_error(
        self, instance: InstanceEntry, video: VideoEntry, frame: int | None, why: str
    ) -> AnnotationError:
        """Return the error of a broken mask; ``frame`` None means some frame."""
        return self._error(
            _place(instance.source_id, video, frame),
            f"broken segmentation: {why}",
            "repair the entry or set it to null",
        )

    def entry_error(
        self, instance: InstanceEntry, video: VideoEntry, why: str
    ) -> AnnotationError:
        """Return the error of a field of an instance."""
        return self._error(_place(instance.source_id, video), why, "correct it")

    def _error(self, entry: str, problem: str, remedy: str) -> AnnotationError:
        return AnnotationError(
            file=self.path, entry=entry, problem=problem, remedy=remedy
        )

    def _load(self, backend_args: Mapping[str, Any] | None) -> Mapping:
        """Return the tables ``videos``, ``categories`` and ``annotations``."""
        return read_annotations(
            self.path,
            segmentation_key=self._segmentation_key,
            all_frames=self._all_frames,
            backend_args=backend_args,
        )

    def _require(self, entry: Mapping, keys: Sequence[str], label: str) -> None:
        if not isinstance(entry, Mapping):
            raise self._error(
                label,
                f"must be an object with the keys {list(keys)}, got {str(entry)[:40]}",
                "remove the entry",
            )
        missing = [key for key in keys if entry.get(key) is None]
        if missing:
            raise self._error(
                label,
                f"needs the keys {list(keys)}, {missing} missing or null",
                self._remedy,
            )

    def _match(
        self,
        data: Mapping,
        space: LabelSpace | None,
        names: Mapping[str, str] | None,
    ) -> FileCategories:
        if space is None or not self.is_withheld or data.get("categories") is not None:
            self._require(data, ["categories"], "file")
            self._rows(data, "categories")
        return FileCategories.of(data, space, path=self.path, category_map=names)

    def _read_videos(self, data: Mapping) -> list[VideoEntry]:
        self._require(data, ["videos"], "file")
        videos: dict[int, VideoEntry] = {}
        for position, raw in enumerate(self._rows(data, "videos")):
            video = self._read_video(raw, f"videos[{position}]")
            if video.video_id in videos:
                raise self._error(
                    f"videos[{position}] (id={video.video_id})",
                    "video ids must be unique, this one is not",
                    "renumber the videos or remove the copy",
                )
            videos[video.video_id] = video
        return list(videos.values())

    def _rows(self, data: Mapping, key: str) -> Sequence[Any]:
        rows = data.get(key)
        if rows is not None and not isinstance(rows, list):
            raise self._error(
                key, f"must be a list, got {shorten(rows)}", "download the file again"
            )
        return rows or []

    def _read_video(self, raw: Mapping, label: str) -> VideoEntry:
        keys = ["id", "height", "width"] + ["file_names"] * self._files_needed
        self._require(raw, keys, label)
        label = f"{label} (id={shorten(raw['id'])})"
        video_id = self._checked(label, read_id, raw, "id")
        height, width = (
            self._checked(label, read_size, raw, side) for side in ("height", "width")
        )
        if not 0 < height * width <= MAX_COCO_RUN:
            raise self._error(
                label,
                f"height x width must be in [1, {MAX_COCO_RUN}], got "
                f"{height} x {width}",
                "correct the size",
            )
        names = self._file_names(raw, label)
        declared = len(names)
        if raw.get("length") is not None:
            declared = self._checked(label, read_size, raw, "length")
        if declared < 1:
            problem = "has no file_names" if not names else "length must be >= 1, got 0"
            raise self._error(label, problem, "remove the entry or correct it")
        categories = self._checked(
            label, VideoCategories.of, raw, self.slot_of_category
        )
        sampled = raw.get("sampled_frames") if self.is_burst else None
        return VideoEntry(
            video_id=video_id,
            name=self._name(raw, names, label),
            height=height,
            width=width,
            file_names=names,
            declared_length=declared,
            categories=categories,
            sampled_frames=sampled and tuple(sampled),
            sampled_from=raw.get("sampled_from") if sampled else None,
        )

    def _file_names(self, raw: Mapping, label: str) -> tuple[str, ...]:
        names = raw.get("file_names")
        names = [] if names is None and not self._files_needed else names
        if not isinstance(names, list) or not all(type(n) is str for n in names):
            raise self._error(label, "file_names must be a list of texts", "correct it")
        if not names and (self._files_needed or not raw.get("length")):
            raise self._error(label, "has no file_names", "remove the entry")
        return tuple(names)

    def _name(self, raw: Mapping, names: Sequence[str], label: str) -> str:
        name = raw.get("name")
        if name is not None and type(name) not in (str, int):
            problem = f"name must be a text, got {shorten(name)}"
            raise self._error(label, problem, "correct it")
        folder = with_slashes(names[0]).rpartition("/")[0] if names else ""
        return str(name or folder or raw["id"])

    def _checked(self, label: str, read: Callable[..., Any], *args: Any) -> Any:
        """Read a value; name the entry if it breaks its rule."""
        try:
            return read(*args)
        except ValueError as error:
            raise self._error(label, str(error), "correct it") from error

    def _group_annotations(self, data: Mapping) -> dict[int, list[Mapping]]:
        known = {video.video_id for video in self.videos}
        grouped: dict[int, list[Mapping]] = defaultdict(list)
        keys = ["id", "video_id", "category_id"]
        for position, entry in enumerate(self._rows(data, "annotations")):
            label = f"annotations[{position}]"
            self._require(entry, keys, label)
            label = f"{label} (id={shorten(entry['id'])})"
            for key in keys:
                self._checked(label, read_id, entry, key)
            if entry["video_id"] not in known:
                raise self._error(
                    label,
                    f"belongs to video_id={entry['video_id']}, which is not in videos",
                    "remove the annotation or add its video",
                )
            if entry["category_id"] in self._categories.unmapped_ids:
                self.unmapped += 1
                continue
            if entry["category_id"] not in self.slot_of_category:
                raise self._error(
                    label,
                    f"has category_id={entry['category_id']}, which is not in the "
                    f"file's categories {sorted(self.slot_of_category)}",
                    "add the category or correct the id",
                )
            grouped[entry["video_id"]].append(entry)
        return grouped

    def _only_annotated(self, grouped: Mapping[int, list[Mapping]]) -> list[VideoEntry]:
        """Reduce every video to the frames with a mask; drop videos without any."""
        videos = []
        for video in self.videos:
            rows = grouped.get(video.video_id, ())
            shown = annotated_frames(self._segmentations(row, video) for row in rows)
            if shown:
                names = tuple(video.file_names[t] for t in shown if video.file_names)
                part = dict(frames=tuple(shown), listed=video.length)
                part |= dict(sampled_frames=None, sampled_from=None)
                videos.append(replace(video, file_names=names, **part))
        return videos

    def _segmentations(self, entry: Mapping, video: VideoEntry) -> list[Any]:
        try:
            return segmentations_of(
                entry,
                self._segmentation_key,
                num_files=video.num_files,
                declared_length=video.declared_length,
            )
        except ValueError as error:
            remedy = "use null for frames without the instance"
            raise self._error(_place(entry["id"], video), str(error), remedy) from error

    def _read_instance(self, entry: Mapping, video: VideoEntry) -> InstanceEntry:
        frames = self._segmentations(entry, video)
        if video.frames is not None:
            frames = [frames[t] for t in video.frames]
        place = _place(entry["id"], video)
        is_crowd = self._checked(place, read_flag, entry, "iscrowd")
        return InstanceEntry(
            source_id=entry["id"],
            slot=self.slot_of_category[entry["category_id"]],
            is_crowd=is_crowd,
            is_ignored=self._checked(place, read_flag, entry, "ignore") or is_crowd,
            segmentations=frames,
            occlusion=entry.get("occlusion"),
        )


def _place(source_id: int, video: VideoEntry, frame: int | None = None) -> str:
    where = "" if frame is None else f", frame {frame}"
    return f"annotation id={source_id} (video_id={video.video_id}{where})"
