"""Sprites of procedural shapes: the default source of patches."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .catalogue import Catalogue
from .looks import Look, build_looks, render_patch


class ShapeSource:
    """Draws a category as an instance of its concept's look.

    Args:
        catalogue: all concepts; fixes which concept wears which look.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._looks, self._reserve = build_looks(catalogue.near_groups())

    def look(self, dataset: str, slot: int) -> Look:
        """Return the look of a category's concept."""
        return self._looks[self._catalogue.concepts(dataset)[slot]]

    def draw(
        self, dataset: str, slot: int, *, size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, float]:
        """Return an RGBA patch (size, size, 4) uint8 and its aspect."""
        if self._catalogue.has_meaning(dataset, slot):
            look = self.look(dataset, slot)
        else:  # anything that no other category looks like
            look = self._reserve[rng.integers(len(self._reserve))]
        aspect = look.aspect * float(rng.uniform(0.9, 1.1))
        return render_patch(look, size=size, rng=rng), aspect

    def describe(self, selected: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """Return what is drawn with which source, for the dataset card."""
        count = len(
            {self._catalogue.concepts(d)[s] for d in selected for s in selected[d]}
        )
        return {"source": "shapes", "drawn_as_shapes": count}
