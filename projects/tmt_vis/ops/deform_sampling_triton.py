"""Sampling of multi-scale deformable attention on CUDA devices, with Triton.

For devices without mmcv's compiled operator. The readable twin is
:func:`tmt_vis.ops.deform_attention_reference`. The kernels are compared with it in
Triton's interpreter and compiled for sm_80 and sm_90; no GPU has run them yet.
"""

import os
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from .level_layout import LevelLayout

_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
# Numbers for each warp of a program to keep: eight a thread.
_PER_WARP = 256
# In the forward, neighbouring queries share the cache of a program. One warp does
# without shared memory and barriers, which sums over D otherwise need (24 in the code
# for sm_90).
_FORWARD_WARPS, _BACKWARD_WARPS = 4, 1


def deform_attention_triton(
    value: Tensor, x: Tensor, y: Tensor, weights: Tensor, layout: LevelLayout
) -> Tensor:
    """Attend to P points per head and level, for every query (CUDA).

    Values are read as they are; positions, weights and all sums are float32. Nothing
    but the arguments is kept for the backward, which adds to the gradient of the values
    in any order: runs differ in the last bits.

    Args:
        value: ``(B, N, M, D)`` pixels of all levels, float32, float16 or bfloat16.
        x: ``(B, Q, E)`` positions in pixels of each level; pixel centres are integers,
            outside of a level are zeros.
        y: ``(B, Q, E)``.
        weights: ``(B, Q, E)``, E ordered by head, level, point.
        layout: of the levels.

    Returns:
        ``(B, Q, M*D)``, of the dtype of ``value``.

    Raises:
        ImportError: without triton.
        ValueError: if the tensors are not on a CUDA device (unless ``TRITON_INTERPRET``
            is 1), or shapes or dtype do not fit.
    """
    _check(value, (x, y, weights), layout)
    samples = [tensor.float().contiguous() for tensor in (x, y, weights)]
    return _DeformAttention.apply(value.contiguous(), *samples, layout)


class _DeformAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        value: Tensor,
        x: Tensor,
        y: Tensor,
        weights: Tensor,
        layout: LevelLayout,
    ) -> Tensor:
        ctx.layout = layout
        ctx.save_for_backward(value, x, y, weights)
        out = value.new_empty(*x.shape[:2], value.shape[2] * value.shape[3])
        inputs = (value, layout.extents, x, y, weights)
        kernel = _kernels().attend_kernel
        _launch(kernel, (*inputs, out), layout, warps=_FORWARD_WARPS)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        value, x, y, weights = ctx.saved_tensors
        value_grad = torch.zeros_like(value, dtype=torch.float32)
        sample_grads = [torch.empty_like(tensor) for tensor in (x, y, weights)]
        inputs = (value, ctx.layout.extents, x, y, weights, grad.contiguous())
        tensors = (*inputs, value_grad, *sample_grads)
        kernel = _kernels().attend_backward_kernel
        _launch(kernel, tensors, ctx.layout, warps=_BACKWARD_WARPS)
        return value_grad.to(value.dtype), *sample_grads, None


def _launch(
    kernel: Any, tensors: tuple[Tensor, ...], layout: LevelLayout, *, warps: int
) -> None:
    """Run a kernel for all queries, heads and frames.

    Args:
        kernel: of ``deform_sampling_kernels``.
        tensors: its arguments; the first is ``value``, the third ``x``.
        layout: of the levels.
        warps: of a program.
    """
    (frames, num_pixels, heads, dim), queries = tensors[0].shape, tensors[2].shape[1]
    constants = _constants(dim, layout, warps=warps)
    blocks = -(-queries // constants["BLOCK_QUERIES"])
    with torch.cuda.device_of(tensors[0]):
        kernel[blocks, heads, frames](
            *tensors, num_pixels, queries, **constants, num_warps=warps
        )


def _constants(dim: int, layout: LevelLayout, *, warps: int) -> dict[str, int]:
    """Return what the kernels are compiled for."""
    block_dim = 1 << (dim - 1).bit_length()
    return dict(
        HEADS=layout.heads,
        DIM=dim,
        LEVELS=len(layout.sizes),
        POINTS=layout.points,
        BLOCK_QUERIES=max(1, warps * _PER_WARP // block_dim),
        BLOCK_DIM=block_dim,
    )


def _kernels() -> ModuleType:
    try:
        from . import deform_sampling_kernels
    except ImportError as error:
        raise ImportError(
            "deform_attention_triton needs triton, got no such package; torch's CUDA "
            "wheels for Linux bring it, and sampling='auto' of ClipPixelDecoder does "
            "without"
        ) from error
    return deform_sampling_kernels


def _check(value: Tensor, samples: tuple[Tensor, ...], layout: LevelLayout) -> None:
    """Refuse what a kernel would answer with numbers from somewhere else."""
    if not value.is_cuda and os.environ.get("TRITON_INTERPRET") != "1":
        raise ValueError(
            "deform_attention_triton needs tensors of a CUDA device, got "
            f"{value.device}; use deform_attention there"
        )
    if value.dtype not in _DTYPES:
        raise ValueError(
            f"value must be float32, float16 or bfloat16, got {value.dtype}; "
            "deform_attention computes float64 on CPUs"
        )
    pixels = sum(height * width for height, width in layout.sizes)
    if value.shape[1:3] != (pixels, layout.heads):
        raise ValueError(
            f"value must be (B, {pixels}, {layout.heads}, D) for {layout.sizes}, got "
            f"{tuple(value.shape)}; give the layout of its levels"
        )
    shape = (len(value), samples[0].shape[1], layout.samples)
    for name, tensor in zip(("x", "y", "weights"), samples, strict=True):
        if tensor.shape != shape:
            raise ValueError(
                f"{name} must be (B, Q, heads * levels * points) = {shape}, got "
                f"{tuple(tensor.shape)}; flatten its last dimensions"
            )
