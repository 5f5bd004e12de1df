"""The native YouTube-VIS JSON (also OVIS, UVO, HQ-YTVIS, LV-VIS): read and check."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.fileio import get_text

from tmt_vis.taxonomy import LabelSpace, TaxonomyError

from .errors import AnnotationError


@dataclass(frozen=True)
class VideoEntry:
    """One entry of ``videos``.

    ``length`` is the number of files, whatever the file's own ``length`` says (UVO's
    differs for some videos); ``declared_length`` keeps that one.
    """

    video_id: int
    name: str
    height: int
    width: int
    file_names: tuple[str, ...]
    declared_length: int

    @property
    def length(self) -> int:
        return len(self.file_names)


@dataclass(frozen=True)
class InstanceEntry:
    """One entry of ``annotations``: an instance over all frames of its video."""

    source_id: int
    slot: int
    is_ignored: bool
    segmentations: Sequence[Any]


class AnnotationFile:
    """Check an annotation file and iterate over its videos.

    Args:
        path: The JSON file, any mmengine file backend.
        label_space: Label space its categories belong to. Categories are matched by
            name; neither their order in the file nor their ids matter.
        with_gt: Read ``annotations``. Without, they may be missing or null, as in the
            public files of the evaluation servers.
        backend_args: mmengine file backend options.

    Raises:
        AnnotationError: If the file breaks a rule of the format.
    """

    def __init__(
        self,
        path: str,
        label_space: LabelSpace,
        *,
        with_gt: bool = True,
        backend_args: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = path
        data = self._load(backend_args)
        self.slot_of_category = self._match_categories(data, label_space)
        self.videos = self._read_videos(data)
        self._annotations = self._group_annotations(data) if with_gt else {}

    def instances(self, video: VideoEntry) -> Iterator[InstanceEntry]:
        """Yield the instances of one video in file order.

        Args:
            video: One of ``videos``.

        Yields:
            Instances; their ``segmentations`` have one entry per frame.
        """
        seen: set[int] = set()
        for entry in self._annotations.get(video.video_id, ()):
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
        try:
            data = json.loads(get_text(self.path, backend_args=backend_args))
        except FileNotFoundError as error:
            raise self._error(
                "file", "does not exist", "check ann_file and data_root"
            ) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise self._error(
                "file", f"is not valid JSON ({error})", "download it again"
            ) from error
        if not isinstance(data, Mapping):
            raise self._error(
                "file",
                f"must hold an object with videos, categories and annotations, got a "
                f"{type(data).__name__}",
                "pass the annotation file, not a results file",
            )
        return data

    def _require(self, entry: Mapping, keys: Sequence[str], label: str) -> None:
        missing = [key for key in keys if entry.get(key) is None]
        if missing:
            raise self._error(
                label,
                f"needs the keys {list(keys)}, {missing} missing or null",
                "use the native YouTube-VIS/OVIS/UVO file, not a converted one",
            )

    def _match_categories(self, data: Mapping, space: LabelSpace) -> dict[int, int]:
        self._require(data, ["categories"], "file")
        try:
            return space.check_categories(data["categories"])
        except TaxonomyError as error:
            raise self._error(
                "categories", str(error), f"label_space is {space.name!r} here"
            ) from error

    def _read_videos(self, data: Mapping) -> list[VideoEntry]:
        self._require(data, ["videos"], "file")
        videos: dict[int, VideoEntry] = {}
        for position, raw in enumerate(data["videos"]):
            label = f"videos[{position}] (id={raw.get('id')})"
            self._require(raw, ["id", "height", "width", "file_names"], label)
            names = tuple(raw["file_names"])
            if not names:
                raise self._error(label, "has no file_names", "remove the entry")
            if raw["id"] in videos:
                raise self._error(
                    label,
                    "video ids must be unique, this one is not",
                    "renumber the videos or remove the copy",
                )
            videos[raw["id"]] = VideoEntry(
                video_id=int(raw["id"]),
                name=str(raw.get("name") or names[0].rpartition("/")[0] or raw["id"]),
                height=int(raw["height"]),
                width=int(raw["width"]),
                file_names=names,
                declared_length=int(raw.get("length") or len(names)),
            )
        return list(videos.values())

    def _group_annotations(self, data: Mapping) -> dict[int, list[Mapping]]:
        known = {video.video_id for video in self.videos}
        grouped: dict[int, list[Mapping]] = defaultdict(list)
        keys = ["id", "video_id", "category_id", "segmentations"]
        for position, entry in enumerate(data.get("annotations") or ()):
            label = f"annotations[{position}] (id={entry.get('id')})"
            self._require(entry, keys, label)
            if entry["video_id"] not in known:
                raise self._error(
                    label,
                    f"belongs to video_id={entry['video_id']}, which is not in videos",
                    "remove the annotation or add its video",
                )
            if entry["category_id"] not in self.slot_of_category:
                raise self._error(
                    label,
                    f"has category_id={entry['category_id']}, which is not in the "
                    f"file's categories {sorted(self.slot_of_category)}",
                    "add the category or correct the id",
                )
            grouped[entry["video_id"]].append(entry)
        return grouped

    def _read_instance(self, entry: Mapping, video: VideoEntry) -> InstanceEntry:
        frames = list(entry["segmentations"])
        if len(frames) not in (video.length, video.declared_length):
            raise self._error(
                f"annotation id={entry['id']} (video_id={video.video_id})",
                f"segmentations must have one entry per frame, got {len(frames)} for "
                f"{video.length} file_names (length={video.declared_length})",
                "use null for frames without the instance",
            )
        # Where `length` and file_names differ, frames beyond the list are absent and
        # list entries beyond the files cannot be shown to anybody.
        frames = (frames + [None] * video.length)[: video.length]
        return InstanceEntry(
            source_id=int(entry["id"]),
            slot=self.slot_of_category[entry["category_id"]],
            is_ignored=bool(entry.get("iscrowd", 0)) or bool(entry.get("ignore", 0)),
            segmentations=frames,
        )
