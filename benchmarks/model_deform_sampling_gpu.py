"""Multi-scale deformable attention on a GPU: the pixel decoder, and Triton's kernel."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from torch import Tensor

from tmt_vis.models.necks.pixel_decoder import HAS_KERNEL
from tmt_vis.ops import LevelLayout, deform_attention, deform_attention_triton

from .common import Options, Row, Skipped, Spec, Target, compare_times
from .devices import device_of, wait_for
from .floor import Floor, count_flops, measure_rates, num_bytes, with_floor
from .model_deform_sampling_cpu import Sampling, gradient, inputs
from .models import pair, video

SPEC = Spec(
    name="model/deform_sampling_gpu",
    reference="MSDeformAttnPixelDecoder; mmcv's operator",
    ours="ClipPixelDecoder; ops.deform_attention_triton",
    target=Target(ratio=1),
    device="cuda",
)
_OPERATOR = "mmcv's operator" + ("" if HAS_KERNEL else ", not compiled")


def run(options: Options) -> Iterator[Row]:
    """Compare the pixel decoders, then Triton's kernel with mmcv's operator."""
    device = device_of(SPEC, options)
    yield _decoders(options, device)
    if device == "cuda" and not find_spec("triton"):
        raise Skipped("the other rows need triton, which torch's CUDA wheels bring")
    for dtype in (torch.float32, torch.bfloat16):
        operators = _Operators(*inputs(options), dtype, device)
        yield from operators.rows(options)


@torch.no_grad()
def _decoders(options: Options, device: str) -> Row:
    """Compare the pixel decoders with equal weights, forward."""
    clip = video(options, 2)
    both = pair(options).to(device)
    feats = both.ours.backbone(clip.pixels().flatten(0, 1).to(device))
    theirs, ours = both.theirs.track_head.pixel_decoder, both.ours.head.pixel_decoder

    def check(a: tuple[Tensor, list], b: tuple[Tensor, list]) -> str:
        error = (a[0] - b[0]).abs().max() / a[0].abs().max()
        assert error < 1e-3, f"mask features differ by {error:.1e} of the largest"
        return f"within {error.item():.0e} of the largest"

    row = compare_times(
        SPEC,
        options,
        size=f"{clip}, forward",
        a=lambda: theirs(feats),
        b=lambda: ours(feats),
        check=check,
        note=f"{_OPERATOR}, on both sides",
        wait=wait_for(device),
    )
    mask_features, levels = ours(feats)
    moved = num_bytes((*feats, *ours.parameters(), mask_features, *levels))
    rates = measure_rates(device, torch.float32, options)
    return with_floor(row, Floor(count_flops(lambda: ours(feats)), moved, rates))


class _Operators:
    """mmcv's operator, as the pixel decoder calls it, and Triton's kernel.

    On a CPU, where Triton does not run, :func:`deform_attention` takes its place.

    Args:
        sampling: the inputs.
        size: in words.
        dtype: of the values; mmcv's operator reads float32.
        device: of both.
    """

    def __init__(
        self, sampling: Sampling, size: str, dtype: torch.dtype, device: str
    ) -> None:
        self.size, self.device = f"{size}, {str(dtype).removeprefix('torch.')}", device
        self.value = sampling.value.to(device, dtype)
        self.locations, self.x, self.y, self.weights = (
            tensor.to(device).contiguous()
            for tensor in (
                sampling.locations,
                sampling.x,
                sampling.y,
                sampling.weights,
            )
        )
        layout = sampling.layout
        self.layout = LevelLayout(
            layout.sizes, layout.heads, layout.points, self.value.device
        )
        # As in ClipPixelDecoder: only a kernel reads the sizes on the device.
        shapes = torch.tensor(layout.sizes)
        self.starts = (shapes.prod(1).cumsum(0) - shapes.prod(1)).to(device)
        self.shapes = shapes.to(device) if HAS_KERNEL else shapes

    def theirs(self) -> Tensor:
        """Sample with mmcv's operator."""
        out = MultiScaleDeformableAttnFunction.apply(
            self.value.float(),
            self.shapes,
            self.starts,
            self.locations,
            self.weights,
            1,  # im2col_step of the configs
        )
        return out.to(self.value.dtype)

    def ours(self) -> Tensor:
        """Sample with Triton's kernel."""
        attend = deform_attention if self.value.is_cpu else deform_attention_triton
        return attend(self.value, self.x, self.y, self.weights.flatten(2), self.layout)

    def rows(self, options: Options) -> Iterator[Row]:
        """Compare the forward, and forward with backward.

        Bytes of the forward: arguments and result once. With the backward: arguments
        once more, their gradients, result and its gradient.
        """
        arguments = (self.weights, self.x, self.y, self.value)
        result = self.ours()
        read, written = num_bytes(arguments), result.nbytes
        yield self._row(options, "forward", self.theirs, self.ours, read + written)
        shared = self.weights, self.value
        theirs = gradient(self.theirs, (self.locations, *shared))
        ours = gradient(self.ours, (self.x, self.y, *shared))
        moved = 3 * read + 2 * written
        yield self._row(options, "forward and backward", theirs, ours, moved)

    def _row(
        self,
        options: Options,
        what: str,
        a: Callable[[], Tensor],
        b: Callable[[], Tensor],
        moved: int,
    ) -> Row:
        on_cpu = "; here ops.deform_attention" if self.value.is_cpu else ""
        row = compare_times(
            SPEC,
            options,
            size=f"sampling of {self.size}, {what}",
            a=a,
            b=b,
            check=_check,
            note=f"{_OPERATOR}, and Triton{on_cpu}",
            wait=wait_for(self.device),
        )
        # No product that FLOPs are counted of: the bytes are the floor.
        rates = measure_rates(self.device, self.value.dtype, options)
        return with_floor(row, Floor(0, moved, rates))


def _check(a: Tensor, b: Tensor) -> str:
    """Compare outputs, or gradients of the values."""
    error = ((a.float() - b.float()).abs().max() / a.float().abs().max()).item()
    allowed = 1e-4 if a.dtype == torch.float32 else 2e-2
    assert error < allowed, f"differ by {error:.1e} of the largest number"
    return f"within {error:.0e} of the largest number"
