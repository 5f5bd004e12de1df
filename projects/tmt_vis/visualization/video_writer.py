"""Rendered frames to video files and GIF. Frames are (H, W, 3) uint8 RGB."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tmt_vis.files import replacing

from .video_encoders import CONTAINERS, encode, note_codec

VIDEO_SUFFIXES = (*CONTAINERS, ".gif")
# Names that promise a video or a picture, and that nothing here writes.
_OTHER_SUFFIXES = (
    *(".3gp", ".asf", ".divx", ".f4v", ".flv", ".h264", ".h265", ".hevc", ".m2ts"),
    *(".m4v", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".wmv", ".y4m"),
    *(".apng", ".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
)
_GIF_SAMPLES = 8  # frames the common palette of a GIF is made from
_GIF_LEAST_DELAY = 2  # hundredths of a second; browsers slow shorter ones down


class WrittenVideo(NamedTuple):
    """What a video file holds."""

    num_frames: int
    codec: str


def is_video_name(path: str | Path) -> bool:
    """Tell whether a path has the suffix of a video or picture, in any case."""
    suffix = Path(path).suffix.lower()
    return suffix in (*VIDEO_SUFFIXES, *_OTHER_SUFFIXES)


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    fps: float,
    times: Sequence[float] | None = None,
) -> WrittenVideo:
    """Write frames as a video or GIF, by the suffix of the path.

    Args:
        path: One of :data:`VIDEO_SUFFIXES`, in any case; its folder is made if needed.
        frames: Images of one size.
        fps: Frames per second.
        times: Seconds at which the frames are shown, for uneven rates; None means
            evenly.

    Returns:
        The number of frames written and their codec: H.264 with PyAV, else VP9.

    Raises:
        ValueError: If the suffix is another, ``fps`` is no rate, there are no frames or
            sizes differ.
        OSError: If the video cannot be encoded, or the file is not complete. What was
            at ``path`` then stays.
    """
    path = Path(path)
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise ValueError(
            f"path must end in {', '.join(VIDEO_SUFFIXES)}, got {path.name}"
        )
    if not 0 < fps < float("inf"):
        raise ValueError(f"fps must be a number > 0, got {fps}")
    with replacing(path) as draft:
        if path.suffix.lower() == ".gif":
            count, codec = _write_gif(draft, _checked(frames), fps, times), "GIF"
        else:
            count, codec = encode(draft, _checked(frames), fps=fps, times=times)
        if not count:
            raise ValueError(f"no frames to write to {path}")
    note_codec(path, codec)
    return WrittenVideo(count, codec)


def _checked(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
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


def _write_gif(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: float,
    times: Sequence[float] | None,
) -> int:
    """Write all frames with one palette; a palette per frame makes colours flicker."""
    images = [Image.fromarray(frame) for frame in frames]
    if not images:
        return 0
    palette = _common_palette(images)
    indexed = [
        image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images
    ]
    indexed[0].save(
        path,
        format="GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=_gif_delays(len(images), fps, times),
        loop=0,
    )
    return len(images)


def _gif_delays(count: int, fps: float, times: Sequence[float] | None) -> list[int]:
    """Return milliseconds per frame: GIF counts hundredths, the sum stays right."""
    if times is None:
        times = [number / fps for number in range(count)]
    shown = [*times, times[-1] + (times[-1] - times[-2] if count > 1 else 1 / fps)]
    ticks = np.round(100 * (np.array(shown) - shown[0])).astype(int)
    return (10 * np.maximum(np.diff(ticks), _GIF_LEAST_DELAY)).tolist()


def _common_palette(images: Sequence[Image.Image]) -> Image.Image:
    at = np.unique(np.linspace(0, len(images) - 1, _GIF_SAMPLES).round().astype(int))
    wide = np.concatenate([np.asarray(images[i]) for i in at])
    return Image.fromarray(wide).quantize(colors=256, method=Image.Quantize.MEDIANCUT)
