"""Tracks as MOTS PNGs: a 16-bit image per frame, class * 1000 + object."""

from pathlib import Path

import numpy as np
from PIL import Image

from tmt_vis.structures import frame_masks

from .errors import ExportError
from .job import ExportJob
from .tracks_file import ExportVideo

PER_CLASS = 1000
_MAX_CLASSES = 2**16 // PER_CLASS  # 65: the last one may not have all numbers
_IGNORED_CLASS = 10  # of MOTS, for lists that are shorter


def export_mots_png(job: ExportJob, out: Path) -> None:
    """Write ``VIDEO/instances/FRAME.png`` and ``VIDEO/instances/labels.txt``.

    The n-th line of ``labels.txt`` names class n. Where objects overlap, the better
    score wins; lost pixels are counted. In CVAT, zip the folder of a video and upload
    it as "MOTS PNG 1.0".

    Args:
        job: What is exported, and how.
        out: A new folder, not yet at its final place.

    Raises:
        ExportError: If there are more categories or objects than 16 bits can number.
    """
    names = list(job.tracks.categories)
    if len(names) >= _MAX_CLASSES:
        raise ExportError(
            f"MOTS PNGs number at most {_MAX_CLASSES - 1} categories, got "
            f"{len(names)}; choose another format"
        )
    for video in job.videos():
        folder = out / video.name / "instances"
        folder.mkdir(parents=True)
        (folder / "labels.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
        _write_frames(video, names, folder, job)


def _write_frames(
    video: ExportVideo, names: list[str], folder: Path, job: ExportJob
) -> None:
    for track in video.tracks:
        if not 0 < track.id < PER_CLASS:
            raise ExportError(
                f"MOTS PNGs number objects from 1 to {PER_CLASS - 1}, got "
                f"{track.id} in video {video.name!r}; raise --score-thr, or choose "
                "another format"
            )
    # Best last, so that it covers the others.
    tracks = sorted(video.tracks, key=lambda track: track.score)
    values = [PER_CLASS * (1 + names.index(t.name)) + t.id for t in tracks]
    masks = frame_masks(
        [track.tube for track in tracks],
        height=video.height,
        width=video.width,
        num_frames=video.num_frames,
    )
    for stem, shown in zip(video.stems, masks, strict=True):
        image = np.zeros((video.height, video.width), np.uint16)
        for value, mask in zip(values, shown, strict=True):
            image[mask] = value
        lost = int(np.maximum(shown.sum(0, dtype=np.int64) - 1, 0).sum())
        if lost:
            what = "frames in which overlapping objects lost pixels"
            job.findings.add(what, f"{video.name}/{stem}: {lost} pixels")
        Image.fromarray(image).save(folder / f"{stem}.png")
