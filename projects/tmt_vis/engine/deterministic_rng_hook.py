"""Random numbers that depend on the iteration, not on the past."""

import random

import numpy as np
import torch
from mmdet.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner


def seed_everything(*, seed: int, iteration: int, rank: int) -> None:
    """Seed Python, numpy and torch (CPU and CUDA) for one training iteration.

    Args:
        seed: the run's seed, >= 0.
        iteration: iterations done so far.
        rank: the process among the ranks; each draws its own numbers.
    """
    state = np.random.SeedSequence([seed, iteration, rank]).generate_state(6)
    random.seed(state.tobytes())
    np.random.seed(state[:4])
    torch.manual_seed(int(state[4:].view(np.uint64)[0]))


@HOOKS.register_module()
class DeterministicRNGHook(Hook):
    """Make the random numbers of an iteration a function of (seed, iteration, rank).

    A run that was stopped and resumed then draws the same dropout and stochastic-depth
    masks and the same mask points as one that was not. Checkpoints need not hold
    generator states, and the number of draws in validation does not matter.
    """

    # Before any hook that may draw.
    priority = "HIGHEST"

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: object = None
    ) -> None:
        """Seed all generators.

        Args:
            runner: the runner that trains.
            batch_idx: not used; it restarts where the loop restarts.
            data_batch: not used.
        """
        seed_everything(seed=runner.seed, iteration=runner.iter, rank=get_rank())
