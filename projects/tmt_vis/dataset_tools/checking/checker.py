"""Check a dataset: every problem counted and named, never stopping at the first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tmt_vis.annotations import file_label_space, read_annotations, read_flag
from tmt_vis.datasets.errors import AnnotationError
from tmt_vis.taxonomy import LabelSpace, TaxonomyError

from ..findings import Findings
from .annotation_splitter import AnnotationSplitter, Part
from .extras import FrameChecker, check_boxes
from .statistics import DatasetStatistics


@dataclass
class CheckReport:
    """What a check found.

    Args:
        errors: What training or evaluation refuses, or replaces by another clip.
        warnings: What they accept and people should know.
        statistics: The numbers of what can be read.
    """

    label_space: LabelSpace
    statistics: DatasetStatistics
    errors: Findings = field(default_factory=Findings)
    warnings: Findings = field(default_factory=Findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON data."""
        return {
            "label_space": self.label_space.name,
            "errors": self.errors.to_dict(),
            "warnings": self.warnings.to_dict(),
            "statistics": self.statistics.summary(),
        }


def check_dataset(
    ann_file: str | Path,
    *,
    label_space: LabelSpace | None = None,
    image_root: Path | None = None,
    decode: bool = False,
    on_start: Callable[[int], None] = lambda num_videos: None,
    on_video: Callable[[Part], None] = lambda part: None,
) -> CheckReport:
    """Check an annotation file and, if ``image_root`` is given, its frames.

    Memory is what the reader needs for the file, and one frame.

    Args:
        ann_file: The native annotation file.
        label_space: Label space of its categories; None means those of the file.
        image_root: What ``file_names`` are relative to; None leaves frames out.
        decode: Decode every frame instead of reading its header.
        on_start: Called once with the number of videos.
        on_video: Called after each readable video.

    Raises:
        AnnotationError: If nothing of the file can be read: no JSON, no category.
    """
    path = str(ann_file)
    tables = read_annotations(path, keep_boxes=True)
    _refuse_images(tables, path)
    space = label_space or own_label_space(tables, path)
    report = CheckReport(space, DatasetStatistics(space))
    frames = None
    if image_root is not None:
        sinks = dict(errors=report.errors, warnings=report.warnings)
        frames = FrameChecker(image_root, decode=decode, **sinks)
    if not tables.get("annotations"):
        report.warnings.add("no annotations: for tests only", path)
    splitter = AnnotationSplitter(path, space, tables, report.errors.add)
    on_start(splitter.num_videos)
    ids: set[int] = set()
    for part in splitter.parts():
        report.statistics.add(part)
        _add_warnings(part, report.warnings, ids)
        check_boxes(part, report.warnings)
        if frames is not None:
            frames.check(part.video)
        on_video(part)
    table = report.statistics
    if table.crowd and not table.instances:
        report.errors.add(
            "all objects are crowd regions, which are never trained on (some tools "
            "write iscrowd 1 for every mask that is not a polygon)",
            f"{path}: {table.crowd}",
        )
    return report


def _refuse_images(tables: dict[str, Any], path: str) -> None:
    """Name the files that are of images, instead of missing each of their keys."""
    videos = tables.get("videos")
    rows = videos if isinstance(videos, list) else []
    has_files = any(isinstance(row, dict) and "file_names" in row for row in rows)
    if isinstance(tables.get("images"), list) and not has_files:
        raise AnnotationError(
            file=path,
            entry="images",
            problem="is a COCO file of images, without file_names of videos",
            remedy="with track ids (CocoVID), convert it with tools/convert_dataset.py "
            "coco; images without them are read by ImageDataset, which is not checked",
        )


def own_label_space(tables: dict[str, Any], path: str) -> LabelSpace:
    """Take the categories of a file as its label space."""
    rows = tables.get("categories")
    try:
        return file_label_space(rows if isinstance(rows, list) else [], path)
    except TaxonomyError as error:
        raise AnnotationError(
            file=path,
            entry="categories",
            problem=f"must be a list of objects with id and name ({error})",
            remedy="repair them, or name a label space to check against",
        ) from error


def _add_warnings(part: Part, warnings: Findings, ids: set[int]) -> None:
    video, index = part.video, part.index
    name = f"video id={video.video_id} ({video.name})"
    if video.num_files != video.declared_length:
        warnings.add(
            "length that is not the number of file_names",
            f"{name}: length={video.declared_length}, {video.num_files} files",
        )
    seen = {
        instance.source_id
        for t in range(video.length)
        for instance in index.frame(0, t).instances
    }
    for entry in part.annotations:
        where = f"annotation id={entry['id']} ({name})"
        if read_flag(entry, "iscrowd") or read_flag(entry, "ignore"):
            warnings.add("crowd region, never trained on", where)
        elif entry["id"] not in seen:
            warnings.add("object without a pixel in any frame", where)
        if entry["id"] in ids:
            warnings.add("annotation id used in several videos", where)
    ids.update(entry["id"] for entry in part.annotations)
    if not part.annotations:
        warnings.add("video without objects", name)
