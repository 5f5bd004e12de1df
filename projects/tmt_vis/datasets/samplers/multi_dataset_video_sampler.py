"""Mix the videos of several datasets in fixed ratios."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from mmdet.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from ..clip_index import ClipIndex, derive_seed
from .balanced_sequence import BalancedSequence


class VideoMixture(Protocol):
    """What the sampler asks of a dataset."""

    names: tuple[str, ...]
    sizes: Mapping[str, int]


@DATA_SAMPLERS.register_module()
class MultiDatasetVideoSampler(Sampler[ClipIndex]):
    """Draw clips from several datasets: one endless, global, reproducible sequence.

    The sequence belongs to (names, sizes, ratios, seed) and to nothing else: not to the
    number of processes or workers, nor to the order of the datasets. Position p of it
    gets a dataset from :class:`BalancedSequence`, the next video of that dataset's
    current shuffled pass (every video once before any is repeated), and the seed
    ``derive_seed(seed, p)``. With n = world size * batch size, step s takes positions
    [s * n, (s + 1) * n) in contiguous parts; which rank gets which part rotates with s,
    so no rank is tied to a dataset when n and the mixture's period share a factor.

    All of it is arithmetic in the position: ``set_position`` costs nothing wherever
    it is, and memory is one permutation per dataset.

    Args:
        dataset: Anything with ``names`` and ``sizes`` (MultiDatasetVideoDataset or
            VISDataset).
        batch_size: Clips per process and step; must equal the loader's batch size.
        ratios: Weight of each dataset by name (the paper: 1 : 1 : 0.75); weights per
            drawn clip, not per video. None: proportional to the number of videos.
        homogeneous_batch: Every batch of one process holds one dataset only. Ratios
            still count clips; errors grow by the factor batch_size.
        same_dataset_steps: All processes draw from one dataset for so many steps, then
            from the next (TarViS: 8, since its tasks need different parts of the
            model). Errors of the ratios grow accordingly, and the sequence belongs to
            the number of clips per step as well. None: steps are mixed.
        seed: Seed of the run; None draws one and shares it between processes, which
            cannot be resumed exactly.

    Raises:
        ValueError: If ratios are unknown, missing or not positive, batch_size or
            same_dataset_steps is < 1, or the latter comes with homogeneous_batch.
    """

    def __init__(
        self,
        dataset: VideoMixture,
        *,
        batch_size: int,
        ratios: Mapping[str, float] | None = None,
        homogeneous_batch: bool = False,
        same_dataset_steps: int | None = None,
        seed: int | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be >= 1, got {batch_size}")
        if same_dataset_steps is not None and same_dataset_steps < 1:
            raise ValueError(
                f"same_dataset_steps must be >= 1 or None, got {same_dataset_steps}"
            )
        if homogeneous_batch and same_dataset_steps:
            raise ValueError(
                "homogeneous_batch and same_dataset_steps exclude each other; the "
                "second makes all batches of a step homogeneous"
            )
        self.rank, self.world_size = get_dist_info()
        self.batch_size = batch_size
        self.homogeneous_batch = homogeneous_batch
        self.same_dataset_steps = same_dataset_steps
        self.seed = sync_random_seed() if seed is None else seed
        self._sizes = {name: int(dataset.sizes[name]) for name in dataset.names}
        self._position_of = {name: i for i, name in enumerate(dataset.names)}
        self.sequence = BalancedSequence(_check_ratios(ratios, self._sizes))
        self._passes: dict[str, tuple[int, np.ndarray]] = {}
        self._start = 0

    def __len__(self) -> int:
        """Return clips of this process in which the mixture's size is drawn once."""
        return max(1, sum(self._sizes.values()) // self.world_size)

    @property
    def mixture(self) -> dict[str, Any]:
        """What the sequence follows from besides the seed, as plain values."""
        mixture = {
            "sizes": dict(sorted(self._sizes.items())),
            "ratios": dict(self.sequence.weights),
            "homogeneous_batch": self.homogeneous_batch,
        }
        if self.same_dataset_steps:
            mixture["clips_per_dataset"] = self._block
        return mixture

    @property
    def _block(self) -> int:
        """Consecutive clips of one dataset."""
        if self.same_dataset_steps:
            return self.same_dataset_steps * self.world_size * self.batch_size
        return self.batch_size if self.homogeneous_batch else 1

    def set_position(self, clips: int) -> int:
        """Let the next iteration start at a position of the sequence, to resume.

        Iterators that already run are not affected; call it before the loader is
        iterated (workers prefetch from the moment ``iter(loader)`` is called, which
        mmengine's IterBasedTrainLoop does when it is built). That loop resumes by
        loading and dropping every batch already trained; do one or the other.

        Args:
            clips: Clips already drawn by all processes together, >= 0.

        Returns:
            Position of the next clip. It is ``clips``, but for ``homogeneous_batch``
            after another batch size, where it is the next multiple of the new one, and
            likewise for ``same_dataset_steps`` and the clips of a step.
        """
        if clips < 0:
            raise ValueError(f"clips must be >= 0, got {clips}")
        unit = self.batch_size if self.homogeneous_batch else 1
        if self.same_dataset_steps:
            unit = self.world_size * self.batch_size
        clips = -(-clips // unit) * unit
        self._start = clips
        return clips

    def __iter__(self) -> Iterator[ClipIndex]:
        per_step = self.world_size * self.batch_size
        # Where no step of this size begins, steps are shifted, not cut.
        step, shift = divmod(self._start, per_step)
        while True:
            part = step * self.world_size + (self.rank + step) % self.world_size
            first = shift + part * self.batch_size
            for position in range(first, first + self.batch_size):
                yield self.clip_at(position)
            step += 1

    def clip_at(self, position: int) -> ClipIndex:
        """Return the clip at one position of the global sequence.

        Args:
            position: Global position over all processes, >= 0.
        """
        block, offset = divmod(position, self._block)
        name, turn = self.sequence.at(block)
        draw = turn * self._block + offset
        return ClipIndex(
            dataset=self._position_of[name],
            video=self._video(name, draw),
            seed=derive_seed(self.seed, position),
        )

    def _video(self, name: str, draw: int) -> int:
        number, offset = divmod(draw, self._sizes[name])
        if self._passes.get(name, (-1,))[0] != number:
            order = derive_seed(self.seed, number, *name.encode())
            shuffled = np.random.default_rng(order).permutation(self._sizes[name])
            self._passes[name] = (number, shuffled)
        return int(self._passes[name][1][offset])


def _check_ratios(
    ratios: Mapping[str, float] | None, sizes: Mapping[str, int]
) -> Mapping[str, float]:
    if ratios is None:
        return sizes
    # A child config takes a dataset out with None.
    ratios = {name: ratio for name, ratio in ratios.items() if ratio is not None}
    unknown = sorted(set(ratios) - set(sizes))
    missing = sorted(set(sizes) - set(ratios))
    if unknown or missing:
        raise ValueError(
            f"ratios must name exactly the datasets of the mixture {sorted(sizes)}; "
            f"unknown: {unknown}, missing: {missing}"
        )
    return ratios
