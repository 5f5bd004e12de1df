"""Keep what a camera showed, so that the result can be drawn over it."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from .errors import FrameSourceError
from .frame_sources import FrameSource, ImageFiles

_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


class RecordedSource(FrameSource):
    """Write each frame to a folder while it is read; read them from there afterwards.

    Args:
        source: Read once.
        folder: Existing, empty folder; frames are stored without loss.
    """

    def __init__(self, source: FrameSource, folder: Path) -> None:
        super().__init__(
            name=source.name,
            size=(source.height, source.width),
            fps=source.fps,
            num_frames=source.num_frames,
        )
        self.resumable, self.endless = source.resumable, source.endless
        self._source = source
        self._folder = folder
        self._paths: list[Path] = []

    def identity(self) -> str:
        """Identify the recording by what was recorded."""
        return self._source.identity()

    def _read(self, start: int) -> Iterator[np.ndarray]:
        if self._paths:
            recorded = ImageFiles(self._paths, name=self.name, fps=self.fps)
            yield from recorded.frames(start)
            return
        for number, frame in enumerate(self._source.frames(start), start):
            path = self._folder / f"{number:06d}.png"
            if not cv2.imwrite(str(path), frame, _FAST):
                raise FrameSourceError(f"{path} cannot be written; is the disk full?")
            self._paths.append(path)
            yield frame
        self.truncated = self._source.truncated
