"""Frames that OpenCV decodes: video files and cameras."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import MMLogger

from .errors import FrameSourceError
from .frame_sources import FrameSource, digest, file_identity


class VideoFile(FrameSource):
    """A video container that OpenCV can decode.

    Args:
        path: The file.
        fps: Overrides the frames per second of the file.

    Raises:
        FrameSourceError: If not even one frame can be decoded.
    """

    # Containers without a table of frames estimate their number from the duration.
    _ESTIMATE_ERROR = 0.01

    def __init__(self, path: Path, *, fps: float | None = None) -> None:
        self.path = path
        capture = cv2.VideoCapture(str(path))
        frame = _first_frame(capture)
        announced, own_fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), _fps(capture)
        capture.release()
        if frame is None:
            raise FrameSourceError(
                f"{path}: OpenCV cannot decode this file as a video; it is damaged, no "
                "video, or its codec is missing. `ffmpeg -i FILE -pix_fmt yuv420p "
                "OUT.mp4` makes one that can be read"
            )
        super().__init__(
            name=path.stem,
            size=frame.shape[:2],
            fps=fps or own_fps,
            num_frames=int(announced) if announced > 0 else None,
        )

    def identity(self) -> str:
        """Hash name, size and time of the file."""
        return digest([file_identity(self.path)])

    def _read(self, start: int) -> Iterator[np.ndarray]:
        self.truncated = None
        capture = cv2.VideoCapture(str(self.path))
        count = 0
        try:
            # Decoded, not sought: seeking is off by some frames in many containers.
            while count < start and capture.grab():
                count += 1
            while (decoded := capture.read())[0]:
                count += 1
                yield decoded[1]
        finally:
            capture.release()
        self._note_end(count)

    def _note_end(self, count: int) -> None:
        expected = self.num_frames or 0
        if expected - count > max(2, self._ESTIMATE_ERROR * expected):
            self.truncated = (
                f"{self.path}: {count} of {expected} frames could be decoded"
            )
            MMLogger.get_current_instance().warning(
                f"{self.truncated}; the rest of the file is damaged or missing, and "
                "the result covers the decoded part"
            )


class Camera(FrameSource):
    """A camera, by its index; it has no end and can be read once.

    Args:
        index: Number of the device.
        fps: Overrides what the driver says.

    Raises:
        FrameSourceError: If the camera gives no frame.
    """

    resumable = False
    endless = True

    def __init__(self, index: int, *, fps: float | None = None) -> None:
        self._capture = cv2.VideoCapture(index)
        frame = _first_frame(self._capture)
        if frame is None:
            raise FrameSourceError(
                f"camera {index} gives no frame; is it connected, free and permitted?"
            )
        self._first: np.ndarray | None = frame
        super().__init__(
            name=f"camera{index}",
            size=frame.shape[:2],
            fps=fps or _fps(self._capture),
            num_frames=None,
        )

    def identity(self) -> str:
        """Refuse: what a camera sees does not come back."""
        raise FrameSourceError(f"a run on {self.name} cannot be resumed; record it")

    def _read(self, start: int) -> Iterator[np.ndarray]:
        if start or self._first is None:
            raise FrameSourceError(f"{self.name} can be read once, from its beginning")
        frame, self._first = self._first, None
        count = 0
        try:
            while frame is not None:
                count += 1
                yield frame
                frame = self._capture.read()[1]
        finally:
            self._capture.release()
        self.truncated = f"{self.name} stopped after {count} frames"


def _first_frame(capture: cv2.VideoCapture) -> np.ndarray | None:
    if not capture.isOpened():
        return None
    decoded, frame = capture.read()
    return frame if decoded else None


def _fps(capture: cv2.VideoCapture) -> float | None:
    """Return the frames per second, None where the container says nonsense."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if np.isfinite(fps) and fps > 0 else None
