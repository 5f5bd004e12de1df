"""Frames as image files: their order, their folder, their size."""

import re
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from .errors import FrameError

IMAGE_SUFFIXES = frozenset(
    (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
)


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Sort key that counts: ``frame2`` comes before ``frame10``."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def is_image(path: Path) -> bool:
    """Tell by the suffix whether a file is a frame."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def frames_of(folder: Path) -> list[Path]:
    """List the frames of one folder in natural order, hidden files left out."""
    files = [path for path in folder.iterdir() if path.is_file()]
    images = [path for path in files if is_image(path) and path.name[0] != "."]
    return sorted(images, key=natural_key)


def image_size(path: Path) -> tuple[int, int]:
    """Read the size of an image from its header, without decoding it.

    Returns:
        H, W in pixels.

    Raises:
        FrameError: If the file is missing or not an image.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError as error:
        raise FrameError(f"{path}: does not exist") from error
    except (OSError, Image.DecompressionBombError) as error:
        raise FrameError(f"{path}: is not a readable image ({error})") from error


def common_size(paths: Iterable[Path]) -> tuple[int, int]:
    """Return the one size of all frames of a video.

    Returns:
        H, W in pixels.

    Raises:
        FrameError: If a frame cannot be read or two differ in size.
    """
    first: tuple[Path, tuple[int, int]] | None = None
    for path in paths:
        size = image_size(path)
        first = first or (path, size)
        if size != first[1]:
            raise FrameError(
                f"frames of one video must have one size: {first[0].name} is "
                f"{first[1][0]}x{first[1][1]} (height x width) and {path} is "
                f"{size[0]}x{size[1]}; resize them or make them two videos"
            )
    if first is None:
        raise FrameError("a video needs at least one frame")
    return first[1]
