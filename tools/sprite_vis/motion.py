"""Where a sprite is, how it is turned, scaled and bent, in every frame."""

from dataclasses import dataclass

import numpy as np

PATHS = ("linear", "sine", "bounce", "visit")


@dataclass(frozen=True)
class Pose:
    """One sprite in one frame; lengths in pixels, angles in radians."""

    x: float
    y: float
    size: float
    angle: float
    mirrored: bool
    wobble_amplitude: float
    wobble_phase: float


@dataclass(frozen=True)
class MotionRange:
    """Limits a dataset style sets on the motion of its sprites.

    Sizes and speeds are fractions of the shorter image side; speeds are per frame.
    """

    size: tuple[float, float]
    speed: tuple[float, float]
    visit_ratio: float
    spin: float


def _fold(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Reflect a coordinate at both walls, as often as needed."""
    span = max(high - low, 1e-6)
    return low + span - np.abs((value - low) % (2 * span) - span)


def _visit(
    middle: np.ndarray, frames: np.ndarray, hw: tuple[int, int], size: float
) -> np.ndarray:
    """Return (T, 2) positions that start or end outside the nearer side wall."""
    height, width = hw
    side = -1.0 if middle[0] < width / 2 else 1.0
    outside = -0.6 * size if side < 0 else width + 0.6 * size
    last = max(frames[-1], 1.0)
    x = middle[0] + (outside - middle[0]) * (frames / last) * 1.2
    return np.stack([x, np.full_like(x, middle[1])], axis=1)


def _positions(
    path: str,
    *,
    anchor: np.ndarray,
    velocity: np.ndarray,
    size: float,
    num_frames: int,
    hw: tuple[int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the (T, 2) centres of a path through `anchor`."""
    frames = np.arange(num_frames, dtype=float)
    centred = frames - (num_frames - 1) / 2
    if path == "visit":
        arriving = rng.random() < 0.5
        places = _visit(anchor, frames, hw, size)
        return places[::-1] if arriving else places
    places = anchor + centred[:, None] * velocity
    if path == "sine":
        swing = np.sin(2 * np.pi * (frames / 10 + rng.random()))
        normal = np.array([-velocity[1], velocity[0]]) / (np.hypot(*velocity) + 1e-6)
        places = places + 0.35 * size * swing[:, None] * normal
    if path == "bounce":
        inset = 0.4 * size
        places = np.stack(
            [_fold(places[:, i], inset, hw[1 - i] - inset) for i in (0, 1)], axis=1
        )
    return places


def plan_motion(
    limits: MotionRange,
    *,
    anchor: np.ndarray,
    num_frames: int,
    hw: tuple[int, int],
    rng: np.random.Generator,
) -> list[Pose]:
    """Draw the poses of one sprite over a video.

    Args:
        limits: the dataset style's limits.
        anchor: (2,) x and y in pixels the path goes through (half-way, or at the
            visible end of a path that enters or leaves the frame).
        num_frames: T.
        hw: image height and width in pixels.
        rng: source of all choices.

    Returns:
        T poses.
    """
    short = min(hw)
    size = short * rng.uniform(*limits.size)
    heading = rng.uniform(0, 2 * np.pi)
    velocity = (
        short
        * rng.uniform(*limits.speed)
        * np.array([np.cos(heading), 0.6 * np.sin(heading)])
    )
    visits = num_frames > 1 and rng.random() < limits.visit_ratio
    path = "visit" if visits else PATHS[rng.integers(3)]
    places = _positions(
        path,
        anchor=anchor,
        velocity=velocity,
        size=size,
        num_frames=num_frames,
        hw=hw,
        rng=rng,
    )
    frames = np.arange(num_frames)
    angles = rng.uniform(-0.5, 0.5) + limits.spin * rng.uniform(-1, 1) * frames
    breath = 1 + 0.10 * np.sin(2 * np.pi * (frames / 14 + rng.random()))
    wobble, start = rng.uniform(0.02, 0.06), rng.random()
    mirrored = bool(rng.random() < 0.5)
    return [
        Pose(
            x=float(places[t, 0]),
            y=float(places[t, 1]),
            size=float(size * breath[t]),
            angle=float(angles[t]),
            mirrored=mirrored,
            wobble_amplitude=float(wobble),
            wobble_phase=float(2 * np.pi * (t / 9 + start)),
        )
        for t in frames
    ]
