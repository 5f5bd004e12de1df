"""Textured backgrounds: one family per dataset style."""

import colorsys
from collections.abc import Callable

import cv2
import numpy as np


def _noise(hw: tuple[int, int], cell: int, rng: np.random.Generator) -> np.ndarray:
    """Return smooth value noise (H, W) float32 in [0, 1] with features of `cell`."""
    coarse_hw = (max(hw[0] // cell, 2) + 1, max(hw[1] // cell, 2) + 1)
    coarse = rng.random(coarse_hw, dtype=np.float32)
    return cv2.resize(coarse, (hw[1], hw[0]), interpolation=cv2.INTER_CUBIC)


def _tint(rng: np.random.Generator, *, saturation: float, value: float) -> np.ndarray:
    colour = colorsys.hsv_to_rgb(rng.random(), saturation, value)
    return np.array(colour, np.float32)


def _meadow(hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Bright two-tone gradient with soft clouds: clean outdoor footage."""
    top = _tint(rng, saturation=0.22, value=0.92)
    bottom = _tint(rng, saturation=0.28, value=0.62)
    slope = np.linspace(0, 1, hw[0], dtype=np.float32)[:, None, None]
    clouds = _noise(hw, max(hw[0] // 4, 4), rng)[..., None] - 0.5
    fine = _noise(hw, max(hw[0] // 24, 2), rng)[..., None] - 0.5
    return top + slope * (bottom - top) + 0.22 * clouds + 0.10 * fine


def _thicket(hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Mottled undergrowth with leaning trunks: cluttered, dim footage."""
    base = _tint(rng, saturation=0.30, value=0.55)
    leaf = _noise(hw, max(hw[0] // 12, 3), rng) + 0.5 * _noise(hw, 3, rng)
    lean = rng.uniform(-0.6, 0.6)
    ys, xs = np.mgrid[: hw[0], : hw[1]].astype(np.float32)
    period = hw[0] * rng.uniform(0.35, 0.6)
    trunks = np.cos(2 * np.pi * (xs + lean * ys) / period) > 0.75
    tone = 0.35 + 0.5 * leaf - 0.22 * cv2.blur(trunks.astype(np.float32), (3, 3))
    return base * tone[..., None]


def _room(hw: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Wall, floor tiles and pale boxes: indoor footage."""
    canvas = np.empty((*hw, 3), np.float32)
    horizon = int(hw[0] * rng.uniform(0.35, 0.6))
    canvas[:horizon] = _tint(rng, saturation=0.15, value=0.85)
    canvas[horizon:] = _tint(rng, saturation=0.22, value=0.62)
    ys, xs = np.mgrid[: hw[0], : hw[1]]
    side = max(int(hw[0] * rng.uniform(0.12, 0.2)), 4)
    tiles = ((xs // side + ys // side) % 2)[..., None] * (ys >= horizon)[..., None]
    canvas -= 0.12 * tiles
    for _ in range(5):
        x, y = rng.integers(0, hw[1]), rng.integers(0, hw[0])
        w, h = rng.integers(hw[0] // 6 + 1, hw[0] // 2 + 2, 2)
        box = _tint(rng, saturation=0.18, value=rng.uniform(0.5, 0.8))
        canvas[y : y + h, x : x + w] = 0.4 * canvas[y : y + h, x : x + w] + 0.6 * box
    return canvas + 0.06 * (_noise(hw, 2, rng)[..., None] - 0.5)


FAMILIES: dict[str, Callable[[tuple[int, int], np.random.Generator], np.ndarray]] = {
    "meadow": _meadow,
    "thicket": _thicket,
    "room": _room,
}


def paint_backgrounds(
    family: str, *, hw: tuple[int, int], num_frames: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return a video's backgrounds, seen by a slowly panning camera.

    Args:
        family: a key of ``FAMILIES``.
        hw: image height and width in pixels.
        num_frames: T.
        rng: source of the picture and of the camera's way.

    Returns:
        T arrays (H, W, 3) uint8 RGB.
    """
    margin = max(min(hw) // 6, 1)
    big = (hw[0] + 2 * margin, hw[1] + 2 * margin)
    canvas = FAMILIES[family](big, rng)
    canvas = np.round(np.clip(canvas, 0, 1) * 255).astype(np.uint8)
    phase, reach = rng.uniform(0, 2 * np.pi, 2), rng.uniform(0.2, 1.0, 2) * margin
    views = []
    for t in range(num_frames):
        dy, dx = np.round(margin + reach * np.sin(0.18 * t + phase)).astype(int)
        views.append(canvas[dy : dy + hw[0], dx : dx + hw[1]])
    return views
