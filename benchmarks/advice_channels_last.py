"""The backbone with channels last."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .common import Options, Row, Spec, compare_times
from .environment import require_bfloat16
from .models import pair, video

SPEC = Spec(
    name="advice/channels_last",
    reference="ResNet-50, contiguous",
    ours="ResNet-50, memory_format=torch.channels_last",
)


def check(a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> str:
    """Compare the features of all strides."""
    worst = max(
        ((x - y).abs().max() / x.abs().max()).item() for x, y in zip(a, b, strict=True)
    )
    assert worst < 1e-3, f"features differ by {worst:.1e} of the largest"
    return f"within {worst:.0e} of the largest"


def backbone(options: Options) -> tuple[nn.Module, Tensor, str]:
    """Return the backbone, frames and their size in words."""
    clip = video(options, 1)
    return pair(options).ours.backbone, clip.pixels()[0], str(clip)


@torch.no_grad()
def run(options: Options) -> Iterator[Row]:
    """Compare the forward of the backbone, in float32 and bfloat16."""
    plain, frames, size = backbone(options)
    last = copy.deepcopy(plain).to(memory_format=torch.channels_last)
    frames_last = frames.to(memory_format=torch.channels_last)
    yield compare_times(
        SPEC,
        options,
        size=f"{size}, float32",
        a=lambda: plain(frames),
        b=lambda: last(frames_last),
        check=check,
    )
    require_bfloat16(options)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        yield compare_times(
            SPEC,
            options,
            size=f"{size}, both in bfloat16",
            a=lambda: plain(frames),
            b=lambda: last(frames_last),
            check=lambda a, b: "both rounded to bfloat16; not compared",
        )
