"""Predicted tracks as annotations that labelling tools can correct."""

from collections.abc import Callable
from pathlib import Path

from tmt_vis.files import replacing

from .coco import export_coco, export_youtube_vis
from .cvat import export_cvat
from .errors import ExportError
from .job import SHAPES, ExportJob
from .label_studio import export_label_studio
from .labelme import export_labelme
from .mots_png import export_mots_png
from .tracks_file import ExportTrack, ExportVideo, ReadOptions, TrackFile, read_tracks

EXPORTERS: dict[str, Callable[[ExportJob, Path], None]] = {
    "cvat-video": export_cvat,
    "label-studio": export_label_studio,
    "mots-png": export_mots_png,
    "coco": export_coco,
    "youtube-vis": export_youtube_vis,
    "labelme": export_labelme,
}
# Formats that people ask for and that hold boxes only.
BOX_FORMATS = ("mot", "pascal-voc", "yolo", "kitti", "label-studio-rectangle")


def export_tracks(job: ExportJob, target: str) -> None:
    """Write the folder of a job; it appears complete or not at all.

    Args:
        job: What is exported, and where to.
        target: A key of ``EXPORTERS``.

    Raises:
        ExportError: If the target holds no masks or is not known, or the folder exists.
    """
    check_target(target)
    if job.out.exists():
        raise ExportError(f"{job.out} exists; give a folder that does not")
    with replacing(job.out) as draft:
        draft.mkdir()
        EXPORTERS[target](job, draft)


def check_target(target: str) -> None:
    """Refuse a target that cannot hold masks, or one that is not known.

    Raises:
        ExportError: With the targets there are.
    """
    known = ", ".join(EXPORTERS)
    if target in BOX_FORMATS:
        raise ExportError(
            f"{target} holds boxes, not masks, so it is not written; choose one of "
            f"{known}"
        )
    if target not in EXPORTERS:
        raise ExportError(f"the target must be one of {known}, got {target!r}")


__all__ = [
    "BOX_FORMATS",
    "EXPORTERS",
    "SHAPES",
    "ExportError",
    "ExportJob",
    "ExportTrack",
    "ExportVideo",
    "ReadOptions",
    "TrackFile",
    "check_target",
    "export_tracks",
    "read_tracks",
]
