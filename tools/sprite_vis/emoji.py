"""Sprites drawn with a colour-emoji font, where a concept has an emoji."""

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .catalogue import Catalogue
from .shapes import ShapeSource

FONT_NAME = "NotoColorEmoji.ttf"
FONT_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.fonts",
    "~/.local/share/fonts",
    "/Library/Fonts",
)
BITMAP_SIZE = 109  # the one size at which the font's bitmaps can be loaded

# concept key (see Catalogue.keys) without its dataset, or with it where a name has two
# meanings -> emoji
EMOJI = {
    "person": "🧍", "giant_panda": "🐼", "lizard": "🦎", "parrot": "🦜",
    "skateboard": "🛹", "sedan": "🚗", "ape": "🦍", "dog": "🐕", "snake": "🐍",
    "monkey": "🐒", "hand": "🖐", "rabbit": "🐇", "duck": "🦆", "cat": "🐈",
    "cow": "🐄", "fish": "🐟", "train": "🚆", "horse": "🐎", "turtle": "🐢",
    "bear": "🐻", "motorbike": "🏍", "giraffe": "🦒", "leopard": "🐆", "fox": "🦊",
    "deer": "🦌", "owl": "🦉", "surfboard": "🏄", "airplane": "✈", "truck": "🚚",
    "zebra": "🦓", "tiger": "🐅", "elephant": "🐘", "snowboard": "🏂", "boat": "⛵",
    "shark": "🦈", "ytvis19:mouse": "🐁", "frog": "🐸", "eagle": "🦅",
    "earless_seal": "🦭", "tennis_racket": "🎾", "bird": "🐦", "flying_disc": "🥏",
    "squirrel": "🐿", "whale": "🐋", "sheep": "🐑", "poultry": "🐔", "bicycle": "🚲",
    "vehical": "🚙", "bus": "🚌", "traffic_light": "🚦", "stop_sign": "🛑",
    "backpack": "🎒", "umbrella": "☂", "handbag": "👜", "tie": "👔",
    "suitcase": "🧳", "skis": "🎿", "sports_ball": "⚽", "kite": "🪁",
    "bottle": "🍾", "wine_glass": "🍷", "cup": "☕", "fork": "🍴", "knife": "🔪",
    "spoon": "🥄", "bowl": "🥣", "banana": "🍌", "apple": "🍎", "sandwich": "🥪",
    "orange": "🍊", "broccoli": "🥦", "carrot": "🥕", "hot_dog": "🌭", "pizza": "🍕",
    "donut": "🍩", "cake": "🍰", "chair": "🪑", "couch": "🛋", "potted_plant": "🪴",
    "bed": "🛏", "toilet": "🚽", "tv": "📺", "laptop": "💻", "uvo:mouse": "🖱",
    "keyboard": "⌨", "cell_phone": "📱", "book": "📕", "clock": "⏰", "vase": "🏺",
    "scissors": "✂", "teddy_bear": "🧸", "toothbrush": "🪥",
}  # fmt: skip


def find_font(folders: Sequence[str] = FONT_FOLDERS) -> Path:
    """Return the path of the colour-emoji font.

    Raises:
        FileNotFoundError: it is in none of the folders.
    """
    for folder in folders:
        matches = sorted(Path(folder).expanduser().rglob(FONT_NAME))
        if matches:
            return matches[0]
    raise FileNotFoundError(
        f"--sprites emoji needs {FONT_NAME}, found in none of {', '.join(folders)}; "
        "install it (Debian, Ubuntu: apt install fonts-noto-color-emoji) or use "
        "--sprites shapes"
    )


def _bitmap(font: ImageFont.FreeTypeFont, text: str) -> np.ndarray | None:
    """Return the cropped RGBA bitmap of an emoji, or None where the font lacks it."""
    side = 2 * BITMAP_SIZE
    canvas = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(canvas)
    draw.text((side // 8, side // 8), text, font=font, embedded_color=True)
    box = canvas.getchannel("A").getbbox()
    pixels = None if box is None else np.asarray(canvas.crop(box))
    # a missing glyph comes back as an outlined box without colour
    if pixels is None or not pixels[pixels[..., 3] > 0][:, :3].any():
        return None
    return pixels


def _square(pixels: np.ndarray) -> np.ndarray:
    """Pad a picture to a square, premultiplied by alpha, with a clear rim."""
    height, width = pixels.shape[:2]
    side = max(height, width) + 4
    square = np.zeros((side, side, 4), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    square[..., :3] *= square[..., 3:] / 255
    return square


class EmojiSource:
    """Draws a category as its emoji, and as a shape where it has none.

    Args:
        catalogue: all concepts.
        fallback: draws the concepts without an emoji.
        font_path: the font; searched for if None.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        fallback: ShapeSource,
        font_path: Path | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._fallback = fallback
        font = ImageFont.truetype(str(font_path or find_font()), BITMAP_SIZE)
        self._bitmaps: dict[int, np.ndarray] = {}
        for union_id in range(len(catalogue)):
            keys = catalogue.keys(union_id)
            names = [*keys, *(key.partition(":")[2] for key in keys)]
            text = next((EMOJI[name] for name in names if name in EMOJI), None)
            pixels = None if text is None else _bitmap(font, text)
            if pixels is not None:
                self._bitmaps[union_id] = _square(pixels)

    def describe(self, selected: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """Return what is drawn with which source, for the dataset card."""
        concepts = {
            self._catalogue.concepts(d)[slot]: self._catalogue.slot_name(d, slot)
            for d, slots in selected.items()
            for slot in slots
        }
        missing = sorted(n for c, n in concepts.items() if c not in self._bitmaps)
        return {
            "source": "emoji",
            "font": FONT_NAME,
            "drawn_as_emoji": len(concepts) - len(missing),
            "drawn_as_shapes": missing,
        }

    def draw(
        self, dataset: str, slot: int, *, size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, float]:
        """Return an RGBA patch (size, size, 4) uint8 and its aspect."""
        bitmap = self._bitmaps.get(self._catalogue.concepts(dataset)[slot])
        if bitmap is None:
            return self._fallback.draw(dataset, slot, size=size, rng=rng)
        patch = cv2.resize(bitmap, (size, size), interpolation=cv2.INTER_AREA)
        tint = colorsys.hsv_to_rgb(rng.random(), 0.12, rng.uniform(0.9, 1.0))
        patch[..., :3] *= np.array(tint, np.float32)
        return np.round(patch).astype(np.uint8), float(rng.uniform(0.85, 1.18))
