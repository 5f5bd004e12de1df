"""COCO run lengths <-> their compressed bytes, vectorised over many masks.

pycocotools writes run lengths and decodes masks, but it never hands out run lengths,
and its counters are 32 bit. Splitting and joining tubes needs run lengths, and a tube
of 2,100 frames of 1080p has runs above 2**32, so the byte format lives here in int64.

Format (COCO ``rleToString``): run lengths alternate background, object, background...;
from the fourth on, the difference to the run two places back is stored; every value is
written in groups of 5 bits, low group first, bit 5 = "more follows", plus 48.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask

_OFFSET = 48
_PAYLOAD = 0x1F
_SIGN = 0x10
_MORE = 0x20
_ALPHABET = bytes(range(_OFFSET, _OFFSET + 64))
# pycocotools holds runs in uint32 ...
MAX_COCO_PIXELS = 2**32 - 1
# ... but reads a difference below -2**29 wrongly (2.0.11, ``rleFrString``: it shifts a
# 32 bit -1 by 35): behind it decode() fails and rleIou() never returns.
MAX_COCO_RUN = 2**29 - 1
_FIVE_GROUPS = 2**24  # differences of runs below it take at most five groups
_MAX_GROUPS = 12  # 60 bits, the most that fits int64 with the sign


def encode_counts(
    runs: np.ndarray, lengths: Sequence[int] | None = None
) -> list[bytes]:
    """Compress the run lengths of one or several masks.

    Args:
        runs: (R,) integers >= 0, the run lengths of all masks one after the other.
        lengths: Number of runs of each mask, summing to R; None means one mask.

    Returns:
        One byte string per mask, as pycocotools writes it.

    Raises:
        ValueError: If a run is negative or ``lengths`` does not sum to R.
    """
    runs = np.asarray(runs, dtype=np.int64)
    per_mask = np.asarray([len(runs)] if lengths is None else lengths, dtype=np.int64)
    if per_mask.sum() != len(runs) or (per_mask < 1).any() or (runs < 0).any():
        raise ValueError(
            "run lengths must be >= 0 and every mask needs at least one, got "
            f"{len(runs)} runs (min {runs.min(initial=0)}) for masks of {per_mask} runs"
        )
    if lengths is None and _fits_c(runs):
        return [_encode_in_c(runs)]
    values = runs.copy()
    has_base = _index_in_mask(per_mask) > 2
    values[has_base] -= runs[np.flatnonzero(has_base) - 2]
    groups = _groups_needed(values)
    ends = np.cumsum(groups)
    text = np.empty(int(ends[-1]), dtype=np.uint8)
    for group in range(int(groups.max())):
        todo = groups > group
        payload = (values[todo] >> (5 * group)) & _PAYLOAD
        more = np.where(groups[todo] > group + 1, _MORE, 0)
        text[(ends - groups)[todo] + group] = (payload | more) + _OFFSET
    cuts = ends[np.cumsum(per_mask) - 1]
    data = text.tobytes()
    return [data[a:b] for a, b in zip([0, *cuts[:-1]], cuts, strict=True)]


def decode_counts(counts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Read the run lengths out of compressed counts.

    Args:
        counts: One compressed byte string per mask.

    Returns:
        runs: (R,) int64, the run lengths of all masks one after the other.
        lengths: (len(counts),) int64, number of runs of each mask.

    Raises:
        ValueError: If a string is empty, truncated or not compressed COCO counts.
    """
    codes = np.frombuffer(b"".join(counts), dtype=np.uint8).astype(np.int64) - _OFFSET
    stops = np.cumsum([len(text) for text in counts])
    if not len(stops) or min(map(len, counts)) == 0 or (codes[stops - 1] & _MORE).any():
        raise ValueError("compressed counts must not be empty or cut inside a value")
    if codes.min() < 0 or codes.max() > 63:
        raise ValueError("compressed counts hold bytes outside the alphabet 48..111")
    ends = np.flatnonzero((codes & _MORE) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    groups = ends - starts + 1
    if groups.max() > _MAX_GROUPS:
        raise ValueError(f"a run length of {groups.max()} groups does not fit 60 bits")
    values = codes[starts] & _PAYLOAD
    for group in range(1, int(groups.max())):
        longer = np.flatnonzero(groups > group)
        payload = codes[starts[longer] + group] & _PAYLOAD
        values[longer] |= payload << (5 * group)
    negative = np.flatnonzero(codes[ends] & _SIGN)
    values[negative] -= np.int64(1) << (5 * groups[negative])
    lengths = np.diff(np.searchsorted(ends, stops), prepend=0)
    runs = _undo_differences(values, _index_in_mask(lengths))
    if runs.min() < 0:
        raise ValueError("compressed counts decode to a negative run length")
    return runs, lengths


def check_text(counts: bytes) -> None:
    """Refuse bytes that no compressed counts can be.

    pycocotools reads and writes beyond its buffers on a byte outside the alphabet, a
    zero, or a value that is cut: it corrupts the heap. Whether the runs fill the image
    is not looked at. Costs 1 us for counts of 272 bytes.

    Args:
        counts: Compressed counts, not empty.

    Raises:
        ValueError: If a byte is outside the alphabet or the last value is cut.
    """
    if counts.translate(None, _ALPHABET):
        raise ValueError("compressed counts hold bytes outside the alphabet 48..111")
    if (counts[-1] - _OFFSET) & _MORE:
        raise ValueError("compressed counts must not be empty or cut inside a value")


def _fits_c(runs: np.ndarray) -> bool:
    """Tell whether pycocotools can write the runs of one mask.

    It reserves six bytes per run, a final zero included, and writes behind them if that
    is not enough (2.0.11, ``rleToString``). A long run takes up to seven, as does the
    difference to it two places on; all others take five.
    """
    long_runs = np.count_nonzero(runs >= _FIVE_GROUPS)
    # As floats, which do not wrap around.
    return 4 * long_runs < len(runs) and runs.sum(dtype=np.float64) <= MAX_COCO_PIXELS


def _encode_in_c(runs: np.ndarray) -> bytes:
    """Compress one mask: 5 us for a thousand runs, 120 with NumPy."""
    size = [1, int(runs.sum())]
    return coco_mask.frPyObjects({"size": size, "counts": runs}, *size)["counts"]


def _index_in_mask(lengths: np.ndarray) -> np.ndarray:
    """Number every run within its own mask: [2, 3] -> [0, 1, 0, 1, 2]."""
    starts = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) - np.repeat(starts, lengths)


def _groups_needed(values: np.ndarray) -> np.ndarray:
    """Count the 5-bit groups of each value (two's complement, sign bit included)."""
    rest = np.where(values < 0, ~values, values) >> 4
    groups = np.ones(len(values), dtype=np.int64)
    while rest.any():
        groups += rest > 0
        rest >>= 5
    return groups


def _undo_differences(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Turn differences to the run two places back into run lengths.

    Even and odd places are two independent running sums; both restart at the first
    three runs of each mask, which are stored as they are.
    """
    runs = np.empty_like(values)
    for parity in (0, 1):
        chain = values[parity::2]
        restart = np.flatnonzero(index[parity::2] <= 2)
        total = np.cumsum(chain)
        before = total[restart] - chain[restart]
        runs[parity::2] = total - np.repeat(before, np.diff(restart, append=len(chain)))
    return runs
