"""Multi-scale deformable attention on a GPU, as the pixel decoder runs it."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .common import Options, Row, Spec, Target, compare_times
from .devices import device_of, wait_for
from .models import pair, video

SPEC = Spec(
    name="model/deform_sampling_gpu",
    reference="MSDeformAttnPixelDecoder",
    ours="ClipPixelDecoder",
    target=Target(ratio=1),
    device="cuda",
)


@torch.no_grad()
def run(options: Options) -> Iterator[Row]:
    """Compare the pixel decoders with equal weights, forward."""
    device = device_of(SPEC, options)
    clip = video(options, 2)
    both = pair(options).to(device)
    feats = both.ours.backbone(clip.pixels().flatten(0, 1).to(device))
    decoders = both.theirs.track_head.pixel_decoder, both.ours.head.pixel_decoder

    def check(a: tuple[Tensor, list], b: tuple[Tensor, list]) -> str:
        error = (a[0] - b[0]).abs().max() / a[0].abs().max()
        assert error < 1e-3, f"mask features differ by {error:.1e} of the largest"
        return f"within {error.item():.0e} of the largest"

    yield compare_times(
        SPEC,
        options,
        size=f"{clip}, forward",
        a=lambda: decoders[0](feats),
        b=lambda: decoders[1](feats),
        check=check,
        note="mmcv's operator on both sides; without a compiled one, its PyTorch form",
        wait=wait_for(device),
    )
