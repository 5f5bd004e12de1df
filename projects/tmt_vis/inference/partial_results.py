"""Keep the finished windows of a run, so that an interruption costs little.

A file of JSON lines: a header with the key of the run, one line per window, and, once
the video has ended, a line with what is known then. Beside it, for a model that
remembers something from window to window, a file with the state behind one of the
latest windows: earlier states are of no use to anybody.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger

from tmt_vis.files import DISK_IS_FULL, file_name, replacing
from tmt_vis.streaming import TrackState, WindowPlan, WindowPrediction

_FORMAT = 4
# A state may grow with the video (GenVIS: 0.2 MB a clip). One that takes longer than
# this (seconds) is written so seldom that it costs a twentieth of the time; a run that
# goes on computes the windows behind it again.
_QUICK = 0.1
_TIMES_BETWEEN_STATES = 20


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
        state: Behind the last of them; None for a model that remembers nothing.
        end: Facts of the ended video; None if it had not ended.
    """

    windows: tuple[WindowPrediction, ...] = ()
    state: TrackState | None = None
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
        self.path = folder / f".{file_name(name)}.{key[:16]}.partial.jsonl"
        self._state_path = self.path.with_suffix(".state.json")
        self._key = key
        self._is_full = False  # the disk, as far as this file is concerned
        self._next_state = 0.0  # monotonic time before which no state is written

    def exists(self) -> bool:
        """Tell whether an earlier run with this key left something."""
        return self.path.is_file()

    def read(
        self,
        plan: WindowPlan,
        *,
        progress: Callable[[WindowPrediction], None] | None = None,
    ) -> StoredRun:
        """Read what is there, as far as it can be gone on with.

        A line that was cut while it was written, windows that do not follow each other
        as ``plan`` says, and windows behind the stored state are dropped with all that
        comes after them.

        Args:
            plan: The windows of the run.
            progress: Called with each window.
        """
        if not self.exists():
            return StoredRun()
        lines = self._whole_lines()
        if next(lines, None) != self._header():
            return StoredRun()
        windows: list[WindowPrediction] = []
        remembers = False
        for line in lines:
            if "end" in line:
                return StoredRun(tuple(windows), end=line["end"])
            try:
                window = WindowPrediction.from_dict(line["window"])
                remembers = line["remembers"]
            except (KeyError, TypeError, ValueError):
                break
            if not _follows(window, windows, plan):
                break
            windows.append(window)
            if progress is not None:
                progress(window)
        return self._with_state(windows) if remembers else StoredRun(tuple(windows))

    def _with_state(self, windows: list[WindowPrediction]) -> StoredRun:
        """Keep the windows up to the stored state, or nothing if they do not meet."""
        state = self._read_state()
        stops = [one.window.stop for one in windows]
        if state is None or state.stop not in stops:
            return StoredRun()
        return StoredRun(tuple(windows[: stops.index(state.stop) + 1]), state)

    def _read_state(self) -> TrackState | None:
        try:
            content = json.loads(self._state_path.read_bytes())
            known = content["key"] == self._key
            return TrackState.from_dict(content["state"]) if known else None
        except (FileNotFoundError, KeyError, TypeError, ValueError, RecursionError):
            return None  # without it, the windows are computed again

    def begin(self, stored: StoredRun) -> None:
        """Start the file anew with the windows that stay."""
        with (
            self._on_full_disk(),
            replacing(self.path) as draft,
            open(draft, "wb") as stream,
        ):
            stream.write(_line(self._header()))
            for window in stored.windows:
                stream.write(_window_line(window, stored.state))
            if stored.end is not None:
                stream.write(_line({"end": stored.end}))

    def append(self, window: WindowPrediction, state: TrackState | None = None) -> None:
        """Add a finished window and, if it is time, replace the state.

        On a full disk the run goes on without: its result may still fit.

        Args:
            window: Follows the last one.
            state: Behind it.
        """
        self._append(_window_line(window, state))
        start = time.monotonic()
        if state is None or self._is_full or start < self._next_state:
            return
        content = _line({"key": self._key, "state": state.to_dict()})
        with (
            self._on_full_disk(),
            replacing(self._state_path) as draft,
            open(draft, "wb") as stream,
        ):
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        end = time.monotonic()
        if end - start > _QUICK:
            self._next_state = end + _TIMES_BETWEEN_STATES * (end - start)

    def end(self, facts: Mapping[str, Any]) -> None:
        """Note that the video has ended."""
        self._append(_line({"end": facts}))

    def remove(self) -> None:
        """Delete the files, when the results are written elsewhere."""
        self.path.unlink(missing_ok=True)
        self._state_path.unlink(missing_ok=True)

    def _append(self, line: bytes) -> None:
        if self._is_full:
            return
        with self._on_full_disk(), open(self.path, "ab") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())

    @contextmanager
    def _on_full_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in DISK_IS_FULL:
                raise
            self._is_full = True
            MMLogger.get_current_instance().warning(
                f"{self.path}: {error.strerror}; the run goes on, but its windows are "
                "not kept from here on, so --resume will compute them again"
            )

    def _whole_lines(self) -> Iterator[Mapping[str, Any]]:
        with open(self.path, "rb") as stream:
            for line in stream:
                try:
                    content = json.loads(line)
                except (ValueError, RecursionError):
                    return  # computed again, like everything after it
                if not isinstance(content, dict):
                    return
                yield content

    def _header(self) -> dict[str, Any]:
        return {"format": _FORMAT, "key": self._key}


def _follows(
    window: WindowPrediction, before: list[WindowPrediction], plan: WindowPlan
) -> bool:
    """Tell whether a window is the next one; the last of a video may end anywhere."""
    stop = window.window.stop
    regular = plan.length + len(before) * plan.stride
    last = before[-1].window.stop if before else 0
    follows_regular = not before or last == regular - plan.stride
    return (
        follows_regular
        and last < stop <= regular
        and window.window == plan.window(stop, last)
    )


def _window_line(window: WindowPrediction, state: TrackState | None) -> bytes:
    return _line({"window": window.to_dict(), "remembers": state is not None})


def _line(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"
