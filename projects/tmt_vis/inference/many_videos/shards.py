"""Which part of the videos a process takes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from ..errors import InferenceError

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count``: every ``count``-th video.

    Args:
        index: From 0.
        count: Number of parts.

    Raises:
        InferenceError: If there is no such part.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise InferenceError(
                f"a shard is i/n with 0 <= i < n, got {self.index}/{self.count}; the "
                f"first of two is 0/2"
            )

    def take(self, items: Sequence[T]) -> Sequence[T]:
        """Return the items of this part."""
        return items[self.index :: self.count]

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Read ``i/n``.

    Raises:
        InferenceError: If it is something else.
    """
    match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text, re.ASCII)
    if match is None:
        raise InferenceError(
            f"a shard is i/n with 0 <= i < n, got {text!r}; the first of two is 0/2"
        )
    return Shard(int(match[1]), int(match[2]))


def shard_from_environment(environment: Mapping[str, str]) -> Shard:
    """Find the shard that torchrun or a Slurm array gave to this process.

    Both may be there, torchrun within each task of an array. An array may start
    anywhere and have a step.

    Args:
        environment: ``os.environ``.

    Returns:
        The shard; 0/1 where neither is there.

    Raises:
        InferenceError: If the variables contradict each other.
    """
    array = Shard()
    if "SLURM_ARRAY_TASK_ID" in environment and "SLURM_ARRAY_TASK_COUNT" in environment:
        array = _array_shard(environment)
    rank = Shard()
    if "RANK" in environment and "WORLD_SIZE" in environment:
        numbers = (_number(environment, name) for name in ("RANK", "WORLD_SIZE"))
        rank = _shard(*numbers, "RANK and WORLD_SIZE")
    return Shard(array.index * rank.count + rank.index, array.count * rank.count)


def _array_shard(environment: Mapping[str, str]) -> Shard:
    names = ("ID", "MIN", "STEP", "COUNT")
    defaults = dict(SLURM_ARRAY_TASK_MIN="0", SLURM_ARRAY_TASK_STEP="1")
    values = {**defaults, **environment}
    task, first, step, count = (
        _number(values, f"SLURM_ARRAY_TASK_{name}") for name in names
    )
    index, rest = divmod(task - first, max(1, step))
    if rest:
        raise InferenceError(
            f"task {task} is not in a Slurm array from {first} on in steps of {step}; "
            "give --shard i/n"
        )
    return _shard(index, count, "the numbers of the Slurm array (use --array=0-N)")


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment[name]
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise InferenceError(
            f"{name} must be a whole number, got {text!r}; unset it, or give --shard"
        )
    return int(text)


def _shard(index: int, count: int, source: str) -> Shard:
    try:
        return Shard(index, count)
    except InferenceError as error:
        raise InferenceError(f"{source}: {error}; give --shard i/n") from error


def local_device(device: str | None, environment: Mapping[str, str]) -> str | None:
    """Give each process that torchrun starts on a machine a GPU of its own.

    Args:
        device: That was asked for; it counts.
        environment: ``os.environ``.

    Returns:
        A device; None leaves the choice to the model.
    """
    if device is not None or "LOCAL_RANK" not in environment:
        return device
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return f"cuda:{_number(environment, 'LOCAL_RANK') % count}" if count else None
