"""Numbers over seeds: mean, standard deviation, paired bootstrap."""

from collections.abc import Mapping
from itertools import product
from math import nan
from typing import NamedTuple

import numpy as np

# All resamples of up to this many seeds are listed, so small tables have no chance in
# them; above, they are drawn.
EXACT_SEEDS = 6
DRAWS = 20_000


class Spread(NamedTuple):
    """A quantity over seeds.

    Args:
        mean: over the seeds.
        std: sample standard deviation; NaN for one seed.
        count: seeds.
    """

    mean: float
    std: float
    count: int


class Difference(NamedTuple):
    """A paired difference over the seeds that both sides have.

    Args:
        mean: of the differences.
        low: 2.5 % quantile of the bootstrap over seeds; NaN below three seeds.
        high: 97.5 % quantile.
        count: seeds.
    """

    mean: float
    low: float
    high: float
    count: int

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


def spread(values: Mapping[int, float]) -> Spread:
    """Summarise a quantity, seed -> value."""
    numbers = np.array([v for v in values.values() if not np.isnan(v)], float)
    if not len(numbers):
        return Spread(nan, nan, 0)
    std = float(numbers.std(ddof=1)) if len(numbers) > 1 else nan
    return Spread(float(numbers.mean()), std, len(numbers))


def paired_difference(
    values: Mapping[int, float], reference: Mapping[int, float]
) -> Difference:
    """Compare two quantities seed by seed.

    The seeds are what is resampled. Three of them can never give a narrow claim: the
    interval of three seeds spans from the smallest to the largest difference.

    Args:
        values: seed -> value.
        reference: seed -> value to subtract.
    """
    seeds = sorted(values.keys() & reference.keys())
    gaps = np.array([values[s] - reference[s] for s in seeds], float)
    gaps = gaps[~np.isnan(gaps)]
    if not len(gaps):
        return Difference(nan, nan, nan, 0)
    if len(gaps) < 3:
        return Difference(float(gaps.mean()), nan, nan, len(gaps))
    low, high = np.quantile(_resampled_means(gaps), [0.025, 0.975])
    return Difference(float(gaps.mean()), float(low), float(high), len(gaps))


def _resampled_means(gaps: np.ndarray) -> np.ndarray:
    count = len(gaps)
    if count <= EXACT_SEEDS:
        picks = np.array(list(product(range(count), repeat=count)))
    else:
        picks = np.random.default_rng(0).integers(count, size=(DRAWS, count))
    return gaps[picks].mean(axis=1)
