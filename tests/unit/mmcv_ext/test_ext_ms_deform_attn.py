"""Deformable attention: the published formula, its gradient, every float dtype."""

import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction

SHAPES = [(3, 4), (2, 1)]


def make_inputs(*, dtype, batch=2, queries=3, heads=2, dim=3, points=2):
    generator = torch.Generator().manual_seed(0)

    def rand(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    keys = sum(h * w for h, w in SHAPES)
    value = rand(batch, keys, heads, dim) - 0.5
    # Beyond [0, 1] on both sides: what lies outside reads as zero.
    locations = rand(batch, queries, heads, len(SHAPES), points, 2) * 1.4 - 0.2
    weights = rand(batch, queries, heads, len(SHAPES), points)
    return [tensor.to(dtype) for tensor in (value, locations, weights)]


def attend(value, locations, weights, im2col_step=64):
    shapes = torch.tensor(SHAPES)
    starts = torch.tensor([0, 12])
    return MultiScaleDeformableAttnFunction.apply(
        value, shapes, starts, locations, weights, im2col_step
    )


def bilinear(pixels, x, y):
    """Read pixels (H, W, D) at continuous pixel-centre coordinates, zero outside."""
    height, width, _ = pixels.shape
    total = torch.zeros(pixels.shape[2], dtype=pixels.dtype)
    x0, y0 = int(x // 1), int(y // 1)
    for yi in (y0, y0 + 1):
        for xi in (x0, x0 + 1):
            if 0 <= yi < height and 0 <= xi < width:
                total += (1 - abs(x - xi)) * (1 - abs(y - yi)) * pixels[yi, xi]
    return total


def written_out(value, locations, weights):
    """Eq. 3 of Deformable DETR as loops, one sampling point at a time."""
    batch, queries, heads, levels, points, _ = locations.shape
    output = torch.zeros(batch, queries, heads, value.shape[3], dtype=value.dtype)
    parts = value.split([h * w for h, w in SHAPES], dim=1)
    for b, q, m, level, p in torch.cartesian_prod(
        *(torch.arange(n) for n in (batch, queries, heads, levels, points))
    ).tolist():
        height, width = SHAPES[level]
        pixels = parts[level][b, :, m].view(height, width, -1)
        x, y = (locations[b, q, m, level, p]).tolist()
        sample = bilinear(pixels, x * width - 0.5, y * height - 0.5)
        output[b, q, m] += weights[b, q, m, level, p] * sample
    return output.flatten(2)


def test_forward_is_the_published_formula():
    inputs = make_inputs(dtype=torch.float64)
    torch.testing.assert_close(attend(*inputs), written_out(*inputs))


def test_backward_passes_gradcheck():
    inputs = [t.requires_grad_() for t in make_inputs(dtype=torch.float64, queries=2)]
    assert torch.autograd.gradcheck(attend, inputs)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 1e-5), (torch.float16, 5e-3), (torch.bfloat16, 5e-2)],
)
def test_lower_precision_keeps_its_dtype_and_the_result(dtype, tolerance):
    inputs = [t.requires_grad_() for t in make_inputs(dtype=dtype)]
    output = attend(*inputs)
    assert output.dtype == dtype
    exact_inputs = [t.detach().double().requires_grad_() for t in inputs]
    exact = attend(*exact_inputs)
    torch.testing.assert_close(output.double(), exact, atol=tolerance, rtol=tolerance)
    output.float().sum().backward()
    exact.sum().backward()
    for got, want in zip(inputs, exact_inputs, strict=True):
        assert got.grad.dtype == dtype
        torch.testing.assert_close(
            got.grad.double(), want.grad, atol=4 * tolerance, rtol=4 * tolerance
        )


def test_batch_need_not_be_a_multiple_of_im2col_step():
    # The CUDA kernel refuses this, which ends inference on videos of > 128 frames.
    inputs = make_inputs(dtype=torch.float32, batch=3)
    torch.testing.assert_close(attend(*inputs, im2col_step=2), attend(*inputs))


def test_no_queries():
    value, locations, weights = make_inputs(dtype=torch.float32, queries=0)
    assert attend(value, locations, weights).shape == (2, 0, 6)
