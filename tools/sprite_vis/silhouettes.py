"""Outlines of the sprite families, as polygons in the square [-1, 1]^2."""

from collections.abc import Callable

import numpy as np

NUM_POINTS = 96

Polygons = list[np.ndarray]  # each (P, 2); holes by the even-odd rule


def _angles() -> np.ndarray:
    return np.linspace(0, 2 * np.pi, NUM_POINTS, endpoint=False)


def _polar(radius: np.ndarray) -> Polygons:
    theta = _angles()
    return [np.stack([radius * np.cos(theta), radius * np.sin(theta)], axis=1)]


def _densify(corners: list[tuple[float, float]]) -> Polygons:
    """Put points along straight edges, so that jitter bends them."""
    closed = np.asarray([*corners, corners[0]], float)
    per_edge = max(NUM_POINTS // len(corners), 2)
    steps = np.linspace(0, 1, per_edge, endpoint=False)[:, None]
    edges = [a + (b - a) * steps for a, b in zip(closed[:-1], closed[1:], strict=True)]
    return [np.concatenate(edges)]


def _blob(lobes: int) -> Polygons:
    theta = _angles()
    wave = 0.14 * np.cos(2 * theta + lobes) + 0.08 * np.cos(3 * theta - lobes)
    return _polar(0.84 + wave)


def _star(lobes: int) -> Polygons:
    tips = [
        (r * np.cos(a), r * np.sin(a))
        for k in range(2 * lobes)
        for r, a in [(1.0 if k % 2 == 0 else 0.55, np.pi * k / lobes)]
    ]
    return _densify(tips)


def _polygon(lobes: int) -> Polygons:
    turns = 2 * np.pi * np.arange(lobes) / lobes
    return _densify([(np.cos(a), np.sin(a)) for a in turns])


def _cross(lobes: int) -> Polygons:
    arm = 0.28 + 0.03 * lobes
    right = [(arm, -1), (arm, -arm), (1, -arm), (1, arm), (arm, arm), (arm, 1)]
    return _densify(right + [(-x, -y) for x, y in right])


def _flower(lobes: int) -> Polygons:
    return _polar(0.72 + 0.28 * np.cos(lobes * _angles()))


def _wedge(lobes: int) -> Polygons:
    """Return a disc with a slice cut out."""
    gape = 0.09 + 0.02 * (lobes % 3)
    sweep = np.linspace(gape, 1 - gape, NUM_POINTS) * 2 * np.pi
    rim = np.stack([np.cos(sweep), np.sin(sweep)], axis=1)
    cut = np.linspace(0, 1, 16, endpoint=False)[:, None]
    corner = np.array([[-0.15, 0.0]])
    closing = rim[-1] + cut * (corner - rim[-1])
    opening = corner + cut * (rim[0] - corner)
    return [np.concatenate([rim, closing, opening])]


def _ring(lobes: int) -> Polygons:
    outer = _polar(0.92 + 0.08 * np.cos(lobes * _angles()))
    return outer + _polar(np.full(NUM_POINTS, 0.40))


def _capsule(lobes: int) -> Polygons:
    theta = _angles()
    power = 2.0 / (3 + lobes % 3)
    x = np.sign(np.cos(theta)) * np.abs(np.cos(theta)) ** power
    y = np.sign(np.sin(theta)) * np.abs(np.sin(theta)) ** power
    return [np.stack([x, 0.72 * y], axis=1)]


def _heart(lobes: int) -> Polygons:
    t = _angles()
    x = np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - (1 + 0.3 * lobes) * np.cos(3 * t)
    y = y - np.cos(4 * t)
    return [np.stack([x, -(y + 2.5) / 15.5], axis=1)]


def _gear(lobes: int) -> Polygons:
    teeth = np.tanh(4 * np.cos((lobes + 4) * _angles()))
    return _polar(0.86 + 0.14 * teeth)


def _arrow(lobes: int) -> Polygons:
    neck = 0.24 + 0.04 * (lobes % 3)
    upper = [(1.0, 0.0), (0.1, -0.85), (0.1, -neck), (-1.0, -neck)]
    return _densify(upper + [(x, -y) for x, y in upper[:0:-1]])


def _drop(lobes: int) -> Polygons:
    theta = _angles()
    taper = np.sin(theta / 2) ** (1 + 0.2 * (lobes % 3))
    return [np.stack([np.cos(theta), 0.95 * np.sin(theta) * taper], axis=1)]


def _dumbbell(lobes: int) -> Polygons:
    theta = _angles()
    waist = 0.46 + 0.03 * (lobes % 3)
    radius = waist + (1 - waist) * np.cos(theta) ** 2
    return _polar(radius)


FAMILIES: dict[str, Callable[[int], Polygons]] = {
    "blob": _blob,
    "star": _star,
    "polygon": _polygon,
    "cross": _cross,
    "flower": _flower,
    "wedge": _wedge,
    "ring": _ring,
    "capsule": _capsule,
    "heart": _heart,
    "gear": _gear,
    "arrow": _arrow,
    "drop": _drop,
    "dumbbell": _dumbbell,
}


def outline(family: str, lobes: int, rng: np.random.Generator) -> Polygons:
    """Return one instance's outline: the family's, bent by a few low harmonics.

    Args:
        family: a key of ``FAMILIES``.
        lobes: tips, petals or sides, 3 to 7.
        rng: source of the within-class variation.

    Returns:
        Polygons of (P, 2) points, at most one unit from the centre on either axis.
    """
    polygons = FAMILIES[family](lobes)
    amplitude, phase = rng.uniform(0, 0.05, 3), rng.uniform(0, 2 * np.pi, 3)
    bent = []
    for points in polygons:
        theta = np.arctan2(points[:, 1], points[:, 0])[:, None]
        wave = amplitude * np.cos(np.arange(1, 4) * theta + phase)
        bent.append(points * (1 + wave.sum(axis=1, keepdims=True)))
    reach = max(np.abs(points).max() for points in bent)
    return [points / reach for points in bent]
