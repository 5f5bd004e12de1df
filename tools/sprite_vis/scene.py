"""Draw sprites over a background, back to front, with exact visible masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .motion import Pose


@dataclass(frozen=True)
class Sprite:
    """One object of a video."""

    dataset: str  # whose label space `slot` is of
    slot: int  # category
    patch: np.ndarray  # (P, P, 4) uint8, RGB multiplied by alpha
    aspect: float  # width over height, area kept
    poses: Sequence[Pose]


@dataclass(frozen=True)
class Frame:
    """One drawn frame of S sprites."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    owner: np.ndarray  # (H, W) int16, index of the sprite that is seen, -1 = none
    full_areas: np.ndarray  # (S,) int64, in-frame pixels of the unoccluded sprite


def _window(pose: Pose, aspect: float, hw: tuple[int, int]) -> tuple[int, ...]:
    """Return x0, y0, x1, y1 of the in-frame pixels a sprite may touch."""
    stretch = max(aspect, 1 / aspect) ** 0.5
    reach = 0.5 * pose.size * stretch * 1.4143 * (1 + 2 * pose.wobble_amplitude) + 2
    x0, y0 = int(np.floor(pose.x - reach)), int(np.floor(pose.y - reach))
    x1, y1 = int(np.ceil(pose.x + reach)) + 1, int(np.ceil(pose.y + reach)) + 1
    return max(x0, 0), max(y0, 0), min(x1, hw[1]), min(y1, hw[0])


def _sample(sprite: Sprite, pose: Pose, window: tuple[int, ...]) -> np.ndarray:
    """Resample a sprite's patch onto the pixels of a window: (h, w, 4) float32."""
    x0, y0, x1, y1 = window
    xs = np.arange(x0, x1, dtype=np.float32)[None] - np.float32(pose.x)
    ys = np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(pose.y)
    cos, sin = np.float32(np.cos(pose.angle)), np.float32(np.sin(pose.angle))
    half, stretch = np.float32(pose.size / 2), np.float32(sprite.aspect**0.5)
    u = (cos * xs + sin * ys) / (half * stretch)
    v = (cos * ys - sin * xs) / half * stretch
    bend = np.float32(pose.wobble_amplitude)
    phase = np.float32(pose.wobble_phase)
    u, v = u + bend * np.sin(3 * v + phase), v + bend * np.sin(3 * u - phase)
    if pose.mirrored:
        u = -u
    scale = np.float32((sprite.patch.shape[0] - 1) / 2)
    sampled = cv2.remap(
        sprite.patch,
        (u + 1) * scale,
        (v + 1) * scale,
        interpolation=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return sampled.astype(np.float32)


def draw_frame(background: np.ndarray, sprites: Sequence[Sprite], time: int) -> Frame:
    """Composite the sprites in order, the last one in front.

    A pixel belongs to the front-most sprite covering at least half of it, so visible
    masks are disjoint and agree with the picture to the pixel.

    Args:
        background: (H, W, 3) uint8 RGB.
        sprites: S sprites, back to front.
        time: frame index into their poses.

    Returns:
        The frame.
    """
    image = background.astype(np.float32)
    owner = np.full(image.shape[:2], -1, np.int16)
    full_areas = np.zeros(len(sprites), np.int64)
    for index, sprite in enumerate(sprites):
        pose = sprite.poses[time]
        x0, y0, x1, y1 = window = _window(pose, sprite.aspect, owner.shape)
        if x0 >= x1 or y0 >= y1:
            continue
        rgba = _sample(sprite, pose, window)
        alpha = rgba[..., 3:] / 255
        region = image[y0:y1, x0:x1]
        image[y0:y1, x0:x1] = region * (1 - alpha) + rgba[..., :3]
        covered = alpha[..., 0] >= 0.5
        owner[y0:y1, x0:x1][covered] = index
        full_areas[index] = np.count_nonzero(covered)
    return Frame(np.clip(np.round(image), 0, 255).astype(np.uint8), owner, full_areas)
