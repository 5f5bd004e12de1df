"""What to generate: every argument that decides the bytes."""

import math
from dataclasses import dataclass

from .layouts import LAYOUTS

LEAST = {
    "seed": 0,
    "videos": 1,
    "val_videos": 1,
    "height": 32,  # below, the smallest sprites have no visible silhouette
    "width": 32,
    "frames": 1,
    "tail": 0.0,
    "distractors": 0.0,
}
CHOICES = {
    "sprites": ("shapes", "emoji"),
    "counts": ("string", "list"),
}


@dataclass(frozen=True)
class GenerationConfig:
    """What to generate; everything that decides the bytes except the library.

    Two arguments make joint training as hard as on real data. ``tail``: the r-th class
    of a training split is drawn with weight ``r ** -tail`` (0: all alike); validation
    splits stay balanced. ``distractors``: mean number of objects per video that the
    dataset does not annotate, because their category is not in its label space.
    """

    seed: int = 0
    videos: int = 60
    val_videos: int = 12
    height: int = 96
    width: int = 160
    frames: int = 12
    datasets: tuple[str, ...] = ("ytvis19", "ovis", "uvo")
    classes: str = "6"
    sprites: str = "shapes"
    counts: str = "string"
    tail: float = 0.0
    distractors: float = 0.0

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            if not math.isfinite(value):
                raise ValueError(f"{name} must be finite, got {value}")
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} must be one of {', '.join(choices)}, got "
                    f"{getattr(self, name)!r}"
                )
        unknown = set(self.datasets) - set(LAYOUTS)
        if unknown or len(set(self.datasets)) < max(len(self.datasets), 1):
            raise ValueError(
                f"datasets must be one or more distinct names out of "
                f"{', '.join(LAYOUTS)}, got {list(self.datasets)}"
            )
