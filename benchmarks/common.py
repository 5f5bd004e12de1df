"""Comparisons: A is the reference, B is ours; equal results first, then times.

Rules: both run in one process and in turns (A B A B ...), at least seven pairs after
the check, which is a warm-up, and a second one where a call takes less than a second;
the number of a row is the median of the ratios of pairs, with quartiles.
"""

import gc
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

# A timed call lasts at least this long; shorter functions are called several times.
_SHORTEST = 0.02
# From here on one warm-up is enough: a second one of the slowest calls took 40 s of
# `make bench`.
_LONG = 1.0
MARGIN = 0.9  # a target counts as missed below this share of it


class Skipped(Exception):
    """This machine cannot run the benchmark; the message says why."""


class Incorrect(AssertionError):
    """A and B do not compute the same, so nothing was timed."""


@dataclass(frozen=True)
class Target:
    """What is demanded; one of the two.

    Args:
        ratio: A / B is at least this.
        at_most: B is at most this.
    """

    ratio: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if (self.ratio is None) == (self.at_most is None):
            raise ValueError("a target is a ratio or a largest value, not both")

    def reached(self, ratio: float | None, value: float) -> float:
        """Return the share of the target that was reached, 1 = met."""
        if self.ratio is not None:
            return (ratio or 0.0) / self.ratio
        if value <= self.at_most:
            return 1.0
        return self.at_most / value

    def verdict(self, ratio: float | None, value: float) -> str:
        """Return ``met``, ``close`` (within the margin) or ``missed``."""
        share = self.reached(ratio, value)
        return "met" if share >= 1 else "close" if share >= MARGIN else "missed"


@dataclass(frozen=True)
class Spec:
    """What a benchmark compares.

    Args:
        name: ``group/name``; its file is ``group_name.py``.
        reference: what A is.
        ours: what B is.
        unit: of both: ``s``, ``bytes``, ``count``, ``share``.
        target: of its rows, unless a row has its own; None only reports.
        gating: whether a missed target fails the run.
        device: ``cpu``, or ``cuda`` if it means nothing without a GPU.
        timeout: seconds after which it is given up.
    """

    name: str
    reference: str
    ours: str
    unit: str = "s"
    target: Target | None = None
    gating: bool = False
    device: str = "cpu"
    timeout: float = 300.0


@dataclass(frozen=True)
class Options:
    """How large and how often.

    Args:
        scale: ``quick`` (tiny sizes, for tests and a first look), ``default`` (what
            ``make bench`` runs) or ``full`` (36 frames where ``default`` takes fewer).
        pairs: timed pairs.
        warmups: pairs in front of them, the one that is checked included; only that
            one where a call takes a second on a CPU.
        device: where benchmarks of devices run; None is what they are for.
    """

    scale: str = "default"
    pairs: int = 7
    warmups: int = 2
    device: str | None = None

    @classmethod
    def quick(cls, **changes: Any) -> "Options":
        """Return the smallest settings."""
        return replace(cls(scale="quick", pairs=3, warmups=1), **changes)

    @property
    def tiny(self) -> bool:
        """Whether sizes are those of tests."""
        return self.scale == "quick"

    def choose(self, quick: Any, default: Any, full: Any = None) -> Any:
        """Return the value of the scale; ``full`` is ``default`` if not given."""
        values = dict(quick=quick, default=default, full=full or default)
        return values[self.scale]


@dataclass(frozen=True)
class Series:
    """What was measured of one side; ``median`` is None if only B has a number."""

    median: float | None
    values: Sequence[float] = ()

    @classmethod
    def of(cls, values: Sequence[float]) -> "Series":
        """Summarise some measurements."""
        return cls(statistics.median(values), tuple(values))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        size: what was run.
        unit: of both sides.
        a: the reference.
        b: ours.
        ratio: median and quartiles of A / B, None without A.
        target: demanded, or None.
        verdict: of the target; ``reported`` without one.
        agreement: in which way both computed the same.
        note: what one has to know to read the row.
    """

    size: str
    unit: str
    a: Series
    b: Series
    ratio: tuple[float, float, float] | None
    target: Target | None
    verdict: str
    agreement: str = ""
    note: str = ""
    seconds: float = field(default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def interleave(
    a: Callable[[], Any],
    b: Callable[[], Any],
    *,
    pairs: int,
    warmups: int,
    clock: Callable[[], float] = time.perf_counter,
    wait: Callable[[], None] = lambda: None,
) -> tuple[list[float], list[float]]:
    """Time two functions in turns.

    Args:
        a: the reference.
        b: ours.
        pairs: pairs that count.
        warmups: pairs that do not; 0 for calls that are long and have been made before.
        clock: seconds.
        wait: until the device is done.

    Returns:
        Seconds of every call of A and of B.
    """
    # A collection looks at what is new only, not at all of torch and mmdet.
    gc.freeze()
    calls = {a: 1, b: 1}
    for _ in range(warmups):
        for function in (a, b):
            took = _timed(function, 1, clock, wait)
            calls[function] = max(1, math.ceil(_SHORTEST / max(took, 1e-6)))
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(pairs):
        for function, column in zip((a, b), times, strict=True):
            column.append(_timed(function, calls[function], clock, wait))
    gc.unfreeze()
    return times


def compare_times(
    spec: Spec,
    options: Options,
    *,
    size: str,
    a: Callable[[], Any],
    b: Callable[[], Any],
    check: Callable[[Any, Any], str],
    target: Target | None = None,
    note: str = "",
    wait: Callable[[], None] = lambda: None,
) -> Row:
    """Check that A and B agree, then time them in turns.

    Args:
        spec: of the benchmark.
        options: how often.
        size: of the inputs, in words.
        a: the reference.
        b: ours.
        check: raises AssertionError unless the two results agree; says how well.
        target: of this row if it is not that of the spec.
        note: for the reader.
        wait: until the device is done.

    Raises:
        Incorrect: if the results differ; nothing is timed then.
    """
    start = time.perf_counter()
    results, durations = zip(*map(_measured, (a, b)), strict=True)
    try:
        agreement = check(*results)
    except AssertionError as error:
        lines = str(error).strip().splitlines() or ["results differ"]
        raise Incorrect(f"{spec.name} ({size}): {' '.join(lines[:4])}") from error
    # The two calls that were checked have warmed up as well.
    long = spec.device == "cpu" and min(durations) >= _LONG
    warmups = 0 if long else max(1, options.warmups - 1)
    times = interleave(a, b, pairs=options.pairs, warmups=warmups, wait=wait)
    row = compare(spec, *times, size=size, target=target, note=note)
    took = time.perf_counter() - start
    return replace(row, agreement=agreement, seconds=took)


def compare(
    spec: Spec,
    a: Sequence[float],
    b: Sequence[float],
    *,
    size: str,
    target: Target | None = None,
    unit: str | None = None,
    note: str = "",
    agreement: str = "",
) -> Row:
    """Make a row of measurements; ``a`` may be empty."""
    target = target or spec.target
    ratio = _quartiles([x / y for x, y in zip(a, b, strict=True) if y]) if a else None
    ours = Series.of(b)
    median = ratio[0] if ratio else None
    return Row(
        size=size,
        unit=unit or spec.unit,
        a=Series.of(a) if a else Series(None),
        b=ours,
        ratio=ratio,
        target=target,
        verdict=target.verdict(median, ours.median) if target else "reported",
        agreement=agreement,
        note=note,
    )


def _measured(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns, and how many seconds it took."""
    start = time.perf_counter()
    return function(), time.perf_counter() - start


def _timed(
    function: Callable[[], Any],
    calls: int,
    clock: Callable[[], float],
    wait: Callable[[], None],
) -> float:
    gc.collect()
    gc.disable()  # a collection in the middle of one side would count for it alone
    try:
        wait()
        start = clock()
        for _ in range(calls):
            function()
        wait()
        return (clock() - start) / calls
    finally:
        gc.enable()


def _quartiles(values: Sequence[float]) -> tuple[float, float, float] | None:
    """Return median, lower and upper quartile; None of nothing."""
    if not values:
        return None
    if len(values) == 1:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high
