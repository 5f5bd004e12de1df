"""A video on a GPU, from normalised frames to run-length codes."""

from collections.abc import Iterator

import torch

from .common import Options, Row, Spec, Target, compare, compare_times
from .devices import device_of, wait_for
from .floor import Floor, count_flops, measure_rates, num_bytes, with_floor
from .infer_video_t36_bf16 import agreement
from .models import our_result, pair, their_result, video

SPEC = Spec(
    name="infer/video_t36_gpu",
    reference="Mask2FormerVideo.predict in float32 + encode_mask_results",
    ours="TMTVIS.predict in bfloat16",
    target=Target(ratio=4),
    device="cuda",
    timeout=900,
)
_FRAMES_PER_SECOND = 250


@torch.no_grad()
def run(options: Options) -> Iterator[Row]:
    """Compare on one video, and report seconds per frame."""
    device = device_of(SPEC, options)
    clip = video(options, options.choose(2, 36))
    both, pixels = pair(options).to(device), clip.pixels().to(device)
    row = compare_times(
        SPEC,
        options,
        size=f"{clip} to {clip.original[0]}p",
        a=lambda: their_result(both.theirs, pixels, clip),
        b=lambda: our_result(both.ours, pixels, clip),
        check=lambda a, b: agreement(both.ours, pixels),
        wait=wait_for(device),
    )
    # Masks are written as run lengths, which are small.
    moved = num_bytes((pixels, *both.ours.parameters()))
    both.ours.requires_grad_(False)  # the counter follows what wants a gradient
    flops = count_flops(lambda: our_result(both.ours, pixels, clip))
    rates = measure_rates(device, torch.bfloat16, options)
    yield with_floor(row, Floor(flops, moved, rates))
    yield compare(
        SPEC,
        [seconds / clip.frames for seconds in row.a.values],
        [seconds / clip.frames for seconds in row.b.values],
        size=f"{clip} to {clip.original[0]}p, per frame",
        target=Target(at_most=1 / _FRAMES_PER_SECOND),
    )
