"""Encoders of video files: PyAV's H.264 where it is installed, else OpenCV's VP9.

PyAV is an option (requirements/video.txt) and no default: its wheels hold x264, whose
licence is the GPL. Measured on two cores, a frame of 720p takes 21 ms in H.264 (PyAV)
and 280 ms in VP9 (OpenCV, which offers no faster setting), at the same quality.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.logging import MMLogger

try:
    import av
except ImportError:
    av = None

H264, VP9, MPEG4 = "H.264", "VP9", "MPEG-4 Part 2"
_TICKS = 90_000  # per second, for frames at uneven times
_LIBRARY = {H264: "libx264", VP9: "libvpx-vp9"}
_OPTIONS = {
    H264: {"preset": "veryfast", "crf": "20"},
    VP9: {"deadline": "realtime", "cpu-used": "8", "crf": "30", "b": "0"},
}
_SMPTE170M = 6  # the matrix that RGB is converted with here, told to players


class Container(NamedTuple):
    """What a suffix stands for.

    Args:
        muxer: FFmpeg's name.
        codec: What PyAV writes into it; None leaves it to OpenCV.
        codes: OpenCV's codes and what they stand for, best first.
    """

    muxer: str
    codec: str | None
    codes: tuple[tuple[str, str], ...]


CONTAINERS = {
    ".mp4": Container("mp4", H264, (("vp09", VP9), ("mp4v", MPEG4))),
    ".mov": Container("mov", H264, (("mp4v", MPEG4),)),
    ".mkv": Container("matroska", H264, (("VP90", VP9), ("XVID", MPEG4))),
    ".webm": Container("webm", VP9, (("VP90", VP9),)),
    # Of its time: no browser plays it, whatever is inside, and it has one rate.
    ".avi": Container("avi", None, (("XVID", MPEG4),)),
}


def encode(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    fps: float,
    times: Sequence[float] | None,
) -> tuple[int, str]:
    """Write frames to a new file.

    Args:
        path: Its suffix says which container it is.
        frames: (H, W, 3) uint8 RGB of one size.
        fps: Frames per second.
        times: Seconds at which the frames are shown; None means evenly.

    Returns:
        Number of frames and the codec.

    Raises:
        OSError: If it cannot be encoded or is not complete afterwards.
    """
    container = CONTAINERS[path.suffix.lower()]
    even = map(_pad_to_even, frames)
    if container.codec is not None and has_encoder(container.codec):
        count = _encode_with_av(path, even, container, fps, times)
        found = _count_with_av(path) if count else 0
        codec = container.codec
    else:
        count, codec = _encode_with_opencv(path, even, container, _mean(fps, times))
        found = _count_with_opencv(path) if count else 0
        if times is not None:
            MMLogger.get_current_instance().warning(
                f"{path.name}: the frames of this video come at uneven times, which "
                f"{'AVI' if container.codec is None else 'OpenCV'} cannot write; they "
                "are shown evenly, in the same time. The times are in the JSON; *.mp4 "
                "keeps them with PyAV (pip install av)"
            )
    if found != count:
        raise OSError(
            f"{count} frames were written to {path} and {found} are in the file; is "
            "the disk full?"
        )
    return count, codec


def note_codec(path: Path, codec: str) -> None:
    """Say where a file does not play, and the remedy."""
    logger = MMLogger.get_current_instance()
    if codec == MPEG4:
        logger.warning(
            f"{path} is {MPEG4}, which browsers do not play; write *.mp4 with PyAV "
            f"(pip install av), or: ffmpeg -i {path} -c:v libx264 -pix_fmt yuv420p "
            f"{path.with_name(path.stem + '_h264.mp4')}"
        )
    elif codec == VP9 and path.suffix.lower() != ".webm":
        _note_vp9()


@cache
def _note_vp9() -> None:
    MMLogger.get_current_instance().info(
        "videos are VP9, which browsers play and QuickTime does not; with PyAV (pip "
        "install av) they are H.264, and written ten times as fast"
    )


@cache
def has_encoder(codec: str) -> bool:
    """Tell whether PyAV is installed and can write a codec."""
    if av is None:
        return False
    try:
        av.codec.Codec(_LIBRARY[codec], "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _encode_with_av(
    path: Path,
    frames: Iterable[np.ndarray],
    container: Container,
    fps: float,
    times: Sequence[float] | None,
) -> int:
    rate = Fraction(_mean(fps, times)).limit_denominator(1001)
    ticks = _ticks(times)
    flags = {"movflags": "faststart"} if container.muxer in ("mp4", "mov") else {}
    stream, count = None, 0
    with av.open(str(path), "w", format=container.muxer, options=flags) as file:
        for frame in frames:
            if stream is None:
                stream = file.add_stream(_LIBRARY[container.codec], rate=rate)
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = _OPTIONS[container.codec]
                stream.codec_context.colorspace = _SMPTE170M
                if ticks is not None:
                    stream.codec_context.time_base = Fraction(1, _TICKS)
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.time_base = Fraction(1, _TICKS) if ticks else 1 / rate
            picture.pts = ticks[count] if ticks else count
            if ticks:
                picture.duration = ticks[count + 1] - ticks[count]
            file.mux(stream.encode(picture))
            count += 1
        if stream is not None:
            file.mux(stream.encode(None))
    return count


def _ticks(times: Sequence[float] | None) -> list[int] | None:
    """Turn times into ticks that rise, and add the end of the last frame."""
    if times is None:
        return None
    ticks: list[int] = []
    for time in [*times, times[-1] + 1 / _mean(1.0, times)]:
        tick = round((time - times[0]) * _TICKS)
        ticks.append(max(tick, ticks[-1] + 1) if ticks else tick)
    return ticks


def _mean(fps: float, times: Sequence[float] | None) -> float:
    """Return the rate at which all frames together take as long as they should."""
    if times is None or len(times) < 2 or times[-1] <= times[0]:
        return fps
    return (len(times) - 1) / (times[-1] - times[0])


def _count_with_av(path: Path) -> int:
    """Count the packets of a finished file; none is decoded."""
    with av.open(str(path)) as file:
        return sum(bool(packet.size) for packet in file.demux(video=0))


def _encode_with_opencv(
    path: Path, frames: Iterator[np.ndarray], container: Container, fps: float
) -> tuple[int, str]:
    first = next(frames, None)
    if first is None:
        return 0, container.codes[0][1]
    writer, codec = _open_writer(path, container, fps, (first.shape[1], first.shape[0]))
    count = 0
    try:
        for frame in _chain(first, frames):
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
            count += 1
    finally:
        writer.release()
    return count, codec


def _chain(first: np.ndarray, others: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from others


def _open_writer(
    path: Path, container: Container, fps: float, size: tuple[int, int]
) -> tuple[cv2.VideoWriter, str]:
    for code, codec in container.codes:
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), fps, size)
        if writer.isOpened():
            return writer, codec
    raise OSError(
        f"OpenCV cannot write {path}; is its folder writable, and is this an OpenCV "
        "with video support? PyAV (pip install av) needs none"
    )


def _count_with_opencv(path: Path) -> int:
    """Count the frames of a finished file: OpenCV is silent about a full disk."""
    capture = cv2.VideoCapture(str(path))
    try:
        if path.suffix.lower() not in (".mkv", ".webm"):
            is_open = capture.isOpened()
            return int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if is_open else 0
        count = 0  # Matroska has no table of frames; what is said is an estimate
        while capture.grab():
            count += 1
        return count
    finally:
        capture.release()


def _pad_to_even(frame: np.ndarray) -> np.ndarray:
    """Repeat the last row or column: chroma has half resolution in every video."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
