"""What an official annotation file says: videos, categories and, if given, objects.

The file itself is read, not the training pipeline, which drops small objects, empty
frames and crowd regions, so that its AP would not be that of the evaluation server.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from tmt_vis.structures import TubeRLE
from tmt_vis.taxonomy import Category, LabelSpace

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
    """

    video_id: int
    name: str
    height: int
    width: int
    num_frames: int
    declared_length: int


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
    path: str | Path, *, label_space: LabelSpace | None = None
) -> AnnotationFile:
    """Read an annotation file in the format of YouTube-VIS (OVIS, UVO, LV-VIS, ...).

    Masks may be compressed or plain RLE, polygons or null. ``annotations`` that are
    null, empty or missing mean that the ground truth is withheld.

    Args:
        path: The JSON file.
        label_space: Fixes the slots; the file's categories are matched by name. None
            means the file's own categories in their order.

    Raises:
        FileNotFoundError: If there is no such file.
        TaxonomyError: If a category of the file is not in the label space.
        ValueError: If the file contradicts itself.
    """
    with open(path, encoding="utf-8") as stream:
        file = json.load(stream)
    if not isinstance(file, dict) or not file.get("videos"):
        raise ValueError(
            f"{path} has no 'videos'; it must be an annotation file in the format of "
            "YouTube-VIS, with videos, categories and annotations"
        )
    space, slot_of_source = _categories(file, str(path), label_space)
    videos = _videos(file["videos"], str(path))
    rows = file.get("annotations")
    truth = _ground_truth(rows, videos, slot_of_source, str(path)) if rows else None
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
    return label_space, label_space.check_categories(rows)


def _videos(rows: list[dict[str, Any]], path: str) -> dict[int, VideoInfo]:
    repeated = [i for i, times in Counter(r["id"] for r in rows).items() if times > 1]
    if repeated:
        raise ValueError(f"{path}: video ids must be unique, repeated: {repeated[:5]}")
    return {row["id"]: _video(row, path) for row in rows}


def _video(row: Mapping[str, Any], path: str) -> VideoInfo:
    lacking = sorted({"height", "width"} - set(row))
    if lacking:
        raise ValueError(f"{path}: video {row['id']} has no {' and no '.join(lacking)}")
    files = row.get("file_names") or []
    declared = row.get("length") or len(files)
    length = len(files) or declared
    if not length:
        raise ValueError(f"{path}: video {row['id']} has no file_names and no length")
    name = str(Path(files[0]).parent) if files else str(row["id"])
    return VideoInfo(row["id"], name, row["height"], row["width"], length, declared)


def _ground_truth(
    rows: list[dict[str, Any]],
    videos: Mapping[int, VideoInfo],
    slot_of_source: Mapping[int, int],
    path: str,
) -> dict[int, GroundTruthTubes]:
    objects: dict[int, list[tuple[TubeRLE, int, bool]]] = {i: [] for i in videos}
    for row in rows:
        try:
            video = videos[row["video_id"]]
            slot = slot_of_source[row["category_id"]]
            tube = _tube(row["segmentations"], video)
        except KeyError as error:
            raise ValueError(
                f"{path}: annotation {row.get('id')} names {error}, which is neither "
                "among its keys nor among the videos and categories of the file"
            ) from error
        except (ValueError, TypeError) as error:
            where = f"annotation {row.get('id')} of video {row['video_id']}"
            raise ValueError(f"{path}: {where}: {error}") from error
        objects[video.video_id].append((tube, slot, bool(row.get("iscrowd", 0))))
    return {
        video_id: GroundTruthTubes(
            tubes=tuple(tube for tube, _, _ in found),
            slots=np.array([slot for _, slot, _ in found], dtype=np.int64),
            is_crowd=np.array([crowd for _, _, crowd in found], dtype=bool),
        )
        for video_id, found in objects.items()
    }


def _tube(segmentations: list[Any], video: VideoInfo) -> TubeRLE:
    if len(segmentations) not in (video.num_frames, video.declared_length):
        raise ValueError(
            f"{len(segmentations)} segmentations for {video.num_frames} frames"
        )
    # As in training: entries beyond the files show nothing, missing ones are absent.
    padded = [*segmentations, *[None] * video.num_frames][: video.num_frames]
    frames = [_frame(item, video.height, video.width) for item in padded]
    return TubeRLE.from_frames(frames, video.height, video.width)


def _frame(segmentation: Any, height: int, width: int) -> dict[str, Any] | None:
    """Return the RLE of one frame; polygons of fewer than three points are nothing."""
    if not isinstance(segmentation, list):
        return segmentation
    # pycocotools takes a list of four numbers for a box instead of a line.
    polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
    if not polygons:
        return None
    return coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
