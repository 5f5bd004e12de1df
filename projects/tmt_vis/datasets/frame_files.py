"""Frames as image files: their order, their folder, their size."""

import os.path as osp
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from tmt_vis.annotations.values import with_slashes

from .errors import FrameError

IMAGE_SUFFIXES = frozenset(
    (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
)
_ORIENTATION = 274  # the tag of EXIF and of TIFF
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257


class ImageHeader(NamedTuple):
    """What an image file says about itself, without being decoded.

    Args:
        height: In pixels, as the image is shown and as OpenCV decodes it.
        width: The same.
        orientation: EXIF's number; 1 is as stored, 2 to 4 mirror or turn by 180
            degrees, 5 to 8 exchange height and width.
        num_images: More than one for animations and stacks, of which OpenCV decodes
            the first.
        is_deep: More than 8 bits per channel, of which OpenCV keeps the upper 8.
    """

    height: int
    width: int
    orientation: int
    num_images: int
    is_deep: bool


def natural_text_key(text: str) -> list[tuple[int, str]]:
    """Sort key of texts that counts: ``frame2`` comes before ``frame10``."""
    parts = re.split(r"(\d+)", text)
    digits = [part.lstrip("0") for part in parts]
    keys = [
        (len(digits[i]), digits[i]) if i % 2 else (-1, part)
        for i, part in enumerate(parts)
    ]
    return [*keys, (-1, text)]  # 01 and 1 are equal so far


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Sort key of files that counts, by their names."""
    return natural_text_key(path.name)


def is_image(path: Path) -> bool:
    """Tell by the suffix whether a file is a frame."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def frames_of(folder: Path) -> list[Path]:
    """List the frames of one folder in natural order, hidden files left out."""
    files = [path for path in folder.iterdir() if path.is_file()]
    images = [path for path in files if is_image(path) and path.name[0] != "."]
    return sorted(images, key=natural_key)


def locate_frame(root: str | Path, file_name: str) -> str:
    r"""Return the path of a frame; ``a\0.jpg`` is ``a/0.jpg`` if that is not there.

    Files written on Windows hold backslashes.

    Args:
        root: What ``file_name`` is relative to; may be a URL.
        file_name: As an annotation file spells it.
    """
    path = osp.join(root, file_name)
    if "\\" in file_name and not osp.isfile(path):
        return osp.join(root, with_slashes(file_name))
    return path


def read_header(path: Path) -> ImageHeader:
    """Read the header of an image, as OpenCV would see it.

    OpenCV turns images as their EXIF tag says, and so do browsers and labelling tools:
    a size that ignores the tag is that of no picture anybody looked at.

    Raises:
        FrameError: If the file is missing or not an image.
    """
    try:
        with Image.open(path) as image:
            height, width = _stored_size(image)
            orientation = orientation_of(image)
            if orientation > 4:
                height, width = width, height
            num_images = int(getattr(image, "n_frames", 1))
            # MPO files of cameras hold a preview or a second view of the same picture.
            num_images = 1 if image.format == "MPO" else num_images
            return ImageHeader(height, width, orientation, num_images, _is_deep(image))
    except FileNotFoundError as error:
        raise FrameError(f"{path}: does not exist") from error
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        # ValueError: a path with a NUL, a damaged chunk.
        raise FrameError(f"{path}: is not a readable image ({error})") from error
    except (SyntaxError, EOFError, struct.error) as error:  # Pillow on damaged headers
        raise FrameError(f"{path}: is damaged ({error})") from error


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation of an opened image, 1 to 8, without decoding it.

    OpenCV reads EXIF only; Pillow's own methods read XMP as well, and decode a PNG to
    find its tag.
    """
    if image.format == "TIFF":
        value = image.tag_v2.get(_ORIENTATION, 1)
    else:
        block = image.info.get("exif")
        if block is None and image.format == "PNG":
            block = _late_png_exif(image)
        value = _tag_of(block) if block else 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def common_size(headers: Mapping[Path, ImageHeader]) -> tuple[int, int]:
    """Return the one size of all frames of a video.

    Args:
        headers: Header of every frame file.

    Returns:
        H, W in pixels.

    Raises:
        FrameError: If there is no frame, or two differ in size.
    """
    first: tuple[Path, tuple[int, int]] | None = None
    for path, header in headers.items():
        size = (header.height, header.width)
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


def _stored_size(image: Image.Image) -> tuple[int, int]:
    if image.format == "TIFF":  # Pillow has exchanged the sides already
        sides = [image.tag_v2.get(tag) for tag in (_TIFF_HEIGHT, _TIFF_WIDTH)]
        if all(isinstance(side, int) for side in sides):
            return sides[0], sides[1]
    return image.height, image.width


def _is_deep(image: Image.Image) -> bool:
    raw = str(image.tile[0][3]) if image.tile else ""
    return image.mode.startswith(("I", "F")) or ";16" in raw


def _tag_of(block: bytes) -> object:
    exif = Image.Exif()
    try:
        exif.load(block)
        return exif.get(_ORIENTATION, 1)
    except (SyntaxError, OSError, ValueError, KeyError, TypeError, struct.error):
        return 1  # damaged EXIF turns nothing in OpenCV either


def _late_png_exif(image: Image.Image) -> bytes | None:
    """Find a PNG's EXIF chunk behind the pixels, without inflating them."""
    file = image.fp
    place = file.tell()
    try:
        file.seek(8)  # the signature
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf":
                return file.read(length)
            file.seek(length + 4, 1)
        return None
    finally:
        file.seek(place)
