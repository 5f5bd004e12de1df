"""Check a dataset: every problem counted and named, never stopping at the first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tmt_vis.annotations import file_label_space, read_annotations
from tmt_vis.taxonomy import LabelSpace, TaxonomyError

from ..errors import AnnotationError
from ..findings import Findings
from .extras import FrameChecker, check_boxes
from .pieces import Dissection, Part
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
    space = label_space or own_label_space(tables, path)
    report = CheckReport(space, DatasetStatistics(space))
    frames = None
    if image_root is not None:
        sinks = dict(errors=report.errors, warnings=report.warnings)
        frames = FrameChecker(image_root, decode=decode, **sinks)
    if not tables.get("annotations"):
        report.warnings.add("no annotations: for tests only", path)
    dissection = Dissection(path, space, tables, report.errors.add)
    on_start(dissection.num_videos)
    ids: set[int] = set()
    for part in dissection.parts():
        report.statistics.add(part)
        _add_warnings(part, report.warnings, ids)
        check_boxes(part, report.warnings)
        if frames is not None:
            frames.check(part.video)
        on_video(part)
    return report


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
    if video.length != video.declared_length:
        warnings.add(
            "length that is not the number of file_names",
            f"{name}: length={video.declared_length}, {video.length} files",
        )
    seen = {
        instance.source_id
        for t in range(video.length)
        for instance in index.frame(0, t).instances
    }
    for entry in part.annotations:
        where = f"annotation id={entry['id']} ({name})"
        if entry.get("iscrowd") or entry.get("ignore"):
            warnings.add("crowd region, never trained on", where)
        elif entry["id"] not in seen:
            warnings.add("object without a pixel in any frame", where)
        if entry["id"] in ids:
            warnings.add("annotation id used in several videos", where)
    ids.update(entry["id"] for entry in part.annotations)
    if not part.annotations:
        warnings.add("video without objects", name)
