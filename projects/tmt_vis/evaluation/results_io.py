"""Official result files: a JSON list with one entry per track, zipped for servers.

``{"video_id", "category_id", "score", "segmentations": [RLE or null per frame]}``
"""

import json
import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tmt_vis.annotations import VideoEntry
from tmt_vis.annotations.frames import is_absent
from tmt_vis.annotations.values import read_id, shorten
from tmt_vis.files import replacing
from tmt_vis.structures import TubeRLE

from .ground_truth import AnnotationFile
from .result_stream import NAME_IN_ZIP, Progress, iterate_entries
from .video_tubes import PredictedTubes

# Of one video. A result file has about 100; whoever keeps more of them does not keep
# a million, which a zip of 1 MB can hold.
MAX_TRACKS = 100_000


class WrittenResults(NamedTuple):
    """Where a submission was written, and what is in it.

    Args:
        json_file: The list of tracks.
        zip_file: The same, as servers want it.
        num_tracks: Tracks in the file.
        num_dropped: Tracks of categories that the annotation file does not list.
    """

    json_file: Path
    zip_file: Path
    num_tracks: int
    num_dropped: int


def write_results(
    prefix: str | Path,
    predictions: Mapping[int, PredictedTubes],
    annotations: AnnotationFile,
) -> WrittenResults:
    """Write ``PREFIX.results.json`` and ``PREFIX.zip`` for an evaluation server.

    Both files appear at once and complete, or not at all. The zip is read back and
    checked against the annotation file before it gets its name.

    Args:
        prefix: Path without ending; its folder is made if needed.
        predictions: Tracks by video id.
        annotations: The file the results are for; gives the category ids.

    Returns:
        The paths and the number of tracks written and dropped.

    Raises:
        ValueError: If the tracks do not fit the annotation file.
    """
    json_file, zip_file = Path(f"{prefix}.results.json"), Path(f"{prefix}.zip")
    source_of_slot = {slot: i for i, slot in annotations.slot_of_source.items()}
    written = 0
    with replacing(json_file) as draft, replacing(zip_file) as zip_draft:
        with open(draft, "w", encoding="utf-8") as stream:
            for entry in _entries(predictions, source_of_slot):
                stream.write(("[\n" if not written else ",\n") + json.dumps(entry))
                written += 1
            stream.write("\n]\n" if written else "[]\n")
        with zipfile.ZipFile(zip_draft, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(draft, NAME_IN_ZIP)
        read = read_results(zip_draft, annotations)
        if sum(map(len, read.values())) != written:
            raise ValueError(f"wrote {written} tracks to {zip_file} but read others")
    total = sum(map(len, predictions.values()))
    return WrittenResults(json_file, zip_file, written, total - written)


def read_results(
    path: str | Path,
    annotations: AnnotationFile,
    *,
    progress: Progress | None = None,
) -> dict[int, PredictedTubes]:
    """Read an official result file and check it against the annotation file.

    Memory is that of the run lengths, about the size of the file.

    Args:
        path: The JSON list, or a zip with ``results.json`` inside.
        annotations: The file the results are for.
        progress: Called with bytes read and bytes in all.

    Returns:
        Tracks by video id, in the order of the file; videos without tracks are absent.

    Raises:
        ValueError: If an entry names an unknown video or category, has the wrong
            number of frames or masks of another size, or is no such list at all.
    """
    rows: dict[int, list[tuple[TubeRLE, int, float]]] = {}
    limit = max_entry_size(annotations.videos.values())
    entries = iterate_entries(path, max_entry=limit, progress=progress)
    for index, entry in enumerate(entries):
        try:
            row = _track(entry, annotations)
            tracks = rows.setdefault(entry["video_id"], [])
            if len(tracks) == MAX_TRACKS:
                raise ValueError(
                    f"video {entry['video_id']} has more than {MAX_TRACKS} tracks; "
                    "evaluators look at the best 100"
                )
        except ValueError as error:
            raise ValueError(f"{path}: entry {index}: {error}") from error
        tracks.append(row)
    return {
        video_id: PredictedTubes(
            tubes=tuple(tube for tube, _, _ in tracks),
            slots=np.array([slot for _, slot, _ in tracks], dtype=np.int64),
            scores=np.array([score for _, _, score in tracks], dtype=np.float64),
        )
        for video_id, tracks in rows.items()
    }


def _entries(
    predictions: Mapping[int, PredictedTubes], source_of_slot: Mapping[int, int]
) -> Iterator[dict[str, Any]]:
    for video_id in sorted(predictions):
        video = predictions[video_id]
        tracks = zip(video.tubes, video.slots.tolist(), video.scores, strict=True)
        for tube, slot, score in tracks:
            if slot in source_of_slot:
                yield {
                    "video_id": video_id,
                    "category_id": source_of_slot[slot],
                    "score": float(score),
                    "segmentations": tube.to_frames(),
                }


def _track(
    entry: Mapping[str, Any], annotations: AnnotationFile
) -> tuple[TubeRLE, int, float]:
    """Check one entry; return its tube, slot and score."""
    keys = ("video_id", "category_id", "score", "segmentations")
    if not isinstance(entry, Mapping):
        raise ValueError(f"must be an object with {', '.join(keys)}, got {entry!r:.60}")
    lacking = [key for key in keys if entry.get(key) is None]
    if lacking:
        raise ValueError(
            f"lacks {', '.join(map(repr, lacking))}; an entry has {', '.join(keys)}"
        )
    video = annotations.videos.get(read_id(entry, "video_id"))
    slot = annotations.slot_of_source.get(read_id(entry, "category_id"))
    if video is None or slot is None:
        what = "video_id" if video is None else "category_id"
        raise ValueError(f"{what} {entry[what]!r} is not in {annotations.path}")
    frames = entry["segmentations"]
    if not isinstance(frames, list):
        raise ValueError(
            f"segmentations must be a list with an RLE or null per frame, got "
            f"{shorten(frames)}"
        )
    if len(frames) != video.length:
        # Somebody's model predicted the frames without annotations too.
        used = video.frames_used(len(frames))
        frames = frames if used is None else [frames[number] for number in used]
    if len(frames) != video.length:
        raise ValueError(
            f"{len(frames)} segmentations for the {video.length} frames of video "
            f"{video.video_id}"
        )
    frames = [None if is_absent(mask) else mask for mask in frames]
    score = _score(entry["score"])
    return TubeRLE.from_frames(frames, video.height, video.width), slot, score


def _score(value: Any) -> float:
    """Check a score: a finite number, and no text or bool that NumPy reads as one."""
    number = math.nan
    if type(value) in (int, float):
        with suppress(OverflowError):  # an integer beyond 1.8e308
            number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"score must be a finite number, got {shorten(value)}")
    return number


def max_entry_size(videos: Iterable[VideoEntry]) -> int:
    """Return how many characters an entry of a result file can need.

    Eight for every pixel, enough for masks of noise, and plenty for what other programs
    add (boxes, areas, features). What is longer is no track of these videos: a zip of
    1.6 MB can hold a text of 1.6 GB, which took 3.9 GB to read.

    Args:
        videos: Of the annotation file.
    """
    per_frame = [
        (v.height * v.width, max(v.num_files, v.sampled_from or 0)) for v in videos
    ]
    return (1 << 20) + max(
        (frames * (8 * pixels + (1 << 16)) for pixels, frames in per_frame), default=0
    )
