"""Animated PNG and WebP files, which look like images and are videos."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tmt_vis.datasets.frame_files import orientation_of
from tmt_vis.image_content import check_claimed_size, is_animated

from .errors import FrameSourceError
from .frame_sources import FrameSource, digest, file_identity
from .frame_timing import FrameTiming, timing_of

_HEADER_BYTES = 65536
_LEAST_DELAY = 0.01  # seconds; files that say 0 mean "as fast as possible"
_TURNS = {  # by EXIF orientation, as viewers and OpenCV turn single pictures
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def is_animation(path: Path) -> bool:
    """Tell whether a file is an animated PNG or WebP."""
    with open(path, "rb") as stream:
        return is_animated(stream.read(_HEADER_BYTES))


class AnimatedImage(FrameSource):
    """The frames of an animated PNG or WebP, on black where they are transparent.

    They are turned as their EXIF tag says.

    Args:
        path: The file.
        fps: Overrides the times of the file.

    Raises:
        FrameSourceError: If it cannot be decoded.
    """

    def __init__(self, path: Path, *, fps: float | None = None) -> None:
        self.path = path
        with self._open() as image:
            self._orientation = orientation_of(image)
            size = image.size if self._orientation > 4 else image.size[::-1]
            count = image.n_frames
            # The picture for viewers that know no animation is no frame of it.
            self._first = int(getattr(image, "default_image", False))
        super().__init__(
            name=path.stem, size=size, fps=fps, num_frames=count - self._first
        )
        self._has_rate = fps is not None
        self._times: list[float] | None = None

    def timing(self, num_frames: int) -> FrameTiming:
        """Say when the first frames are shown, from the delays in the file."""
        if self._has_rate:
            return FrameTiming(self.fps)
        if self._times is None:
            self._times = self._read_times()
        return timing_of(self._times[:num_frames], self.fps)

    def identity(self) -> str:
        """Hash name, size and time of the file."""
        return digest([file_identity(self.path)])

    def _read(self, start: int) -> Iterator[np.ndarray]:
        turn = _TURNS.get(self._orientation)
        for image in self._images(start):
            frame = image.convert("RGB")
            frame = frame if turn is None else frame.transpose(turn)
            yield np.ascontiguousarray(np.asarray(frame)[..., ::-1])

    def _read_times(self) -> list[float]:
        times = [0.0]
        for image in self._images(0):
            delay = image.info.get("duration") or 0
            times.append(times[-1] + max(delay / 1000, _LEAST_DELAY))
        return times[:-1]

    def _images(self, start: int) -> Iterator[Image.Image]:
        with self._open() as image:
            for number in range(start + self._first, self.num_frames + self._first):
                try:
                    image.seek(number)
                    image.load()
                except (OSError, EOFError, SyntaxError, ValueError) as error:
                    raise FrameSourceError(
                        f"{self.path}: frame {number - self._first} cannot be decoded "
                        f"({error}); copy the file again"
                    ) from error
                yield image

    def _open(self) -> Image.Image:
        try:
            image = Image.open(self.path)
            check_claimed_size(*image.size, self.path.stat().st_size)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise FrameSourceError(f"{self.path}: cannot be read ({error})") from error
        return image
