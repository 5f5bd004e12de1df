"""One colour per track id: the same in every frame, run and process.

Colours are RGB everywhere in this package; only the video writer, which hands frames to
OpenCV, turns them around.
"""

from functools import cache

import numpy as np

RGB = tuple[int, int, int]

# Okabe & Ito 2008, distinguishable with the common kinds of colour blindness, without
# black, and ordered so that neighbours differ in lightness as well as in hue.
_FIRST: tuple[RGB, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (213, 94, 0),
    (240, 228, 66),
    (0, 158, 115),
    (204, 121, 167),
    (0, 114, 178),
)
_GOLDEN_ANGLE = 2.399963  # radians; successive hues never come close again
_LIGHTNESS = (0.80, 0.62, 0.71)
_CHROMA = (0.13, 0.17, 0.10)


@cache
def track_color(track_id: int) -> RGB:
    """Return the colour of a track.

    The first seven ids are safe for colour-blind viewers; later ones walk around the
    hue circle of OKLCH (Ottosson 2020) in golden angles with changing lightness.

    Args:
        track_id: Any integer, 0 included.

    Returns:
        Red, green, blue, 0..255.

    Example:
        >>> track_color(0), track_color(1)
        ((230, 159, 0), (86, 180, 233))
    """
    if 0 <= track_id < len(_FIRST):
        return _FIRST[track_id]
    return _oklch_to_rgb(
        _LIGHTNESS[track_id % 3], _CHROMA[track_id % 3], track_id * _GOLDEN_ANGLE
    )


def text_color(background: RGB) -> RGB:
    """Return black or white, whichever reads better on a background.

    The threshold is where both have the same contrast ratio (WCAG 2, 4.58 : 1).
    """
    linear = _to_linear(np.array(background) / 255)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)


def _to_linear(value: np.ndarray) -> np.ndarray:
    """Undo the sRGB transfer curve."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _oklch_to_rgb(lightness: float, chroma: float, hue: float) -> RGB:
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    cones = np.array(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    linear = cones**3 @ np.array(
        [
            [4.0767416621, -1.2684380046, -0.0041960863],
            [-3.3077115913, 2.6097574011, -0.7034186147],
            [0.2309699292, -0.3413193965, 1.7076147010],
        ]
    )
    linear = linear.clip(0, 1)
    value = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055
    )
    red, green, blue = np.rint(255 * value).astype(int).tolist()
    return red, green, blue
