"""How even a mixture of datasets is, and which videos an epoch misses."""

from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace

import numpy as np
from mmdet.datasets.samplers import MultiDataSampler
from torch.utils.data import ConcatDataset

from tmt_vis.datasets import MultiDatasetVideoSampler

from .common import Options, Row, Spec, Target, compare

SPEC = Spec(
    name="data/mixture",
    reference="MultiDataSampler",
    ours="MultiDatasetVideoSampler",
    unit="share",
    target=Target(ratio=8),
)
_SIZES = dict(ytvis19=2238, ovis=607, uvo=503)
_RATIOS = dict(ytvis19=4, ovis=3, uvo=4)
_WINDOW = 64


def worst_share_error(datasets: np.ndarray) -> float:
    """Return the largest error of a share over all windows of 64 clips."""
    total, worst = sum(_RATIOS.values()), 0.0
    for index, ratio in enumerate(_RATIOS.values()):
        counts = np.concatenate([[0], np.cumsum(datasets == index)])
        shares = (counts[_WINDOW:] - counts[:-_WINDOW]) / _WINDOW
        worst = max(worst, float(np.abs(shares - ratio / total).max()))
    return worst


def theirs() -> tuple[np.ndarray, float]:
    """Return the dataset of each clip of an epoch, and the videos it misses."""
    dataset = ConcatDataset([range(size) for size in _SIZES.values()])
    sampler = MultiDataSampler(dataset, list(_RATIOS.values()), seed=0)
    indices = np.array(list(sampler))
    ends = np.cumsum(list(_SIZES.values()))
    unseen = 1 - len(np.unique(indices)) / len(dataset)
    return np.searchsorted(ends, indices, side="right"), unseen


def ours() -> tuple[np.ndarray, float]:
    """Return the same; an epoch lasts until the largest share has been drawn once."""
    mixture = SimpleNamespace(names=tuple(_SIZES), sizes=_SIZES)
    sampler = MultiDatasetVideoSampler(mixture, batch_size=1, ratios=_RATIOS, seed=0)
    total = sum(_RATIOS.values())
    # As many draws as every dataset needs to be seen once at its ratio.
    draws = max(-(-_SIZES[n] * total // _RATIOS[n]) for n in _SIZES) + total
    clips = list(islice(iter(sampler), draws))
    seen = {(clip.dataset, clip.video) for clip in clips}
    return np.array([c.dataset for c in clips]), 1 - len(seen) / sum(_SIZES.values())


def run(options: Options) -> Iterator[Row]:
    """Compare shares and coverage; nothing is timed."""
    (a, a_unseen), (b, b_unseen) = theirs(), ours()
    sizes = " + ".join(map(str, _SIZES.values()))
    yield compare(
        SPEC,
        [worst_share_error(a)],
        [worst_share_error(b)],
        size=f"{sizes} videos at 4 : 3 : 4, worst of all windows of 64 clips",
    )
    yield compare(
        SPEC,
        [a_unseen],
        [b_unseen],
        size=f"{sizes} videos, not seen in a pass",
        target=Target(at_most=0.0),
        note=f"B: a pass is {len(b):,} clips, until the largest dataset is through; "
        f"A: its epoch of {len(a):,}",
    )
