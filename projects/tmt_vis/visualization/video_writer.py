"""Rendered frames to mp4 and GIF. Frames are (H, W, 3) uint8 RGB."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tmt_vis.files import replacing

_GIF_SAMPLES = 8  # frames the common palette of a GIF is made from


def write_video(path: str | Path, frames: Iterable[np.ndarray], *, fps: float) -> int:
    """Write frames as mp4 or GIF, by the ending of the path.

    Args:
        path: ``*.mp4`` or ``*.gif``; its folder is made if needed.
        frames: Images of one size.
        fps: Frames per second.

    Returns:
        Number of frames written.

    Raises:
        ValueError: If the ending is another, there are no frames or sizes differ.
        OSError: If OpenCV cannot encode the video, or the file is not complete. What
            was at ``path`` then stays.
    """
    path = Path(path)
    writers: dict[str, Callable[..., int]] = {".mp4": _write_mp4, ".gif": _write_gif}
    if path.suffix not in writers:
        raise ValueError(f"path must end in {' or '.join(writers)}, got {path.name}")
    if path.is_dir():
        raise OSError(f"cannot write {path}: there is a folder of this name")
    with replacing(path) as draft:
        count = writers[path.suffix](draft, _checked(frames), fps)
        if not count:
            raise ValueError(f"no frames to write to {path}")
    return count


def _checked(frames: Iterable[np.ndarray]) -> Iterable[np.ndarray]:
    """Pass frames on; refuse another size than that of the first."""
    shape = None
    for index, frame in enumerate(frames):
        shape = shape or frame.shape
        if frame.shape != shape or frame.dtype != np.uint8 or len(shape) != 3:
            raise ValueError(
                f"frames must be (H, W, 3) uint8 of one size, got {frame.dtype} "
                f"{frame.shape} at {index} after {shape}"
            )
        yield frame


def _write_mp4(path: Path, frames: Iterable[np.ndarray], fps: float) -> int:
    """Stream to MPEG-4 part 2, the one codec every OpenCV wheel can write."""
    writer, count = None, 0
    try:
        for frame in frames:
            even = _pad_to_even(frame)
            if writer is None:
                size = (even.shape[1], even.shape[0])
                code = cv2.VideoWriter_fourcc(*"mp4v")
                writer = cv2.VideoWriter(str(path), code, fps, size)
                if not writer.isOpened():
                    raise OSError(
                        f"OpenCV cannot write {path}; is its folder writable, and is "
                        "this an OpenCV with video support?"
                    )
            writer.write(cv2.cvtColor(even, cv2.COLOR_RGB2BGR))
            count += 1
    finally:
        if writer is not None:
            writer.release()
    if count:
        _check_complete(path, count)
    return count


def _check_complete(path: Path, count: int) -> None:
    """Read the table of frames back: OpenCV is silent about a disk that is full."""
    capture = cv2.VideoCapture(str(path))
    found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    capture.release()
    if found != count:
        raise OSError(
            f"{count} frames were written to {path} and {found} are in the file; is "
            "the disk full?"
        )


def _pad_to_even(frame: np.ndarray) -> np.ndarray:
    """Repeat the last row or column: chroma has half resolution in every mp4."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _write_gif(path: Path, frames: Iterable[np.ndarray], fps: float) -> int:
    """Write all frames with one palette; a palette per frame makes colours flicker."""
    images = [Image.fromarray(frame) for frame in frames]
    if not images:
        return 0
    palette = _common_palette(images)
    indexed = [
        image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images
    ]
    # GIF counts hundredths of a second, and browsers slow delays below 20 ms down.
    delay = max(20, round(1000 / fps / 10) * 10)
    indexed[0].save(
        path, save_all=True, append_images=indexed[1:], duration=delay, loop=0
    )
    return len(images)


def _common_palette(images: Sequence[Image.Image]) -> Image.Image:
    at = np.unique(np.linspace(0, len(images) - 1, _GIF_SAMPLES).round().astype(int))
    wide = np.concatenate([np.asarray(images[i]) for i in at])
    return Image.fromarray(wide).quantize(colors=256, method=Image.Quantize.MEDIANCUT)
