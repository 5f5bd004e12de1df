"""How a concept looks: silhouette, surface pattern and colours, from its number."""

import colorsys
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from .silhouettes import FAMILIES, Polygons, outline
from .textures import PATTERNS, accent_weight

NUM_RESERVE = 8  # looks no concept owns; the category without meaning draws them
NUM_HUES = 24
SUPERSAMPLING = 4
# Families a small network confuses at 20 pixels; they count as half different.
KIN = (
    ("blob", "polygon", "drop", "capsule", "heart"),
    ("star", "gear", "flower", "cross"),
    ("arrow", "dumbbell", "wedge"),
    ("ring",),
)

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """The part of a sprite that all instances of one concept share."""

    family: str
    pattern: str
    hue: float
    saturation: float
    value: float
    accent: RGB
    lobes: int = 5
    frequency: float = 1.7
    aspect: float = 1.0


def _accent(hue: float, kind: int) -> RGB:
    """Return the second colour: pale, dark, complementary or a third of a turn away."""
    if kind == 0:
        return (0.98, 0.96, 0.92)
    if kind == 1:
        return (0.13, 0.11, 0.16)
    turn = 0.5 if kind == 2 else 1 / 3
    return colorsys.hsv_to_rgb((hue + turn) % 1.0, 0.9, 0.62)


def _candidates() -> list[Look]:
    """Return every combination of silhouette, pattern and colours."""
    return [
        Look(family, pattern, hue, saturation, value, _accent(hue, kind))
        for family in FAMILIES
        for pattern in PATTERNS
        for hue in np.arange(NUM_HUES) / NUM_HUES
        for saturation, value in ((0.92, 1.0), (0.62, 0.92))
        for kind in range(4)
    ]


class _Pool:
    """Candidate looks, and how far each lies from the nearest look given away."""

    def __init__(self) -> None:
        self.looks = _candidates()
        self.nearest = np.full(len(self.looks), np.inf)
        self._family = np.array([list(FAMILIES).index(k.family) for k in self.looks])
        self._pattern = np.array([list(PATTERNS).index(k.pattern) for k in self.looks])
        self._base = np.array([_base_colour(look) for look in self.looks])
        self._accent = np.array([look.accent for look in self.looks])
        clan = {family: i for i, clan in enumerate(KIN) for family in clan}
        self._clan = np.array([clan[family] for family in FAMILIES])

    def farthest(self) -> Look:
        """Return the candidate that differs most from all looks given away."""
        return self.looks[int(self.nearest.argmax())]

    def give(self, look: Look) -> None:
        """Count a look as given away."""
        family = list(FAMILIES).index(look.family)
        other = self._family != family
        kin = self._clan[self._family] == self._clan[family]
        pattern = self._pattern != list(PATTERNS).index(look.pattern)
        distance = 0.9 * other - 0.45 * (other & kin) + 0.6 * pattern
        distance = distance + 0.55 * self._colour_distance(look)
        # rounded, or the last bit of a platform's arithmetic would decide ties
        self.nearest = np.minimum(self.nearest, distance.round(6))

    def _colour_distance(self, look: Look) -> np.ndarray:
        """Return the distance of both colours; which of the two is base counts little.

        A checker of blue on yellow is one of yellow on blue.
        """
        base, accent = _base_colour(look), np.array(look.accent)

        def gap(colours: np.ndarray, colour: np.ndarray) -> np.ndarray:
            return np.linalg.norm(colours - colour, axis=1)

        straight = gap(self._base, base) + gap(self._accent, accent)
        swapped = gap(self._base, accent) + gap(self._accent, base) + 0.2
        return np.minimum(straight, swapped)


def _base_colour(look: Look) -> np.ndarray:
    return np.array(colorsys.hsv_to_rgb(look.hue, look.saturation, look.value))


def _variant(look: Look, rank: int, member: int) -> Look:
    """Return the look of the `member`-th concept of a group of near concepts.

    Members of a group share silhouette and, nearly, the base colour; pattern, second
    colour and number of lobes differ: similar, yet distinguishable.
    """
    patterns = list(PATTERNS)
    hue = (look.hue + 0.03 * member) % 1.0
    place = patterns.index(look.pattern) + 3 * member
    return replace(
        look,
        hue=hue,
        pattern=patterns[place % len(patterns)],
        accent=_accent(hue, member % 4) if member else look.accent,
        lobes=3 + (rank + member) % 3,
        frequency=(1.4, 1.9, 1.65)[(rank + member) % 3],
        aspect=(1.0, 0.82, 1.22)[rank % 3],
    )


@lru_cache(maxsize=4)  # 0.2 s a time: the first cost of every small data set
def build_looks(
    near_groups: tuple[tuple[int, ...], ...],
) -> tuple[dict[int, Look], list[Look]]:
    """Return the look of every concept, and reserve looks that no concept has.

    Groups are served in order, each with the combination that differs most from the
    nearest look given so far.

    Args:
        near_groups: disjoint groups of union ids; a concept alone is a group of one.

    Returns:
        union_id -> look, and ``NUM_RESERVE`` looks. The same argument gives the same
        looks, whatever the seed.
    """
    pool = _Pool()
    reserve_ids = [(-1 - k,) for k in range(NUM_RESERVE)]
    looks: dict[int, Look] = {}
    for rank, members in enumerate([*near_groups, *reserve_ids]):
        base = pool.farthest()
        for member, union_id in enumerate(members):
            looks[union_id] = _variant(base, rank, member)
            pool.give(looks[union_id])
    return looks, [looks.pop(ids[0]) for ids in reserve_ids]


def _coverage(polygons: Polygons, size: int) -> np.ndarray:
    """Return the anti-aliased coverage (size, size) float32 in [0, 1] of polygons."""
    fine = size * SUPERSAMPLING
    canvas = np.zeros((fine, fine), np.uint8)
    scaled = [np.round((p * 0.97 + 1) * 0.5 * (fine - 1)) for p in polygons]
    cv2.fillPoly(canvas, [p.astype(np.int32) for p in scaled], 255)
    coarse = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    return coarse.astype(np.float32) / 255


def render_patch(look: Look, *, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw one instance of a look, upright, with its within-class variation.

    Args:
        look: the concept's look.
        size: patch side in texels.
        rng: source of hue jitter, outline jitter, texture phase and turn.

    Returns:
        (size, size, 4) uint8 RGBA, colours multiplied by alpha.
    """
    alpha = _coverage(outline(look.family, look.lobes, rng), size)
    hue = (look.hue + rng.uniform(-0.02, 0.02)) % 1.0
    saturation = np.clip(look.saturation + rng.uniform(-0.08, 0.08), 0, 1)
    value = np.clip(look.value + rng.uniform(-0.06, 0.05), 0, 1)
    base = np.array(colorsys.hsv_to_rgb(hue, saturation, value), np.float32)
    weight = accent_weight(look.pattern, size=size, frequency=look.frequency, rng=rng)
    accent = np.array(look.accent, np.float32)
    colour = base + weight[..., None] * (accent - base)
    inside = cv2.erode(alpha, np.ones((3, 3), np.uint8), iterations=max(size // 24, 1))
    rim = 0.45 + 0.55 * cv2.blur(inside, (3, 3))
    shade = np.linspace(1.06, 0.86, size, dtype=np.float32)[:, None]
    colour = np.clip(colour * (rim * shade)[..., None], 0, 1)
    rgba = np.dstack([colour * alpha[..., None], alpha])
    return np.round(rgba * 255).astype(np.uint8)
