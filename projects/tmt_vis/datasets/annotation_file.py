"""The native annotation files of all video data sets: read and check."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tmt_vis.annotations import (
    VideoCategories,
    annotated_frames,
    match_file_categories,
    read_annotations,
    read_flag,
    segmentations_of,
)
from tmt_vis.taxonomy import LabelSpace, TaxonomyError

from .annotation_entries import InstanceEntry, VideoEntry
from .errors import AnnotationError

# COCO run lengths are 32 bit.
_MAX_PIXELS = 2**32 - 1


class AnnotationFile:
    """Check an annotation file and iterate over its videos.

    Args:
        path: The JSON file, any mmengine file backend.
        label_space: Label space its categories belong to. Categories are matched by
            name; neither their order in the file nor their ids matter.
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
        backend_args: mmengine file backend options.

    Raises:
        AnnotationError: If the file breaks a rule of the format.
    """

    _remedy = "use the native file, not a converted one (images: ImageDataset)"

    def __init__(
        self,
        path: str,
        label_space: LabelSpace,
        *,
        with_gt: bool = True,
        segmentation_key: str = "segmentations",
        annotated_frames_only: bool = False,
        category_map: Mapping[str, str] | None = None,
        backend_args: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = path
        self.unmapped = 0
        self._segmentation_key = segmentation_key
        data = self._load(backend_args)
        self._unmapped_ids: set[int] = set()
        if category_map is None:
            self.slot_of_category = self._match_categories(data, label_space)
        else:
            self.slot_of_category = self._mapped(data, label_space, category_map)
        self.videos = self._read_videos(data)
        with_entries = with_gt or annotated_frames_only
        grouped = self._group_annotations(data) if with_entries else {}
        if annotated_frames_only and grouped:  # withheld annotations hide nothing
            self.videos = self._only_annotated(grouped)
        self._annotations = grouped if with_gt else {}
        self._left = {video.video_id for video in self.videos}

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
                    f"annotation id={instance.source_id} (video_id={video.video_id})",
                    "instance ids must be unique within a video, this one is not",
                    "give every instance of the video its own id",
                )
            seen.add(instance.source_id)
            yield instance

    def _error(self, entry: str, problem: str, remedy: str) -> AnnotationError:
        return AnnotationError(
            file=self.path, entry=entry, problem=problem, remedy=remedy
        )

    def _load(self, backend_args: Mapping[str, Any] | None) -> Mapping:
        """Return the tables ``videos``, ``categories`` and ``annotations``."""
        return read_annotations(
            self.path,
            segmentation_key=self._segmentation_key,
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

    def _match_categories(self, data: Mapping, space: LabelSpace) -> dict[int, int]:
        self._require(data, ["categories"], "file")
        try:
            return match_file_categories(data, space)
        except TaxonomyError as error:
            raise self._error(
                "categories", str(error), f"label_space is {space.name!r} here"
            ) from error

    def _mapped(
        self, data: Mapping, space: LabelSpace, names: Mapping[str, str]
    ) -> dict[int, int]:
        """Match the categories of the file with the label space by a map of names."""
        self._require(data, ["categories"], "file")
        rows = self._rows(data, "categories")
        for position, row in enumerate(rows):
            self._require(row, ["id", "name"], f"categories[{position}]")
        absent = sorted(set(names) - {row["name"] for row in rows})
        if absent:
            raise self._error(
                "categories",
                f"category_map has {absent}, which the file does not",
                "write the names as the file does",
            )
        self._unmapped_ids = {row["id"] for row in rows if row["name"] not in names}
        try:
            return {
                row["id"]: space.slot_of_name(names[row["name"]])
                for row in rows
                if row["name"] in names
            }
        except TaxonomyError as error:
            raise self._error(
                "category_map", str(error), f"label_space is {space.name!r} here"
            ) from error

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
        rows = data.get(key) or ()
        if not isinstance(rows, Sequence) or isinstance(rows, str):
            raise self._error(key, "must be a list", "download the file again")
        return rows

    def _read_video(self, raw: Mapping, label: str) -> VideoEntry:
        self._require(raw, ["id", "height", "width", "file_names"], label)
        label = f"{label} (id={raw['id']})"
        self._require_integers(raw, ["id", "height", "width"], label)
        if not 0 < raw["height"] * raw["width"] <= _MAX_PIXELS or raw["height"] < 1:
            raise self._error(
                label,
                f"height x width must be in [1, {_MAX_PIXELS}], got "
                f"{raw['height']} x {raw['width']}",
                "correct the size",
            )
        names = raw["file_names"]
        if not isinstance(names, list) or not all(type(n) is str for n in names):
            raise self._error(label, "file_names must be a list of texts", "correct it")
        if not names:
            raise self._error(label, "has no file_names", "remove the entry")
        try:
            categories = VideoCategories.of(raw, self.slot_of_category)
        except ValueError as error:
            raise self._error(label, str(error), "correct the list") from error
        return VideoEntry(
            video_id=raw["id"],
            name=str(raw.get("name") or names[0].rpartition("/")[0] or raw["id"]),
            height=raw["height"],
            width=raw["width"],
            file_names=tuple(names),
            declared_length=int(raw.get("length") or len(names)),
            categories=categories,
        )

    def _require_integers(
        self, entry: Mapping, keys: Sequence[str], label: str
    ) -> None:
        for key in keys:
            if type(entry[key]) is not int:
                raise self._error(
                    label,
                    f"{key} must be an integer, got {str(entry[key])[:40]!r}",
                    "correct it",
                )

    def _group_annotations(self, data: Mapping) -> dict[int, list[Mapping]]:
        known = {video.video_id for video in self.videos}
        grouped: dict[int, list[Mapping]] = defaultdict(list)
        keys = ["id", "video_id", "category_id"]
        for position, entry in enumerate(self._rows(data, "annotations")):
            label = f"annotations[{position}]"
            self._require(entry, keys, label)
            label = f"{label} (id={entry['id']})"
            self._require_integers(entry, keys, label)
            if entry["video_id"] not in known:
                raise self._error(
                    label,
                    f"belongs to video_id={entry['video_id']}, which is not in videos",
                    "remove the annotation or add its video",
                )
            if entry["category_id"] in self._unmapped_ids:
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
                names = tuple(video.file_names[t] for t in shown)
                part = dict(frames=tuple(shown), listed=video.length)
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
            raise self._error(
                f"annotation id={entry['id']} (video_id={video.video_id})",
                str(error),
                "use null for frames without the instance",
            ) from error

    def _read_instance(self, entry: Mapping, video: VideoEntry) -> InstanceEntry:
        frames = self._segmentations(entry, video)
        if video.frames is not None:
            frames = [frames[t] for t in video.frames]
        try:
            flags = [read_flag(entry, key) for key in ("iscrowd", "ignore")]
        except ValueError as error:
            raise self._error(
                f"annotation id={entry['id']} (video_id={video.video_id})",
                str(error),
                "correct it",
            ) from error
        return InstanceEntry(
            source_id=entry["id"],
            slot=self.slot_of_category[entry["category_id"]],
            is_ignored=any(flags),
            segmentations=frames,
        )
