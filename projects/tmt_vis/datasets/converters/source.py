"""What every labelling tool's files become before they are written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ConversionError, FrameError
from ..findings import Findings
from ..frame_files import common_size


@dataclass
class SourceTrack:
    """One object of one video.

    Args:
        label: What the source calls it, for messages.
        category: Category name as the source spells it.
        masks: Frame index -> compressed counts; a frame that is not there is absent.
        is_crowd: A region of many objects, which is never trained on.
    """

    label: str
    category: str
    masks: dict[int, bytes] = field(default_factory=dict)
    is_crowd: bool = False


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
    """Spell frames as the native format does: relative, with slashes."""
    return tuple(frame.relative_to(image_root).as_posix() for frame in frames)


def frame_size(
    frames: list[Path], video: str, *, declared: tuple[int, int] | None = None
) -> tuple[int, int]:
    """Read the size of a video's frames.

    Args:
        frames: The frame files.
        video: Name for messages.
        declared: H, W the annotations were made for, if they say it.

    Returns:
        H, W in pixels.

    Raises:
        ConversionError: If a frame cannot be read, or sizes differ.
    """
    try:
        size = common_size(frames)
    except FrameError as error:
        raise ConversionError(f"video {video!r}: {error}") from error
    if declared is not None and declared != size:
        raise ConversionError(
            f"video {video!r}: annotated at {declared[0]}x{declared[1]} (height x "
            f"width) but {frames[0]} is {size[0]}x{size[1]}; use the frames that were "
            "labelled"
        )
    return size
