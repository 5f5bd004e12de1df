"""Small text on pictures: one font everywhere, and boxes that do not collide."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .palette import RGB, text_color

Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, x1 and y1 excluded
_PADDING = 3


@cache
def font(size: int, *, bold: bool = True) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which matplotlib carries.

    Pictures do not depend on the fonts of the machine then.

    Args:
        size: Height in pixels.
        bold: Heavier strokes, for text on video.
    """
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    return ImageFont.truetype(str(path), size)


def tag_size(text: str, size: int) -> tuple[int, int]:
    """Return the width and height of a tag with its padding, in pixels."""
    ascent, descent = font(size).getmetrics()
    width = int(np.ceil(font(size).getlength(text)))
    return width + 2 * _PADDING, ascent + descent + 2


def draw_tag(canvas: Image.Image, text: str, box: Box, color: RGB, size: int) -> None:
    """Write text on a box of the track's colour with a thin contrasting rim.

    The rim is what keeps a light tag visible on light video and a dark one on dark.
    """
    ink = text_color(color)
    draw = ImageDraw.Draw(canvas)
    x0, y0, x1, y1 = box
    draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=color, outline=ink)
    draw.text((x0 + _PADDING, y0 + 1), text, fill=ink, font=font(size))


def place_box(
    size: tuple[int, int], around: Box, taken: Sequence[Box], frame: tuple[int, int]
) -> Box:
    """Find a place for a tag: near its object, inside the frame, off other tags.

    Args:
        size: Width and height of the tag.
        around: Bounding box of the object.
        taken: Tags placed before.
        frame: Height and width of the picture.

    Returns:
        The candidate that covers least of other tags; the earlier on a tie.
    """
    width, height = size
    x0, y0, x1, y1 = around
    middle = (x0 + x1 - width) // 2
    rows = [y0 - height, y0, y1, (y0 + y1 - height) // 2, y1 - height]
    rows += [y0 - 2 * height, y1 + height]
    best, least = None, None
    for y in rows:
        for x in (middle, x0, x1 - width, x0 - width, x1):
            left = max(0, min(x, frame[1] - width))
            top = max(0, min(y, frame[0] - height))
            box = (left, top, left + width, top + height)
            moved = abs(left - x) + abs(top - y)
            cost = sum(_overlap(box, other) for other in taken) + moved
            if least is None or cost < least:
                best, least = box, cost
    return best


def _overlap(first: Box, second: Box) -> int:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0) * max(height, 0)
