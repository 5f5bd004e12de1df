"""Run the Triton kernels of deformable attention in Triton's interpreter.

A script, because the interpreter has to be chosen before triton is imported:
``TRITON_INTERPRET=1 python triton_interpreter.py CASE...`` prints JSON, the largest
errors of every case.
"""

import json
import sys
from pathlib import Path
from types import ModuleType

import torch

# `import tmt_vis` imports mmdet, which takes longer than all cases.
_PACKAGE = ModuleType("tmt_vis")
_PACKAGE.__path__ = [str(Path(__file__).resolve().parents[2] / "projects" / "tmt_vis")]
NAMES = ("out", "value", "x", "y", "weights")
ODD = ((1, 3), (4, 2))


def make_inputs(sizes, *, heads, dim, points, queries, frames, dtype, device="cpu"):
    """Make value, x, y, weights; positions lie up to some pixels outside, some far."""
    generator = torch.Generator().manual_seed(0)
    pixels = sum(height * width for height, width in sizes)
    samples = heads * len(sizes) * points

    def randn(*shape):
        return torch.randn(*shape, generator=generator)

    value = randn(frames, pixels, heads, dim).to(dtype)
    x, y = (randn(2, frames, queries, samples) * 1.5 + 0.5).unbind()
    x.view(-1)[::7], y.view(-1)[3::11] = 1e6, -1e6
    weights = randn(frames, queries, samples)
    return [t.to(device).requires_grad_() for t in (value, x, y, weights)]


def results(function, inputs, places):
    """Return the output and all gradients."""
    out = function(*inputs, places)
    upstream = torch.linspace(-1, 1, out.numel(), device=out.device).view_as(out)
    return out, *torch.autograd.grad(out, inputs, upstream.to(out.dtype))


def errors(ops, sizes, **options):
    """Compare with the reference in float64, given what was rounded to the dtype.

    Errors are relative to the largest number; of what is rounded itself, to the number.
    """
    inputs = make_inputs(sizes, **options)
    heads, points, device = options["heads"], options["points"], inputs[0].device
    layout = ops.LevelLayout(sizes, heads, points, device)
    got = results(ops.deform_attention_triton, inputs, layout)
    exact = [tensor.detach().double().requires_grad_() for tensor in inputs]
    upstream = torch.linspace(-1, 1, got[0].numel(), device=device).view_as(got[0])
    out = ops.deform_attention_reference(*exact, sizes)
    upstream = upstream.to(got[0].dtype).double()
    expected = out, *torch.autograd.grad(out, exact, upstream)
    assert [t.dtype for t in got] == [inputs[0].dtype, *(t.dtype for t in inputs)]
    return {name: _error(a, b) for name, a, b in zip(NAMES, got, expected, strict=True)}


def _error(got, expected):
    scale = largest = expected.abs().max()
    if got.dtype != torch.float32:
        scale = expected.abs() + 1e-3 * largest
    return ((got.double() - expected).abs() / scale).max().item()


def outside(ops):
    """Count the numbers that are not 0 where all samples are, beside infinite pixels.

    The level has 4 rows and 2 columns. A neighbour of -1 < x < 0 would be inside.
    """
    near = ((0.5, -1.5), (0.5, 4.0), (-1.5, 1.0), (2.0, 1.0))
    steps = ((0.0, -1.0), (0.0, 1.0), (-1.0, 0.0), (1.0, 0.0))
    positions = list(near)
    for (x, y), (right, down) in zip(near, steps, strict=True):
        for far in (1e6, 1e20):
            positions.append((x + right * far, y + down * far))
    positions += [(float("inf"), 1.0), (0.5, float("-inf"))]
    x, y = torch.tensor(positions).view(1, -1, 1, 2).unbind(-1)
    value, weights = torch.full((1, 8, 1, 2), float("inf")), torch.ones_like(x)
    layout = ops.LevelLayout(((4, 2),), 1, 1, torch.device("cpu"))
    inputs = [tensor.clone().requires_grad_() for tensor in (value, x, y, weights)]
    got = results(ops.deform_attention_triton, inputs, layout)
    return {n: int((t != 0).sum()) for n, t in zip(NAMES, got, strict=True)}


def many_frames(ops):
    """Read a number behind the first 2**31; the rest is never touched."""
    # The interpreter copies CPU tensors onto themselves, which would touch them.
    torch.UntypedStorage.copy_ = lambda self, source: self
    sizes, dim = ((2**13, 2**12),), 32
    value = torch.zeros(3, 2**25, 1, dim, dtype=torch.bfloat16)
    value[2, 2**12 * 5 + 7] = 3
    x, y = torch.full((3, 1, 1), 7.25), torch.full((3, 1, 1), 5.0)
    layout = ops.LevelLayout(sizes, 1, 1, torch.device("cpu"))
    with torch.no_grad():
        out = ops.deform_attention_triton(value, x, y, torch.ones(3, 1, 1), layout)
    return dict(frames=out[:, 0].amax(-1).tolist())


def _compare(sizes, dtype=torch.float32, **options):
    return lambda ops: errors(ops, sizes, dtype=dtype, **options)


_SMALL = dict(heads=2, dim=3, points=2, queries=3, frames=2)
_TINY = dict(_SMALL, heads=1, points=4, frames=1)
CASES = dict(
    odd=_compare(ODD, **_SMALL),
    blocks=_compare(((3, 2),), heads=1, dim=32, points=1, queries=33, frames=1),
    bfloat16=_compare(ODD, torch.bfloat16, **_TINY),
    outside=outside,
    float16=_compare(ODD, torch.float16, **_TINY),
    model=_compare(
        ((2, 3), (3, 5), (6, 10)), heads=8, dim=32, points=4, queries=35, frames=1
    ),
    wide=_compare(ODD, heads=1, dim=300, points=3, queries=2, frames=2),
    many_frames=many_frames,
)

if __name__ == "__main__":
    sys.modules["tmt_vis"] = _PACKAGE
    from tmt_vis import ops

    print(json.dumps({name: CASES[name](ops) for name in sys.argv[1:]}))
