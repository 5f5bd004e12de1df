"""The sampling of multi-scale deformable attention on a CPU."""

from collections.abc import Callable, Iterator, Sequence

import torch
from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch
from torch import Tensor

from tmt_vis.ops import LevelLayout, deform_attention

from .common import Options, Row, Spec, Target, compare_times

SPEC = Spec(
    name="model/deform_sampling_cpu",
    reference="mmcv multi_scale_deformable_attn_pytorch",
    ours="ops.deform_attention",
    target=Target(ratio=2),
)
_HEADS, _POINTS = 8, 4


class Sampling:
    """Inputs of both functions.

    Args:
        frames: F.
        padded: size of the image.
        width: of a head.
    """

    def __init__(self, frames: int, padded: tuple[int, int], width: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.sizes = [tuple(side // s for side in padded) for s in (32, 16, 8)]
        pixels = sum(height * width for height, width in self.sizes)
        shape = (frames, pixels, _HEADS, len(self.sizes), _POINTS)
        self.value = torch.randn(frames, pixels, _HEADS, width, generator=generator)
        self.locations = torch.rand(*shape, 2, generator=generator) * 1.1 - 0.05
        weights = torch.randn(*shape[:3], len(self.sizes) * _POINTS)
        self.weights = weights.softmax(-1).view(shape)
        self.layout = LevelLayout(
            tuple(self.sizes), _HEADS, _POINTS, torch.device("cpu")
        )
        widths = torch.tensor([[w, h] for h, w in self.sizes])[:, None]
        positions = self.locations * widths - 0.5
        self.x, self.y = (part.flatten(2) for part in positions.unbind(-1))

    def theirs(self) -> Tensor:
        """Read the levels with grid_sample."""
        shapes = torch.tensor(self.sizes)
        return multi_scale_deformable_attn_pytorch(
            self.value, shapes, self.locations, self.weights
        )

    def ours(self) -> Tensor:
        """Multiply with a sparse matrix."""
        weights = self.weights.flatten(2)
        return deform_attention(self.value, self.x, self.y, weights, self.layout)


def check(a: Tensor, b: Tensor) -> str:
    """Compare outputs."""
    error = (a - b).abs().max().item()
    assert error < 2e-5, f"outputs differ by {error:.1e}"
    return f"within {error:.0e}"


def inputs(options: Options) -> tuple[Sampling, str]:
    """Return the inputs of the scale and their size in words."""
    frames, padded = options.choose((1, (64, 96)), (2, (384, 640)))
    sampling = Sampling(frames, padded, options.choose(4, 32))
    return sampling, f"{frames} frames of {padded[0]}x{padded[1]}"


def run(options: Options) -> Iterator[Row]:
    """Compare the forward, and forward with backward."""
    sampling, size = inputs(options)
    with torch.no_grad():
        yield compare_times(
            SPEC,
            options,
            size=f"{size}, forward",
            a=sampling.theirs,
            b=sampling.ours,
            check=check,
        )
    shared = sampling.weights, sampling.value
    theirs = gradient(sampling.theirs, (sampling.locations, *shared))
    ours = gradient(sampling.ours, (sampling.x, sampling.y, *shared))

    def check_gradient(a: Tensor, b: Tensor) -> str:
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
        return "gradients of the values agree"

    yield compare_times(
        SPEC,
        options,
        size=f"{size}, forward and backward",
        a=theirs,
        b=ours,
        check=check_gradient,
        target=Target(ratio=1),
        note="no target in advance: not slower",
    )


def gradient(
    function: Callable[[], Tensor], inputs: Sequence[Tensor]
) -> Callable[[], Tensor]:
    """Return a function that computes all gradients and returns the last one."""

    def run() -> Tensor:
        for tensor in inputs:
            tensor.requires_grad_().grad = None
        function().square().sum().backward()
        return inputs[-1].grad

    return run
