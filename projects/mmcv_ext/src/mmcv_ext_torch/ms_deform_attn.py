"""Multi-scale deformable attention (Deformable DETR, arXiv 2010.04159, eq. 3)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def _sample_level(value: Tensor, height: int, width: int, locations: Tensor) -> Tensor:
    """Read one feature level at fractional positions, zero outside of it.

    Args:
        value: (B, H*W, M, D) features of the level for M heads.
        height: rows of the level.
        width: columns of the level.
        locations: (B, Q, M, P, 2) x, y in [0, 1] of the level's extent.

    Returns:
        (B*M, D, Q, P)
    """
    maps = value.permute(0, 2, 3, 1).reshape(-1, value.shape[3], height, width)
    grid = (2 * locations - 1).transpose(1, 2).flatten(0, 1)  # (B*M, Q, P, 2)
    return F.grid_sample(
        maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )


def _attend(
    value: Tensor, shapes: list[list[int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """Sum the weighted samples of all levels; shapes as in the forward operator."""
    batch, _, heads, dim = value.shape
    queries = locations.shape[1]
    levels = value.split([h * w for h, w in shapes], dim=1)
    output = value.new_zeros(batch * heads, dim, queries)
    for index, ((height, width), level) in enumerate(zip(shapes, levels, strict=True)):
        samples = _sample_level(level, height, width, locations[:, :, :, index])
        weight = weights[:, :, :, index].transpose(1, 2).flatten(0, 1)  # (B*M, Q, P)
        output = output + torch.einsum("ndqp,nqp->ndq", samples, weight)
    return output.view(batch, heads * dim, queries).transpose(1, 2).contiguous()


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Attend to P points per head and level, for every query.

    fp16 and bf16 are computed in fp32: `grid_sample` has no such CPU kernel, and a
    bf16 position is off by up to a pixel on a 256-wide level.

    Args:
        value: (B, sum of H*W, M, D) features of all levels for M heads.
        spatial_shapes: (L, 2) int64 height, width of each level.
        level_start_index: (L,) implied by `spatial_shapes`; not read.
        sampling_locations: (B, Q, M, L, P, 2) x, y in [0, 1] of each level's extent.
        attention_weights: (B, Q, M, L, P).
        im2col_step: batch chunk of the CUDA kernel; not read, any batch size works.

    Returns:
        (B, Q, M*D)
    """
    dtype = torch.promote_types(value.dtype, torch.float32)
    output = _attend(
        value.to(dtype),
        spatial_shapes.tolist(),
        sampling_locations.to(dtype),
        attention_weights.to(dtype),
    )
    return output.to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Add the gradients of `ms_deform_attn_forward` to three buffers.

    The forward is computed again, so nothing but the inputs is kept between the two,
    as in the CUDA kernel.

    Args:
        value: as in the forward.
        spatial_shapes: as in the forward.
        level_start_index: as in the forward.
        sampling_locations: as in the forward.
        attention_weights: as in the forward.
        grad_output: (B, Q, M*D).
        grad_value: like `value`, added to.
        grad_sampling_loc: like `sampling_locations`, added to.
        grad_attn_weight: like `attention_weights`, added to.
        im2col_step: as in the forward.
    """
    dtype = torch.promote_types(value.dtype, torch.float32)
    inputs = [
        tensor.detach().to(dtype).requires_grad_()
        for tensor in (value, sampling_locations, attention_weights)
    ]
    with torch.enable_grad():
        output = _attend(inputs[0], spatial_shapes.tolist(), inputs[1], inputs[2])
    grads = torch.autograd.grad(output, inputs, grad_output.to(dtype))
    buffers = (grad_value, grad_sampling_loc, grad_attn_weight)
    for buffer, grad in zip(buffers, grads, strict=True):
        buffer.add_(grad)
