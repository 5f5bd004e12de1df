"""COCO run-length encoding of binary masks, in numpy."""

from typing import Any

import numpy as np


def run_lengths(mask: np.ndarray) -> np.ndarray:
    """Return the column-major run lengths of a mask, starting with a run of zeros.

    Args:
        mask: (H, W) bool.

    Returns:
        (R,) int64, summing to H * W.
    """
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate(([0], edges, [flat.size]))
    runs = np.diff(bounds)
    return np.concatenate(([0], runs)) if flat[0] else runs


def compress(counts: np.ndarray) -> str:
    """Return COCO's compressed string of run lengths.

    From the fourth run on the difference to the run two before is stored, in groups
    of five bits, lowest first, with a continuation bit, offset to printable ASCII.

    Args:
        counts: (R,) int64 run lengths.

    Returns:
        The ASCII string that pycocotools calls ``counts``.
    """
    value = counts.astype(np.int64)
    value[3:] -= counts[1:-2]
    active = np.ones(len(value), bool)
    columns = []
    while active.any():
        chunk = value & 0x1F
        value = value >> 5
        more = np.where(chunk & 0x10, value != -1, value != 0) & active
        columns.append(np.where(active, chunk + 0x20 * more + 48, 0))
        active = more
    chars = np.stack(columns, axis=1).astype(np.uint8).ravel()
    return chars[chars > 0].tobytes().decode("ascii")


def encode(mask: np.ndarray, *, compressed: bool) -> dict[str, Any]:
    """Return a mask as an RLE dict.

    Args:
        mask: (H, W) bool.
        compressed: string counts if true, else a plain list of run lengths.

    Returns:
        ``{'size': [H, W], 'counts': str | list[int]}``.
    """
    counts = run_lengths(mask)
    packed = compress(counts) if compressed else counts.tolist()
    return {"size": list(mask.shape), "counts": packed}


def decompress(counts: str | list[int]) -> np.ndarray:
    """Return the run lengths of an RLE, the inverse of `compress`."""
    if not isinstance(counts, str):
        return np.asarray(counts, np.int64)
    runs: list[int] = []
    value = shift = 0
    for char in counts.encode("ascii"):
        chunk = char - 48
        value |= (chunk & 0x1F) << shift
        shift += 5
        if chunk & 0x20:
            continue
        if chunk & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return np.asarray(runs, np.int64)


def decode(rle: dict[str, Any]) -> np.ndarray:
    """Return the (H, W) bool mask of an RLE dict, the inverse of `encode`."""
    runs = decompress(rle["counts"])
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(rle["size"], order="F")
