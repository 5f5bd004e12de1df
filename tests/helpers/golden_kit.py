"""Golden kits: reference weights made from names and shapes, and inputs by formula.

A kit (tests/fixtures/golden) lists the tensors of a reference model and holds what that
model computed from weights and inputs that everybody can make again.
"""

import json
import math
import re
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

KITS = Path(__file__).resolve().parents[1] / "fixtures" / "golden"
SIZE = (96, 160)
LABELS = (7, 23)
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_STD = np.array([58.395, 57.12, 57.375], np.float32)
_TABLES = ("query_feat", "query_embed", "level_embed", "fq_pos", "tgt_embed")
_SIGMOID_BIAS = re.compile(r"class_embed\.\d+\.bias$")
_GAINS = {
    "in_proj_weight": 2.0,
    "out_proj.weight": 0.1,
    "linear2.weight": 0.2,
}


def inventory(kit: str) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return shape and dtype of every tensor of a reference model."""
    entries = json.loads((KITS / kit / "inventory.json").read_text())["entries"]
    return {e["key"]: (tuple(e["shape"]), e["dtype"]) for e in entries}


@cache
def golden(kit: str) -> dict[str, np.ndarray]:
    """Return what the reference computed."""
    with np.load(KITS / kit / "golden.npz") as arrays:
        return dict(arrays)


def reference_weights(kit: str) -> dict[str, torch.Tensor]:
    """Make the weights of a reference model, under its own names."""
    weights = {}
    for key, (shape, dtype) in inventory(kit).items():
        by_rule = dtype == "float32" and "empty_weight" not in key
        array = filled(key, shape) if by_rule else _verbatim(kit, key, shape)
        weights[key] = torch.from_numpy(array)
    return weights


def _verbatim(kit: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Read a constant from the kit, or make it where only the inventory is there."""
    if (KITS / kit / "golden.npz").exists():
        return golden(kit)[f"buffer/{key}"]
    if key.endswith("empty_weight"):
        return np.append(np.ones(shape[0] - 1, np.float32), np.float32(0.1))
    assert key.endswith("relative_position_index"), key
    side = math.isqrt(shape[0])
    y, x = np.divmod(np.arange(shape[0]), side)
    steps = [axis[:, None] - axis[None] + side - 1 for axis in (y, x)]
    return steps[0] * (2 * side - 1) + steps[1]


def filled(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Fill one tensor: normal numbers seeded by its name, scaled by its role."""
    random = np.random.RandomState(zlib.crc32(key.encode()))
    return scaled(key, random.standard_normal(shape).astype(np.float32))


def scaled(key: str, x: np.ndarray) -> np.ndarray:
    """Scale normal numbers by the role of the tensor.

    All arithmetic is float32 and in this order, or the last bit differs.
    """
    f32 = np.float32
    if key.endswith("running_var"):
        return f32(1) + f32(0.2) * np.abs(x)
    if key.endswith("sampling_offsets.weight"):
        return f32(0.01) * x
    if key.endswith("sampling_offsets.bias"):
        return x
    if _SIGMOID_BIAS.search(key):  # most queries stay below the scores of a tracker
        return f32(-6.5) + f32(0.1) * x
    if key.removesuffix(".weight").endswith(_TABLES) and x.ndim == 2:
        return x
    if key.endswith("weight") and x.ndim == 1:  # of a norm
        return f32(1) + f32(0.1) * x
    if x.ndim < 2:
        return f32(0.1) * x
    gains = [gain for end, gain in _GAINS.items() if key.endswith(end)]
    gain = gains[0] if gains else 2.0 if "class_embed" in key else 1.0
    return f32(gain) * x * f32(1 / np.sqrt(float(np.prod(x.shape[1:]))))


def frames(
    num_frames: int, first: int, *, size: tuple[int, int] = SIZE
) -> torch.Tensor:
    """Make the normalised clip (1, T, 3, H, W) of consecutive numbers."""
    return clip_of(range(first, first + num_frames), size=size)


def clip_of(numbers: Sequence[int], *, size: tuple[int, int] = SIZE) -> torch.Tensor:
    """Make a normalised clip (1, T, 3, H, W): tilted ramps on a chessboard.

    Args:
        numbers: of its frames.
        size: height and width; padded with zeros to multiples of 32.
    """
    axes = (np.asarray(numbers), *map(np.arange, (3, *size)))
    t, c, y, x = np.meshgrid(*axes, indexing="ij")
    chess = (x // 8 + y // 8 + t) % 2
    pixels = (37 * t + 17 * c + 3 * y + 5 * x + 90 * chess) % 256
    scaled = (pixels.astype(np.float32) - _MEAN[:, None, None]) / _STD[:, None, None]
    height, width = size
    return F.pad(torch.from_numpy(scaled)[None], (0, -width % 32, 0, -height % 32))


def fixed_points(num_points: int = 1024) -> torch.Tensor:
    """Return the points (1, P, 2) at which all masks are compared."""
    points = np.random.RandomState(0).random_sample((num_points, 2))
    return torch.from_numpy(points.astype(np.float32))[None]


def moving_boxes(
    num_frames: int, variant: str, *, size: tuple[int, int] = SIZE
) -> torch.Tensor:
    """Make the true masks (2, T, H, W): two boxes that move towards each other.

    In variant B the second one is absent from the first frame.
    """
    masks = torch.zeros(2, num_frames, *size, dtype=torch.bool)
    for t in range(num_frames):
        masks[0, t, 16 + 4 * t : 48 + 4 * t, 20 + 8 * t : 68 + 8 * t] = True
        top, left = 48 - 3 * t, 96 - 10 * t
        rows, columns = slice(max(top, 0), top + 36), slice(max(left, 0), left + 40)
        masks[1, t, rows, columns] = True
    if variant == "B":
        masks[1, 0] = False
    return masks


def synthetic_tracks(
    num_frames: int = 5, queries: int = 100, channels: int = 256
) -> torch.Tensor:
    """Make queries (T, Q, C) of frames that resemble a permutation of the last ones."""
    draw = np.random.RandomState
    frames = [draw(1000).standard_normal((queries, channels))]
    for t in range(1, num_frames):
        order = draw(1000 + t).permutation(queries)
        fresh = draw(2000 + t).standard_normal((queries, channels))
        frames.append(0.2 * frames[-1][order] + fresh)
    return torch.from_numpy(np.stack(frames).astype(np.float32))
