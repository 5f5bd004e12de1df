"""The folder of a run: one result per video, what failed, and what is half done.

::

    manifest.json          what was asked
    results/NAME.json      one per video, complete or absent
    masks/NAME/            with masks
    videos/NAME.mp4        with videos
    failed.jsonl           name, path and reason of each video without a result
    .work/NAME/            finished windows of a video that is not complete
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmt_vis.files import claimed, replacing, write_atomically

from ..errors import InferenceError
from ..results import VideoResult
from ..writers import track_entries
from .listing import ListedVideo

RESULT_FORMAT = "tmt_vis.video_result/1"


@dataclass(frozen=True)
class ResultsFolder:
    """Paths below ``root``, and what is written there."""

    root: Path

    @property
    def failures_path(self) -> Path:
        """Lines of JSON: name, path and reason."""
        return self.root / "failed.jsonl"

    def result_path(self, video: ListedVideo) -> Path:
        """Return where the tracks of a video are."""
        return self.root / "results" / f"{video.name}.json"

    def masks_path(self, video: ListedVideo) -> Path:
        """Return the folder of the index images of a video."""
        return self.root / "masks" / video.name

    def drawn_path(self, video: ListedVideo) -> Path:
        """Return where the video with its tracks drawn on it is."""
        return self.root / "videos" / f"{video.name}.mp4"

    def work_path(self, video: ListedVideo) -> Path:
        """Return the folder of what is needed until the result is there."""
        return self.root / ".work" / video.name

    def is_done(self, video: ListedVideo) -> bool:
        """Tell whether a video has its result, the last thing written for it."""
        return self.result_path(video).is_file()

    def claim(self, video: ListedVideo) -> AbstractContextManager[None]:
        """Keep other workers from a video while this one works on it.

        Raises:
            HeldError: If another one does.
        """
        return claimed(self.work_path(video))

    def write_result(self, video: ListedVideo, result: VideoResult) -> None:
        """Write the tracks of a video, which makes it done.

        Args:
            video: The video.
            result: Its name is that of the input; here it gets the unique one.
        """
        header = {
            "id": video.id,
            "name": video.name,
            "path": str(video.path),
            "label_space": result.label_space,
            "num_frames": result.num_frames,
            "height": result.height,
            "width": result.width,
            "fps": result.fps,
            "frame_times": result.frame_times,
            "truncated": result.truncated,
            "taxonomy": [[one.name, one.score] for one in result.taxonomy],
        }
        start = json.dumps({"format": RESULT_FORMAT, "video": header})
        path = self.result_path(video)
        with replacing(path) as draft, open(draft, "w", encoding="utf-8") as stream:
            stream.write(start.removesuffix("}") + ',\n"tracks": [')
            for number, entry in enumerate(track_entries(result, video.id)):
                stream.write((",\n" if number else "\n") + json.dumps(entry))
            stream.write("]}\n")

    def read_result(self, video: ListedVideo) -> dict[str, Any]:
        """Read what :meth:`write_result` wrote.

        Raises:
            InferenceError: If it is damaged.
        """
        path = self.result_path(video)
        try:
            content = json.loads(path.read_bytes())
            if content["format"] == RESULT_FORMAT and content["video"]["id"] == (
                video.id
            ):
                return content
        except (KeyError, TypeError, ValueError, RecursionError):
            pass
        raise InferenceError(
            f"{path} is no result of this run ({RESULT_FORMAT}); delete it and run "
            "the same command again"
        )

    def remove_work(self, video: ListedVideo) -> None:
        """Remove what a worker that was killed after the result left."""
        if self.work_path(video).exists():
            shutil.rmtree(self.work_path(video), ignore_errors=True)

    def note_failure(self, video: ListedVideo, reason: str) -> None:
        """Append a line to ``failed.jsonl``."""
        row = {"name": video.name, "path": str(video.path), "reason": reason}
        with (
            claimed(self.failures_path, wait=True),
            open(self.failures_path, "ab+") as stream,
        ):
            stream.seek(max(0, stream.tell() - 1))
            cut = stream.read(1) not in (b"", b"\n")  # a worker died while it wrote
            stream.write(b"\n" * cut + json.dumps(row).encode() + b"\n")

    def tidy_failures(self, videos: Sequence[ListedVideo]) -> dict[str, str]:
        """Keep the latest reason of each video that still has no result.

        Args:
            videos: All videos of the run; the lines get their order.

        Returns:
            The reasons, by name.
        """
        with claimed(self.failures_path, wait=True):
            noted = self._failures()
            failed = [v for v in videos if v.name in noted and not self.is_done(v)]
            rows = [noted[video.name] for video in failed]
            if rows:
                lines = [json.dumps(row).encode() + b"\n" for row in rows]
                write_atomically(self.failures_path, b"".join(lines))
            else:
                self.failures_path.unlink(missing_ok=True)
        return {row["name"]: row["reason"] for row in rows}

    def _failures(self) -> dict[str, Mapping[str, str]]:
        if not self.failures_path.exists():
            return {}
        noted = {}
        for line in self.failures_path.read_bytes().splitlines():
            try:
                row = json.loads(line)
                noted[row["name"]] = {k: row[k] for k in ("name", "path", "reason")}
            except (KeyError, TypeError, ValueError):
                continue  # cut when a worker died; its video has no result and shows up
        return noted
