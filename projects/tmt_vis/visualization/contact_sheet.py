"""Many videos on one page: a row per video, ground truth over prediction."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from tmt_vis.files import replacing

from .text import font

_GAP = 6
_MARGIN = 150  # left column with names, in pixels
_HEADER = 24
_MARK = "TMT-VIS"  # as "Software" in the PNGs that are written here


@dataclass(frozen=True)
class SheetVideo:
    """One video of a contact sheet, already drawn.

    Args:
        dataset: Dataset name, shown in bold.
        name: Video name.
        strips: Strip title (``ground truth``, ``prediction``) -> its T frames
            (H, W, 3) uint8 RGB; all strips of a video have the same T.
    """

    dataset: str
    name: str
    strips: dict[str, Sequence[np.ndarray]]


def sample_frames(num_frames: int, columns: int) -> list[int]:
    """Choose frames evenly, first and last included; all of a short video."""
    return np.unique(
        np.linspace(0, num_frames - 1, columns).round().astype(int)
    ).tolist()


def contact_sheet(
    videos: Sequence[SheetVideo], *, columns: int = 5, cell_width: int = 320
) -> np.ndarray:
    """Lay videos out: rows = videos, columns = sampled frames.

    The strips of a video stand under each other, so that one moment can be compared
    straight down. Draw the frames about as wide as a cell (``zoom`` of ``draw_video``):
    shrinking a frame shrinks the tags on it.

    Args:
        videos: What to show, from top to bottom.
        columns: Frames per video.
        cell_width: Width of a frame in pixels.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        ValueError: If there is no video or strips of one differ in length.
    """
    if not videos:
        raise ValueError("a contact sheet needs at least one video")
    blocks = [_block(video, columns, cell_width) for video in videos]
    width = max(block.width for block in blocks)
    height = sum(block.height for block in blocks) + _GAP
    sheet = Image.new("RGB", (width, height), "white")
    y = _GAP
    for block in blocks:
        sheet.paste(block, (0, y))
        y += block.height
    return np.array(sheet)


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an RGB image; the folder is made if needed."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", _MARK)
    with replacing(path) as draft:
        Image.fromarray(image).save(draft, pnginfo=info)


def is_own_picture(path: str | Path) -> bool:
    """Tell whether :func:`write_image` wrote a PNG; False if it is no image."""
    try:
        with Image.open(path) as image:
            return image.info.get("Software") == _MARK
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _block(video: SheetVideo, columns: int, cell_width: int) -> Image.Image:
    """Draw one video with its names."""
    lengths = {title: len(frames) for title, frames in video.strips.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"strips of video {video.name!r} differ in length: {lengths}")
    at = sample_frames(next(iter(lengths.values())), columns)
    first = next(iter(video.strips.values()))[0]
    cell_height = round(first.shape[0] * cell_width / first.shape[1])
    width = _MARGIN + columns * (cell_width + _GAP)
    height = _HEADER + len(video.strips) * (cell_height + _GAP) + _GAP
    block = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(block)
    draw.text((_GAP, 4), _shorten(video.dataset, 14), fill="black", font=font(14))
    name = _shorten(video.name, 12)
    draw.text((_GAP, _HEADER), name, fill="#444444", font=font(12, bold=False))
    for column, frame_id in enumerate(at):
        x = _MARGIN + column * (cell_width + _GAP)
        draw.text(
            (x, 5), f"frame {frame_id}", fill="#444444", font=font(12, bold=False)
        )
        for row, (title, frames) in enumerate(video.strips.items()):
            y = _HEADER + row * (cell_height + _GAP)
            cell = Image.fromarray(frames[frame_id])
            block.paste(cell.resize((cell_width, cell_height), Image.LANCZOS), (x, y))
            middle = (_MARGIN - _GAP, y + cell_height // 2)
            draw.text(middle, title, fill="black", font=font(12), anchor="rm")
    return block


def _shorten(text: str, size: int) -> str:
    """Cut the text in the middle until it fits the left column."""
    keep = len(text)
    short = text
    while font(size).getlength(short) > _MARGIN - 2 * _GAP and keep > 2:
        keep -= 1
        short = f"{text[: keep - keep // 2]}…{text[len(text) - keep // 2 :]}"
    return short
