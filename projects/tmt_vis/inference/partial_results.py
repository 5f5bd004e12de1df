"""Keep the finished windows of a run, so that an interruption costs one window.

A file of JSON lines: a header with the key of the run, one line per window, and, once
the video has ended, a line with what is known then.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .window_prediction import WindowPrediction

_FORMAT = 2


def run_key(facts: Mapping[str, Any]) -> str:
    """Hash everything that the windows of a run depend on.

    Args:
        facts: JSON data, e.g. input, weights, pipeline and windows.

    Returns:
        SHA-256 in hex.
    """
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class StoredRun:
    """What an interrupted run left.

    Args:
        windows: Finished windows, in order.
        end: Facts of the ended video; None if it had not ended.
    """

    windows: tuple[WindowPrediction, ...] = ()
    end: Mapping[str, Any] | None = None


class PartialResults:
    """The partial file of one run on one video.

    Args:
        folder: Where it lies.
        name: Name of the video.
        key: Of the run, see :func:`run_key`. It is part of the file name, so runs
            with other settings never meet.
    """

    def __init__(self, folder: Path, *, name: str, key: str) -> None:
        self.path = folder / f".{name}.{key[:16]}.partial.jsonl"
        self._key = key

    def exists(self) -> bool:
        """Tell whether an earlier run with this key left something."""
        return self.path.is_file()

    def read(self) -> StoredRun:
        """Read what is there; a line that was cut while it was written is dropped."""
        if not self.exists():
            return StoredRun()
        lines = self._whole_lines()
        if next(lines, None) != self._header():
            return StoredRun()
        windows, end = [], None
        for line in lines:
            if "end" in line:
                end = line["end"]
            else:
                windows.append(WindowPrediction.from_dict(line["window"]))
        return StoredRun(tuple(windows), end)

    def begin(self, stored: StoredRun) -> None:
        """Start the file anew with the windows that stay."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(self.path.name + ".new")
        with open(draft, "wb") as stream:
            stream.write(_line(self._header()))
            for window in stored.windows:
                stream.write(_line({"window": window.to_dict()}))
            if stored.end is not None:
                stream.write(_line({"end": stored.end}))
        os.replace(draft, self.path)

    def append(self, window: WindowPrediction) -> None:
        """Add a finished window; it is on the disk when this returns."""
        self._append({"window": window.to_dict()})

    def end(self, facts: Mapping[str, Any]) -> None:
        """Note that the video has ended."""
        self._append({"end": facts})

    def remove(self) -> None:
        """Delete the file, when the results are written elsewhere."""
        self.path.unlink(missing_ok=True)

    def _append(self, content: Mapping[str, Any]) -> None:
        with open(self.path, "ab") as stream:
            stream.write(_line(content))
            stream.flush()
            os.fsync(stream.fileno())

    def _whole_lines(self) -> Iterator[Mapping[str, Any]]:
        with open(self.path, "rb") as stream:
            for line in stream:
                try:
                    yield json.loads(line)
                except ValueError:
                    return  # computed again, like everything after it

    def _header(self) -> dict[str, Any]:
        return {"format": _FORMAT, "key": self._key}


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"
