"""Deformable attention with reference points of any kind (Deformable DETR, Eq. 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import BuiltinFunctionType

import torch
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttention,
    MultiScaleDeformableAttnFunction,
    ext_module,
)
from torch import Tensor

from tmt_vis.ops import LevelLayout, deform_attention
from tmt_vis.typedefs import Size

# Without a compiled kernel the sizes are read in Python; on the device each reading
# would wait for everything before it.
_HAS_KERNEL = isinstance(ext_module.ms_deform_attn_forward, BuiltinFunctionType)
# Training with multi-scale crops sees a few dozen sizes of 3 kB each.
_MAX_SIZES = 64


@dataclass(frozen=True)
class SamplingGrid:
    """What depends on the sizes of the levels only.

    Args:
        layout: of the pixels of all levels.
        extent: ``(L, 2)`` float32 width and height of each level.
        shapes: ``(L, 2)`` int64 height and width, where mmcv reads them.
        starts: ``(L,)`` int64 first pixel of each level.
    """

    layout: LevelLayout
    extent: Tensor
    shapes: Tensor
    starts: Tensor

    @classmethod
    def of(
        cls,
        attn: MultiScaleDeformableAttention,
        sizes: Sequence[Size],
        device: torch.device,
    ) -> "SamplingGrid":
        """Return the grid of an attention layer; kept per size."""
        sizes = tuple(tuple(size) for size in sizes)
        return _grid(sizes, attn.num_heads, attn.num_points, device)


@dataclass(frozen=True)
class ReferencePoints:
    """Where queries look, relative to the padded levels.

    Args:
        centers: ``(B, Q, L, 2)`` x and y in [0, 1].
        sizes: ``(B, Q, L, 2)`` width and height of a reference box: offsets are then
            counted in half sizes over the number of points. None: in pixels of each
            level.
    """

    centers: Tensor
    sizes: Tensor | None = None

    def pixels(self, offsets: Tensor, extent: Tensor) -> Tensor:
        """Return the positions that are read, ``(B, Q, M, L, P, 2)`` in pixels.

        Args:
            offsets: ``(B, Q, M, L, P, 2)`` of the attention layer.
            extent: ``(L, 2)`` width and height of each level.
        """
        base = (self.centers * extent - 0.5)[:, :, None, :, None]
        if self.sizes is None:
            return base + offsets
        step = self.sizes * (extent * (0.5 / offsets.shape[-2]))
        return base + offsets * step[:, :, None, :, None]


def deformable_attention(
    attn: MultiScaleDeformableAttention,
    query: Tensor,
    memory: Tensor,
    references: ReferencePoints,
    sizes: Sequence[Size],
    padding: Tensor | None = None,
) -> Tensor:
    """Run a deformable attention, without dropout and residual.

    Same result as mmcv's layer, which checks sizes on the device and is slower on CPUs
    (:func:`tmt_vis.ops.deform_attention`).

    Args:
        attn: holds the weights.
        query: ``(B, Q, C)`` with positions.
        memory: ``(B, N, C)`` tokens of all levels, without positions.
        references: of the queries.
        sizes: ``(h, w)`` of the L levels.
        padding: ``(B, N)`` bool, True = padding, which is read as zero.

    Returns:
        ``(B, Q, C)``.
    """
    return attn.output_proj(
        deformable_reading(attn, query, memory, references, sizes, padding)
    )


def deformable_reading(
    attn: MultiScaleDeformableAttention,
    query: Tensor,
    memory: Tensor,
    references: ReferencePoints,
    sizes: Sequence[Size],
    padding: Tensor | None = None,
) -> Tensor:
    """Run a deformable attention up to its last projection.

    Args:
        attn: holds the weights.
        query: ``(B, Q, C)`` with positions.
        memory: ``(B, N, C)`` tokens of all levels, without positions.
        references: of the queries.
        sizes: ``(h, w)`` of the L levels.
        padding: ``(B, N)`` bool, True = padding, which is read as zero.

    Returns:
        ``(B, Q, C)``.
    """
    grid = SamplingGrid.of(attn, sizes, memory.device)
    value = attn.value_proj(memory)
    if padding is not None:
        value = value.masked_fill(padding.unsqueeze(-1), 0)
    value = value.unflatten(-1, (attn.num_heads, -1))
    shape = (attn.num_heads, attn.num_levels, attn.num_points)
    offsets = attn.sampling_offsets(query).unflatten(-1, (*shape, 2))
    scores = attn.attention_weights(query).unflatten(-1, (attn.num_heads, -1))
    weights = short_softmax(scores)
    pixels = references.pixels(offsets, grid.extent)
    if value.is_cpu:
        x, y = pixels.flatten(2, 4).unbind(-1)
        out = deform_attention(value, x, y, weights.flatten(2), grid.layout)
    else:
        out = MultiScaleDeformableAttnFunction.apply(
            value.float(),
            grid.shapes,
            grid.starts,
            ((pixels + 0.5) / grid.extent[:, None]).float(),
            weights.unflatten(-1, shape[1:]).float(),
            attn.im2col_step,
        ).to(value.dtype)
    return out


def short_softmax(scores: Tensor) -> Tensor:
    """Compute the softmax over the last dimension, in float32 at least.

    On CPUs, torch takes five times as long for rows as short as these (12 numbers).
    With gradients it stays torch's, which is a single operator.
    """
    if torch.is_grad_enabled() or not scores.is_cpu:
        return scores.softmax(-1)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    exps = (scores - scores.amax(-1, keepdim=True)).exp_()
    return exps.div_(exps.sum(-1, keepdim=True))


@lru_cache(maxsize=_MAX_SIZES)
def _grid(
    sizes: tuple[Size, ...], heads: int, points: int, device: torch.device
) -> SamplingGrid:
    lengths = [height * width for height, width in sizes]
    starts = [sum(lengths[:level]) for level in range(len(sizes))]
    extent = [(width, height) for height, width in sizes]
    return SamplingGrid(
        LevelLayout(sizes, heads, points, device),
        torch.tensor(extent, dtype=torch.float32, device=device),
        torch.tensor(sizes, device=device if _HAS_KERNEL else "cpu"),
        torch.tensor(starts, device=device),
    )
