"""Frames of images and arrays, one by one.

A frame is an (H, W, 3) uint8 BGR array, the channel order of the training pipeline.
Nobody keeps frames here: memory is one frame, whatever the length of the video.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import mmcv
import numpy as np

from tmt_vis.image_content import check_header, is_animated

from .errors import FrameSourceError
from .frame_timing import FrameTiming

DEFAULT_FPS = 10.0  # of inputs that know none
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


class FrameSource(ABC):
    """Frames of one size, in order.

    Args:
        name: Name of the video; output files derive theirs from it.
        size: ``(H, W)`` of every frame.
        fps: Frames per second; None means :data:`DEFAULT_FPS`.
        num_frames: Frames to expect; None if unknown.
    """

    resumable: ClassVar[bool] = True
    endless: ClassVar[bool] = False

    def __init__(
        self,
        *,
        name: str,
        size: tuple[int, int],
        fps: float | None,
        num_frames: int | None,
    ) -> None:
        if fps is not None and not (np.isfinite(fps) and fps > 0):
            raise FrameSourceError(
                f"frames per second must be a number > 0, got {fps}; leave them out to "
                f"take those of the input, or {DEFAULT_FPS:g}"
            )
        self.name = name
        self.height, self.width = size
        self.fps = fps or DEFAULT_FPS
        self.num_frames = num_frames
        # Width of a pixel over its height; masks count pixels, pictures are stretched.
        self.pixel_aspect = 1.0
        # Why reading ended before the announced end; known once it has ended.
        self.truncated: str | None = None

    @abstractmethod
    def identity(self) -> str:
        """Return what tells this input from any other, to resume a run on it."""

    def timing(self, num_frames: int) -> FrameTiming:
        """Say when the first frames are shown; known once they have been read.

        Args:
            num_frames: Frames that count.
        """
        return FrameTiming(self.fps)

    def end_facts(self) -> dict[str, Any]:
        """Return what reading found out, as JSON data."""
        return {"truncated": self.truncated}

    def restore_end(self, facts: Mapping[str, Any]) -> None:
        """Take over what an earlier run that read the video to its end found out."""
        self.truncated = facts["truncated"]

    def frames(self, start: int = 0) -> Iterator[np.ndarray]:
        """Read the frames from number ``start`` on.

        Yields:
            (H, W, 3) uint8 BGR.

        Raises:
            FrameSourceError: If a frame has another size, or an image is broken.
        """
        size = (self.height, self.width)
        for number, frame in enumerate(self._read(start), start):
            if frame.shape[:2] != size:
                raise FrameSourceError(
                    f"all frames of a video must have one size: {self._where(number)} "
                    f"is {frame.shape[0]}x{frame.shape[1]} (height x width), the first "
                    f"one is {size[0]}x{size[1]}; resize or separate them"
                )
            yield frame

    @abstractmethod
    def _read(self, start: int) -> Iterator[np.ndarray]:
        """Read frames of any size."""

    def _where(self, number: int) -> str:
        return f"frame {number} of {self.name}"


class ArrayFrames(FrameSource):
    """Frames that are in memory already.

    Args:
        arrays: T arrays (H, W, 3) uint8 BGR, or one (T, H, W, 3).
        name: Name of the video.
        fps: Frames per second.

    Raises:
        FrameSourceError: If there is none, or one has another form.
    """

    def __init__(
        self,
        arrays: Sequence[np.ndarray],
        *,
        name: str = "video",
        fps: float | None = None,
    ) -> None:
        if not len(arrays):
            raise FrameSourceError("a video needs at least one frame, got none")
        for number, array in enumerate(arrays):
            shape = getattr(array, "shape", None)
            is_frame = shape is not None and len(shape) == 3 and shape[2] == 3
            if not is_frame or array.dtype != np.uint8:
                got = type(array).__name__ if shape is None else (array.dtype, shape)
                raise FrameSourceError(
                    "frames must be (H, W, 3) uint8 arrays in BGR order, got "
                    f"{got} at {number}"
                )
        self._arrays = arrays
        super().__init__(
            name=name,
            size=arrays[0].shape[:2],
            fps=fps,
            num_frames=len(arrays),
        )

    def identity(self) -> str:
        """Hash the pixels."""
        return digest(array.tobytes() for array in self._arrays)

    def _read(self, start: int) -> Iterator[np.ndarray]:
        yield from self._arrays[start:]


class ImageFiles(FrameSource):
    """Image files as the frames of a video.

    Args:
        paths: T files, in order.
        name: Name of the video.
        fps: Frames per second.
        backend: mmcv image backend, as in ``LoadClipFrames``.

    Raises:
        FrameSourceError: If there is none, or the first one is broken.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        name: str,
        fps: float | None = None,
        backend: str = "cv2",
    ) -> None:
        if not paths:
            raise FrameSourceError(f"{name} holds no image")
        self.paths = tuple(paths)
        self._backend = backend
        super().__init__(
            name=name,
            size=read_image(self.paths[0], backend).shape[:2],
            fps=fps,
            num_frames=len(paths),
        )

    def identity(self) -> str:
        """Hash names, sizes and times of the files."""
        return digest(map(file_identity, self.paths))

    def _read(self, start: int) -> Iterator[np.ndarray]:
        for path in self.paths[start:]:
            yield read_image(path, self._backend)

    def _where(self, number: int) -> str:
        return str(self.paths[number])


def read_image(path: Path, backend: str = "cv2") -> np.ndarray:
    """Read an image file as ``LoadClipFrames`` does.

    Args:
        path: The file.
        backend: mmcv image backend.

    Returns:
        (H, W, 3) uint8 BGR.

    Raises:
        FrameSourceError: If it is missing, truncated or no image.
    """
    try:
        content = path.read_bytes()
        # OpenCV before 5 fills the missing part of a cut JPEG with grey.
        is_cut = content.startswith(_JPEG_START) and _JPEG_END not in content
        check_header(content)
        frame = None if is_cut else mmcv.imfrombytes(content, "color", backend=backend)
    except (OSError, ValueError, cv2.error) as error:
        raise FrameSourceError(
            f"{path}: cannot be read as an image ({error})"
        ) from error
    if is_animated(content):
        raise FrameSourceError(
            f"{path}: is an animation and not one frame; give it alone, as a video"
        )
    if frame is None:
        raise FrameSourceError(f"{path}: not a complete image; copy it again")
    return frame


def file_identity(path: Path) -> bytes:
    """Name, size and time of a file: cheap, and another file has others."""
    status = path.stat()
    facts = [str(path.resolve()), status.st_size, status.st_mtime_ns]
    return json.dumps(facts).encode()


def digest(parts: Iterable[bytes]) -> str:
    """Hash byte strings so that no other list of strings has the same hash."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
