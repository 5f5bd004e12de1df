"""The address of a training clip, and the randomness that belongs to it."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import torch


class ClipIndex(NamedTuple):
    """Address one clip; a dataset maps it to the same clip everywhere and always.

    Args:
        dataset: Position of the dataset in the mixture's ``names``.
        video: Position of the video among the dataset's sampled videos.
        seed: Seed of the frame choice and of all transforms, in [0, 2**32).
    """

    dataset: int
    video: int
    seed: int


def derive_seed(*parts: int) -> int:
    """Hash integers to one seed.

    Arithmetic such as ``seed + position`` would give run ``seed + 1`` the clips of run
    ``seed`` shifted by one; a hash does not. Costs about 1 microsecond.

    Args:
        *parts: Integers of any size and sign, e.g. run seed and global position.

    Returns:
        A seed in [0, 2**32), the range ``numpy.random.seed`` accepts.
    """
    text = ",".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=4).digest(), "little")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators inside the block and restore them after it.

    Third-party transforms draw from ``random``, ``numpy.random`` or torch's CPU
    generator, so all three are covered. CUDA generators are left alone: touching them
    would initialise CUDA in every loader worker.

    Args:
        seed: Seed in [0, 2**32).
    """
    python_state = random.getstate()
    numpy_state = np.random.get_state()
    torch_state = torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_rng_state(torch_state)
