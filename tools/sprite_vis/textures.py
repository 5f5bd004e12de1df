"""Surface patterns of sprites, as a mixing weight between two colours."""

from collections.abc import Callable

import numpy as np


def _stripes(u: np.ndarray, v: np.ndarray, f: float) -> np.ndarray:
    return np.sin(2 * np.pi * f * u)


def _checker(u: np.ndarray, v: np.ndarray, f: float) -> np.ndarray:
    return 2 * np.sin(np.pi * f * u) * np.sin(np.pi * f * v)


def _dots(u: np.ndarray, v: np.ndarray, f: float) -> np.ndarray:
    return np.cos(2 * np.pi * f * u) + np.cos(2 * np.pi * f * v) - 0.6


def _rings(u: np.ndarray, v: np.ndarray, f: float) -> np.ndarray:
    return np.sin(2 * np.pi * f * np.hypot(u, v))


def _spokes(u: np.ndarray, v: np.ndarray, f: float) -> np.ndarray:
    return np.sin(round(2 * f + 2) * np.arctan2(v, u))


def _zigzag(u: np.ndarray, v: np.ndarray, f: float) -> np.ndarray:
    tooth = np.abs((v * f) % 1.0 - 0.5)
    return np.sin(2 * np.pi * (f * u + tooth))


def _halves(u: np.ndarray, v: np.ndarray, f: float) -> np.ndarray:
    return 4 * (u + 0.15 * np.sin(2 * np.pi * v))


def _camouflage(u: np.ndarray, v: np.ndarray, f: float) -> np.ndarray:
    bend = np.sin(2.1 * f * v + 1.3 * np.sin(1.7 * f * u))
    return np.sin(2.6 * f * u + 1.7 * bend) + 0.6 * bend


PATTERNS: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    "stripes": _stripes,
    "dots": _dots,
    "checker": _checker,
    "rings": _rings,
    "zigzag": _zigzag,
    "spokes": _spokes,
    "halves": _halves,
    "camouflage": _camouflage,
}


def accent_weight(
    pattern: str, *, size: int, frequency: float, rng: np.random.Generator
) -> np.ndarray:
    """Return how much of the accent colour each texel of a patch takes.

    Args:
        pattern: a key of ``PATTERNS``.
        size: patch side in texels.
        frequency: periods per half patch.
        rng: source of phase, turn and frequency of this instance.

    Returns:
        (size, size) float32 in [0, 1], soft-edged.
    """
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    turn = rng.uniform(-0.35, 0.35)
    shift = rng.uniform(-0.25, 0.25, 2)
    u = np.cos(turn) * x + np.sin(turn) * y + shift[0]
    v = -np.sin(turn) * x + np.cos(turn) * y + shift[1]
    wave = PATTERNS[pattern](u, v, frequency * rng.uniform(0.9, 1.1))
    return (0.5 + 0.5 * np.tanh(3 * wave)).astype(np.float32)
