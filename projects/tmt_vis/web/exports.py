"""Downloads: result files, and archives for labelling tools."""

import zipfile
from pathlib import Path

from tmt_vis.dataset_tools.exporters import (
    ExportError,
    ExportJob,
    ReadOptions,
    export_tracks,
    read_tracks,
)
from tmt_vis.dataset_tools.findings import Findings
from tmt_vis.files import file_name
from tmt_vis.inference import VideoResult, write_json

# Target of tools/export_tracks.py -> what the page calls it.
LABELLING = {
    "cvat-video": "CVAT",
    "label-studio": "Label Studio",
    "labelme": "LabelMe",
    "coco": "COCO",
    "mots-png": "MOTS PNG",
    "youtube-vis": "YouTube-VIS for training",
}


def write_results(result: VideoResult, folder: Path) -> Path:
    """Write the tracks as ``tools/infer.py --out-json`` does.

    Args:
        result: Of the video.
        folder: An empty folder.

    Returns:
        The file, named like the video.
    """
    path = folder / f"{file_name(result.name)}.json"
    write_json(path, {0: result})
    return path


def write_archive(result: VideoResult, target: str, folder: Path) -> Path:
    """Write the tracks for a labelling tool, as a zip file.

    Args:
        result: Of the video.
        target: A key of ``LABELLING``.
        folder: An empty folder.

    Returns:
        The file, named like the video and the target.

    Raises:
        ExportError: If the target is not known, or there is no track.
    """
    if target not in LABELLING:
        raise ExportError(
            f"the target must be one of {', '.join(LABELLING)}, got {target!r}"
        )
    findings = Findings()
    tracks = read_tracks(
        write_results(result, folder), ReadOptions(fps=result.fps), findings
    )
    name = f"{file_name(result.name)}-{target}"
    export_tracks(ExportJob(tracks, folder / name, findings=findings), target)
    return _zipped(folder / name)


def _zipped(folder: Path) -> Path:
    """Pack a folder; the archive holds its content, below its name."""
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent))
    return path
