"""The time below which a device cannot get, from what it was seen to reach.

A call needs at least ``max(FLOPs / FLOP rate, bytes / byte rate)``. FLOPs are those of
products, convolutions and attention; everything else counts as free. Bytes are those of
tensors that have to be read or written once; intermediate results count as free. So the
floor is too low rather than too high.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from .common import Options, Row
from .devices import wait_for
from .suite import amount

_REPEATS = 5


@dataclass(frozen=True)
class Rates:
    """What a device reaches.

    Args:
        flops: FLOP/s of a large matrix product.
        bytes: B/s of a large copy, reading and writing.
    """

    flops: float
    bytes: float


@dataclass(frozen=True)
class Floor:
    """What a call needs at least.

    Args:
        flops: of products, convolutions and attention.
        bytes: of what is read or written once.
        rates: of the device.
    """

    flops: int
    bytes: int
    rates: Rates

    @property
    def seconds(self) -> float:
        """The larger one of two times."""
        return max(self.flops / self.rates.flops, self.bytes / self.rates.bytes)

    def note(self, seconds: float) -> str:
        """Say which share of the floor a call of this duration reaches, and why."""
        needed, rate, unit = self.bytes, self.rates.bytes, "B"
        if self.flops / self.rates.flops >= self.bytes / self.rates.bytes:
            needed, rate, unit = self.flops, self.rates.flops, "FLOP"
        return (
            f"B at {self.seconds / seconds:.0%} of the floor of "
            f"{amount(self.seconds, 's')}: {_with_prefix(needed, unit)} at "
            f"{_with_prefix(rate, unit)}/s, measured"
        ).replace("%", " %")


def with_floor(row: Row, floor: Floor) -> Row:
    """Add what the floor says of B to the note of a row."""
    note = floor.note(row.b.median)
    return replace(row, note="; ".join(part for part in (row.note, note) if part))


def count_flops(function: Callable[[], Any]) -> int:
    """Call a function, eagerly, and count the FLOPs of it and of its backward."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()


def num_bytes(tensors: Iterable[Tensor]) -> int:
    """Add up the sizes of tensors."""
    return sum(tensor.nbytes for tensor in tensors)


def measure_rates(
    device: str,
    dtype: torch.dtype,
    options: Options,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Rates:
    """Measure a device with a matrix product and a copy, the best of five each.

    Args:
        device: to measure.
        dtype: of the product; float32 follows the setting of TF32.
        options: scale.
        clock: seconds.
    """
    side, length = options.choose((128, 2**16), (8192, 2**28))
    a, b = torch.randn(2, side, side, device=device).to(dtype).unbind()
    source = torch.zeros(length, device=device)
    target, wait = torch.empty_like(source), wait_for(device)
    return Rates(
        flops=2 * side**3 / _shortest(lambda: a @ b, clock, wait),
        bytes=2 * source.nbytes / _shortest(lambda: target.copy_(source), clock, wait),
    )


def _shortest(
    function: Callable[[], Any], clock: Callable[[], float], wait: Callable[[], None]
) -> float:
    """Return the seconds of the fastest call, after one that warms up."""
    function()
    times = []
    for _ in range(_REPEATS):
        wait()
        start = clock()
        function()
        wait()
        times.append(clock() - start)
    return min(times)


def _with_prefix(value: float, unit: str) -> str:
    """Write a number with three digits: 1.5 TFLOP."""
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"
