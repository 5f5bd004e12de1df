"""What every labelling tool's files become before they are written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tmt_vis.datasets.errors import FrameError
from tmt_vis.datasets.frame_files import common_size, read_header

from ..errors import ConversionError
from ..findings import Findings


@dataclass
class SourceTrack:
    """One object of one video.

    Args:
        label: What the source calls it, for messages.
        category: Category name as the source spells it.
        masks: Frame index -> compressed counts; a frame that is not there is absent.
        is_crowd: A region of many objects, which is never trained on.
        track_id: What the source numbers it with in its video, if it does; kept in
            the native file.
    """

    label: str
    category: str
    masks: dict[int, bytes] = field(default_factory=dict)
    is_crowd: bool = False
    track_id: str | None = None


@dataclass
class SourceVideo:
    """One video; ``file_names`` are relative to the image root, in frame order."""

    name: str
    height: int
    width: int
    file_names: tuple[str, ...]
    tracks: list[SourceTrack]


@dataclass
class Source:
    """The videos of one conversion, read one by one.

    Args:
        categories: The source's own list, in its order; None means the names that
            occur, sorted.
        image_root: What ``file_names`` are relative to.
        num_videos: How many ``videos`` yields.
        videos: The videos.
        findings: What is skipped or changed on the way; complete after the last video.
    """

    categories: tuple[str, ...] | None
    image_root: Path
    num_videos: int
    videos: Iterator[SourceVideo]
    findings: Findings


def relative_names(frames: list[Path], image_root: Path) -> tuple[str, ...]:
    """Spell frames as the native format does: relative, with slashes.

    Raises:
        ConversionError: If a frame is not below the folder of the frames.
    """
    try:
        return tuple(frame.relative_to(image_root).as_posix() for frame in frames)
    except ValueError as error:
        raise ConversionError(
            f"{error}; name the folder that all frames are in with --images"
        ) from error


def frame_size(
    frames: list[Path],
    video: str,
    *,
    findings: Findings,
    declared: tuple[int, int] | None = None,
) -> tuple[int, int]:
    """Read the size of a video's frames, as they are shown.

    Args:
        frames: The frame files.
        video: Name for messages.
        findings: Takes files of several images.
        declared: H, W the annotations were made for, if they say it.

    Returns:
        H, W in pixels.

    Raises:
        ConversionError: If a frame cannot be read, or sizes differ.
    """
    try:
        headers = {path: read_header(path) for path in frames}
        size = common_size(headers)
    except FrameError as error:
        raise ConversionError(f"video {video!r}: {error}") from error
    for path, header in headers.items():
        if header.num_images > 1:
            what = "frame files of several images, of which the first is read"
            findings.add(what, f"{path}: {header.num_images} images")
    if declared is not None:
        check_size(declared, size, frames[0], f"video {video!r}")
    return size


def check_size(
    declared: tuple[int | None, int | None],
    size: tuple[int, int],
    frame: Path,
    where: str,
) -> None:
    """Compare the size that annotations were made at with that of the frames.

    Args:
        declared: H, W; None where nothing is said.
        size: H, W of the frames.
        frame: One of them.
        where: What declares the size, for the message.

    Raises:
        ConversionError: If they differ.
    """
    if all(a in (None, b) for a, b in zip(declared, size, strict=True)):
        return
    raise ConversionError(
        f"{where}: labelled at {declared[0]}x{declared[1]} (height x width) but "
        f"{frame} is {size[0]}x{size[1]}; use the frames that were labelled"
    )
