"""Frames that OpenCV decodes: video files and cameras."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.logging import MMLogger

from tmt_vis.image_content import check_claimed_size

from .errors import FrameSourceError
from .frame_sources import FrameSource, digest, file_identity
from .frame_timing import FrameTiming, timing_of


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
        try:
            _check_claim(capture, path)
            frame = _first_frame(capture)
            announced, own_fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), _fps(capture)
            aspect = _pixel_aspect(capture)
        finally:
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
        self.pixel_aspect = aspect
        self._has_rate = fps is not None  # of the user; then the file's does not count
        self._times: list[float] = []

    def timing(self, num_frames: int) -> FrameTiming:
        """Say when the first frames are shown; known once they have been read."""
        if self._has_rate:
            return FrameTiming(self.fps)
        return timing_of(self._times[:num_frames], self.fps)

    def end_facts(self) -> dict[str, Any]:
        """Return what reading found out, as JSON data."""
        return {**super().end_facts(), "times": self._times}

    def restore_end(self, facts: Mapping[str, Any]) -> None:
        """Take over what an earlier run that read the video to its end found out."""
        super().restore_end(facts)
        self._times = facts.get("times", [])

    def identity(self) -> str:
        """Hash name, size and time of the file."""
        return digest([file_identity(self.path)])

    def _read(self, start: int) -> Iterator[np.ndarray]:
        self.truncated, self._times = None, []
        capture = cv2.VideoCapture(str(self.path))
        try:
            # Decoded, not sought: seeking is off by some frames in many containers.
            while capture.grab():
                self._times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
                if len(self._times) <= start:
                    continue
                decoded, frame = capture.retrieve()
                if not decoded:
                    break
                yield frame
        finally:
            capture.release()
        self._note_end(len(self._times))

    def _note_end(self, count: int) -> None:
        # Of uneven times the number is an estimate that may be twice too high.
        rate = timing_of(self._times, self.fps).fps / self.fps
        expected = (self.num_frames or 0) * min(1.0, rate)
        if expected - count > max(2, self._ESTIMATE_ERROR * expected):
            self.truncated = (
                f"{self.path}: {count} of {expected:.0f} frames could be decoded"
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


def _check_claim(capture: cv2.VideoCapture, path: Path) -> None:
    """Refuse a file that claims frames its bytes cannot hold, before one is decoded."""
    width, height = (
        int(max(0, capture.get(key)))
        for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    try:
        check_claimed_size(width, height, path.stat().st_size)
    except ValueError as error:
        raise FrameSourceError(f"{path}: {error}") from error


def _pixel_aspect(capture: cv2.VideoCapture) -> float:
    """Return the width of a pixel over its height, as it is after rotation."""
    aspect = capture.get(cv2.CAP_PROP_SAR_NUM) / (
        capture.get(cv2.CAP_PROP_SAR_DEN) or 1.0
    )
    if not (np.isfinite(aspect) and aspect > 0):
        return 1.0
    turned = capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90
    return 1 / aspect if turned else aspect


def _fps(capture: cv2.VideoCapture) -> float | None:
    """Return the frames per second, None where the container says nonsense."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if np.isfinite(fps) and fps > 0 else None
