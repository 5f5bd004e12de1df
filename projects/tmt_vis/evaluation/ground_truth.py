"""What an official annotation file says: videos, categories and, if given, objects.

The file itself is read, not the training pipeline, which drops small objects, empty
frames and crowd regions, so that its AP would not be that of the evaluation server.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tmt_vis.annotations import (
    VideoCategories,
    annotated_frames,
    match_file_categories,
    read_annotations,
    read_flag,
    segmentations_of,
)
from tmt_vis.structures import TubeRLE, compress_segmentation
from tmt_vis.taxonomy import Category, LabelSpace

from .occlusion import occlusion_score
from .video_tubes import GroundTruthTubes


@dataclass(frozen=True)
class VideoInfo:
    """One entry of the file's ``videos``.

    Args:
        video_id: Its id in the file.
        name: Folder of its frames, for messages and pictures.
        height: H in pixels.
        width: W in pixels.
        num_frames: T, the number of files: the frames that are predicted.
        declared_length: What the entry's ``length`` says; UVO's differs from the
            number of files for some videos, and lists may have either size.
        categories: Which categories are known to be there or not.
        frames: If only some of the ``listed`` files count: their positions.
        listed: Files of the entry; None means ``num_frames``.
    """

    video_id: int
    name: str
    height: int
    width: int
    num_frames: int
    declared_length: int
    categories: VideoCategories = VideoCategories()
    frames: tuple[int, ...] | None = None
    listed: int | None = None

    @property
    def num_files(self) -> int:
        """Number of files that the entry lists."""
        return self.num_frames if self.listed is None else self.listed


@dataclass(frozen=True, eq=False)
class AnnotationFile:
    """An annotation file in the vocabulary of a label space.

    Args:
        path: Where it was read.
        label_space: Its categories in slot order.
        slot_of_source: Category id in the file -> slot.
        videos: Video id -> video.
        ground_truth: Video id -> objects, for every video; None if the file withholds
            them, as those of public test sets do.
    """

    path: str
    label_space: LabelSpace
    slot_of_source: Mapping[int, int]
    videos: Mapping[int, VideoInfo]
    ground_truth: Mapping[int, GroundTruthTubes] | None


def load_annotations(
    path: str | Path,
    *,
    label_space: LabelSpace | None = None,
    segmentation_key: str = "segmentations",
    annotated_frames_only: bool = False,
) -> AnnotationFile:
    """Read an annotation file in the format of YouTube-VIS (OVIS, UVO, ...) or BURST.

    Masks may be compressed or plain RLE, polygons or null. ``annotations`` that are
    null, empty or missing mean that the ground truth is withheld. Where a video lists
    ``neg_category_ids`` or ``not_exhaustive_category_ids``, as LVIS and BURST do,
    tracks of categories that are unknown there or annotated in part are neither right
    nor wrong unless they find an object.

    Args:
        path: The JSON file.
        label_space: Fixes the slots; the file's categories are matched by name. None
            means the file's own categories in their order.
        segmentation_key: Which list of masks of an annotation is the ground truth.
        annotated_frames_only: Leave out frames in which no object has a mask.

    Raises:
        AnnotationError: If there is no such file or it is not JSON.
        TaxonomyError: If a category of the file is not in the label space.
        ValueError: If the file contradicts itself.
    """
    file = read_annotations(str(path), segmentation_key=segmentation_key)
    if not file.get("videos"):
        raise ValueError(
            f"{path} has no 'videos'; it must be an annotation file in the format of "
            "YouTube-VIS, with videos, categories and annotations"
        )
    space, slot_of_source = _categories(file, str(path), label_space)
    videos = _videos(file["videos"], slot_of_source, str(path))
    rows = file.get("annotations")
    if not rows:
        return AnnotationFile(str(path), space, slot_of_source, videos, None)
    if annotated_frames_only:
        videos = _only_annotated(videos, rows, segmentation_key)
    reader = _GroundTruthReader(str(path), videos, slot_of_source, segmentation_key)
    truth = reader.read(rows, num_slots=len(space))
    return AnnotationFile(str(path), space, slot_of_source, videos, truth)


def _categories(
    file: Mapping[str, Any], path: str, label_space: LabelSpace | None
) -> tuple[LabelSpace, dict[int, int]]:
    rows = file.get("categories")
    if label_space is not None and rows is None:
        ids = label_space.source_ids
        return label_space, {source_id: slot for slot, source_id in enumerate(ids)}
    if not rows:
        raise ValueError(f"{path} has no 'categories'; name a label space instead")
    if label_space is None:
        categories = tuple(Category(row["id"], row["name"]) for row in rows)
        label_space = LabelSpace("file", f"categories of {path}", categories)
    return label_space, match_file_categories(file, label_space)


def _videos(
    rows: list[dict[str, Any]], slot_of_source: Mapping[int, int], path: str
) -> dict[int, VideoInfo]:
    repeated = [i for i, times in Counter(r["id"] for r in rows).items() if times > 1]
    if repeated:
        raise ValueError(f"{path}: video ids must be unique, repeated: {repeated[:5]}")
    return {row["id"]: _video(row, slot_of_source, path) for row in rows}


def _video(
    row: Mapping[str, Any], slot_of_source: Mapping[int, int], path: str
) -> VideoInfo:
    lacking = sorted({"height", "width"} - set(row))
    if lacking:
        raise ValueError(f"{path}: video {row['id']} has no {' and no '.join(lacking)}")
    files = row.get("file_names") or []
    declared = row.get("length") or len(files)
    length = len(files) or declared
    if not length:
        raise ValueError(f"{path}: video {row['id']} has no file_names and no length")
    try:
        categories = VideoCategories.of(row, slot_of_source)
    except ValueError as error:
        raise ValueError(f"{path}: video {row['id']}: {error}") from error
    return VideoInfo(
        video_id=row["id"],
        name=str(Path(files[0]).parent) if files else str(row["id"]),
        height=row["height"],
        width=row["width"],
        num_frames=length,
        declared_length=declared,
        categories=categories,
    )


def _only_annotated(
    videos: Mapping[int, VideoInfo], rows: list[dict[str, Any]], key: str
) -> dict[int, VideoInfo]:
    """Reduce every video to the frames with a mask; drop videos without any."""
    tracks: dict[int, list[list[Any]]] = {video_id: [] for video_id in videos}
    for row in rows:
        video = videos.get(row.get("video_id"))
        if video is not None:  # the others are reported when objects are read
            tracks[video.video_id].append(list(row.get(key) or ())[: video.num_files])
    shown = {video_id: annotated_frames(found) for video_id, found in tracks.items()}
    reduced = {}
    for video_id, video in videos.items():
        if frames := tuple(shown[video_id]):
            listed = dict(frames=frames, listed=video.num_frames)
            reduced[video_id] = replace(video, num_frames=len(frames), **listed)
    return reduced


class _Object(NamedTuple):
    tube: TubeRLE
    slot: int
    is_crowd: bool
    occlusion: float


@dataclass(frozen=True)
class _GroundTruthReader:
    """Turn the rows of ``annotations`` into tubes."""

    path: str
    videos: Mapping[int, VideoInfo]
    slot_of_source: Mapping[int, int]
    segmentation_key: str

    def read(
        self, rows: list[dict[str, Any]], *, num_slots: int
    ) -> dict[int, GroundTruthTubes]:
        """Return the objects of every video; the rows are used up."""
        has_occlusion = any("occlusion" in row for row in rows)
        objects: dict[int, list[_Object]] = {i: [] for i in self.videos}
        rows.reverse()
        while rows:
            # Released one by one: tubes and parsed rows are never in memory both.
            row = rows.pop()
            found = self._object(row)
            objects[row["video_id"]].append(found)
        return {
            video_id: GroundTruthTubes(
                tubes=tuple(item.tube for item in found),
                slots=np.array([item.slot for item in found], dtype=np.int64),
                is_crowd=np.array([item.is_crowd for item in found], dtype=bool),
                ignored_slots=self.videos[video_id].categories.ignored(
                    (item.slot for item in found), num_slots
                ),
                occlusion=np.array([item.occlusion for item in found])
                if has_occlusion
                else None,
            )
            for video_id, found in objects.items()
        }

    def _object(self, row: Mapping[str, Any]) -> _Object:
        try:
            video = self.videos[row["video_id"]]
            return _Object(
                tube=_tube(row, video, self.segmentation_key),
                slot=self.slot_of_source[row["category_id"]],
                is_crowd=read_flag(row, "iscrowd"),
                occlusion=occlusion_score(row.get("occlusion") or []),
            )
        except KeyError as error:
            raise ValueError(
                f"{self.path}: annotation {row.get('id')} names {error}, which is "
                "neither among its keys nor among the videos and categories of the file"
            ) from error
        except (ValueError, TypeError) as error:
            where = f"annotation {row.get('id')} of video {row['video_id']}"
            raise ValueError(f"{self.path}: {where}: {error}") from error


def _tube(row: Mapping[str, Any], video: VideoInfo, key: str) -> TubeRLE:
    masks = segmentations_of(
        row,
        key,
        num_files=video.num_files,
        declared_length=video.declared_length,
    )
    if video.frames is not None:
        masks = [masks[number] for number in video.frames]
    frames = [_frame(mask, video, number) for number, mask in enumerate(masks)]
    return TubeRLE.from_frames(frames, video.height, video.width)


def _frame(mask: Any, video: VideoInfo, number: int) -> dict[str, Any] | None:
    if not mask:
        return None
    try:
        counts = compress_segmentation(mask, height=video.height, width=video.width)
    except (ValueError, TypeError) as error:
        raise ValueError(f"frame {number}: {error}") from error
    return {"size": [video.height, video.width], "counts": counts}
