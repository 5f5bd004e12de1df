"""Results of many videos to one file, and what they amount to."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tmt_vis.files import replacing, write_atomically

from ..errors import InferenceError
from .listing import ListedVideo
from .manifest import read_manifest, videos_of
from .results_folder import ResultsFolder

SUMMARY = "summary.json"


@dataclass(frozen=True)
class Summary:
    """What a run amounts to.

    Args:
        videos: That were asked for.
        done: That have a result.
        failed: That failed and have none.
        missing: That have none and have not been tried to the end.
        truncated: With a result that does not cover the whole video.
        frames: That were looked at.
        tracks: That were found.
        seconds: Of video, where frames per second are known.
        categories: Tracks of each name, most first.
    """

    videos: int
    done: int
    failed: int
    missing: int
    truncated: int
    frames: int
    tracks: int
    seconds: float
    categories: Mapping[str, int]


def merge(root: Path, out: Path, *, allow_missing: bool = False) -> Summary:
    """Write the tracks of all videos into one file, as ``--out-json`` does.

    Args:
        root: Folder of the results.
        out: ``*.json``, replaced if it is there.
        allow_missing: Merge what is there although videos have no result.

    Returns:
        The summary, which is also in ``summary.json`` of ``root``.

    Raises:
        InferenceError: If videos have no result, or one is damaged.
    """
    if out.suffix.lower() != ".json":
        raise InferenceError(f"the merged file must end in .json, got {out}")
    folder = ResultsFolder(root)
    videos = videos_of(read_manifest(root))
    failed = folder.tidy_failures(videos)
    done = [video for video in videos if folder.is_done(video)]
    missing = len(videos) - len(done)
    if missing and not allow_missing:
        raise InferenceError(
            f"{missing} of {len(videos)} videos have no result ({len(failed)} failed, "
            f"see {folder.failures_path}); run the same command again, or merge the "
            "others with --allow-missing"
        )
    summary = _write(folder, done, out, len(videos), len(failed))
    text = json.dumps(asdict(summary), indent=1)
    write_atomically(root / SUMMARY, text.encode() + b"\n")
    return summary


def _write(
    folder: ResultsFolder, done: list[ListedVideo], out: Path, asked: int, failed: int
) -> Summary:
    totals: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    with replacing(out) as draft, open(draft, "w", encoding="utf-8") as stream:
        for entry in _entries(folder, done, totals):
            categories[entry["category_name"]] += 1
            start = "[\n" if not totals["tracks"] else ",\n"
            stream.write(start + json.dumps(entry))
            totals["tracks"] += 1
        stream.write("\n]\n" if totals["tracks"] else "[]\n")
    return Summary(
        videos=asked,
        done=len(done),
        failed=failed,
        missing=asked - len(done) - failed,
        truncated=totals["truncated"],
        frames=totals["frames"],
        tracks=totals["tracks"],
        seconds=round(float(totals["seconds"]), 3),
        categories=dict(categories.most_common()),
    )


def _entries(
    folder: ResultsFolder, videos: list[ListedVideo], totals: Counter[str]
) -> Iterator[Mapping[str, Any]]:
    """Yield the tracks of one video after the other, and count frames."""
    for video in videos:
        content = folder.read_result(video)
        header = content["video"]
        totals["frames"] += header["num_frames"]
        totals["seconds"] += header["num_frames"] / header["fps"]
        totals["truncated"] += header["truncated"] is not None
        yield from content["tracks"]
