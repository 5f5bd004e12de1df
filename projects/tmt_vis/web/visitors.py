"""What the page remembers of each visitor, and that it forgets all of it."""

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .errors import WebError
from .jobs import Job
from .limits import Limits
from .runs import Run


class Visitor:
    """One open tab: its video, its job and its results, in a folder of its own.

    Args:
        folder: New folder.
        limits: What the visitor may ask for.

    Attributes:
        token: Names the visitor in addresses; cannot be guessed.
        video: The video to look at; None before there is one.
        runs: Finished predictions of the latest job.
        job: The latest job.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.token = secrets.token_urlsafe(16)
        self.folder, self.limits = folder, limits
        self.video: Path | None = None
        self.runs: list[Run] = []
        self.job: Job[list[Run]] | None = None
        self.last_seen = time.monotonic()
        self.is_closed = False
        # Of the latest job; corrections of its results are drawn on it.
        self._used: Path | None = None
        self._lock = threading.Lock()
        folder.mkdir()

    def new_folder(self) -> Path:
        """Name a folder that does not exist yet."""
        return self.folder / secrets.token_hex(8)

    def take_video(self, path: Path) -> None:
        """Look at another video from now on; an upload before it is removed.

        Args:
            path: A file in a folder below this visitor's, or one that ships.
        """
        with self._lock:
            self._remove_video(self.video, keep=(path, self._used))
            self.video = path

    def start(
        self, work: Callable[[Job[list[Run]]], list[Run]], places: threading.Semaphore
    ) -> Job[list[Run]]:
        """Start a job whose results take the place of the earlier ones.

        Raises:
            WebError: If the page is closed, or another job runs.
        """
        with self._lock:
            if self.is_closed:
                raise WebError("this page was closed; reload it")
            if self.job is not None and self.job.is_running:
                if not self.job.is_cancelled:
                    raise WebError("a video is being predicted; cancel it first")
                self.job.join()  # a cancelled one ends within a layer
            for run in self.runs:
                self._remove(run.folder)
            self._remove_video(self._used, keep=(self.video,))
            self.runs, self._used = [], self.video
            self.job = Job(work, places=places)
            return self.job

    def cancel(self) -> None:
        """Stop the job, if there is one."""
        if self.job is not None:
            self.job.cancel()

    def close(self) -> None:
        """Stop the job and delete the visitor's files."""
        with self._lock:
            self.is_closed = True
            self.cancel()
            if self.job is not None:
                self.job.join()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _remove_video(self, video: Path | None, keep: Sequence[Path | None]) -> None:
        if video is not None and video not in keep:
            self._remove(video.parent)

    def _remove(self, folder: Path) -> None:
        if folder.is_relative_to(self.folder) and folder != self.folder:
            shutil.rmtree(folder, ignore_errors=True)


class Visitors:
    """All open tabs, by the name that the server gives each.

    Args:
        root: Folder for the visitors' folders.
        limits: What each of them may ask for.
    """

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root, self.limits = root, limits
        self.places = threading.BoundedSemaphore(limits.jobs)
        self._visitors: dict[str, Visitor] = {}
        self._lock = threading.Lock()

    def of(self, session: str) -> Visitor:
        """Return the visitor of a session, a new one if need be."""
        with self._lock:
            if session not in self._visitors:
                folder = self.root / secrets.token_hex(8)
                self._visitors[session] = Visitor(folder, self.limits)
            visitor = self._visitors[session]
            visitor.last_seen = time.monotonic()
            return visitor

    def by_token(self, token: str) -> Visitor | None:
        """Find a visitor by the token in an address."""
        with self._lock:
            return next((v for v in self._visitors.values() if v.token == token), None)

    def run(self, token: str) -> Run | None:
        """Find a finished prediction by the token in an address."""
        with self._lock:
            runs = [run for v in self._visitors.values() for run in v.runs]
        return next((run for run in runs if run.token == token), None)

    def close(self, session: str) -> None:
        """Forget a visitor; waits until the visitor's work has stopped."""
        with self._lock:
            visitor = self._visitors.pop(session, None)
        if visitor is not None:
            visitor.close()

    def close_idle(self) -> None:
        """Forget visitors who went away without a word: a lost network, say."""
        limit = time.monotonic() - 60 * self.limits.idle_minutes
        with self._lock:
            idle = [
                session
                for session, visitor in self._visitors.items()
                if visitor.last_seen < limit
                and not (visitor.job is not None and visitor.job.is_running)
            ]
        for session in idle:
            self.close(session)

    def close_all(self) -> None:
        """Forget everybody: the server ends."""
        with self._lock:
            sessions = list(self._visitors)
        for session in sessions:
            self.close(session)
