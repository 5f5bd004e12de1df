"""One training step on a GPU: bfloat16 and a compiled backbone against mmdet."""

from collections.abc import Callable, Iterator

import torch

from .common import Options, Row, Spec, Target, compare_times
from .devices import device_of, wait_for
from .floor import Floor, count_flops, measure_rates, num_bytes, with_floor
from .models import check_losses, pair, same_points, video
from .train_step_cpu import losses_of, step

SPEC = Spec(
    name="train/step_gpu",
    reference="Mask2FormerVideo, eager, TF32",
    ours="TMTVIS, bfloat16, compiled backbone",
    target=Target(ratio=3),
    device="cuda",
    timeout=900,
)


def run(options: Options) -> Iterator[Row]:
    """Compare with mmdet as it is, and with mmdet under autocast."""
    device = device_of(SPEC, options)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    clip = video(options, 2, clips=2)
    both = pair(options, clip.frames).to(device).train()
    pixels = clip.pixels().to(device)
    theirs, ours = losses_of(both, clip, pixels)
    with same_points(both), torch.no_grad():
        agreement = check_losses(theirs(), ours())
    ours = step(both.ours, _autocast(ours, device))
    # Weights, gradients and AdamW's two moments are read and written.
    moved = 8 * num_bytes(both.ours.parameters()) + num_bytes([pixels])
    flops = count_flops(ours)  # now: those of compiled code are not seen
    floor = Floor(flops, moved, measure_rates(device, torch.bfloat16, options))
    if device == "cuda":
        both.ours.backbone.compile(dynamic=False)
    for name, reference, target in (
        ("float32", theirs, 3),
        ("under autocast", _autocast(theirs, device), 1.8),
    ):
        row = compare_times(
            SPEC,
            options,
            size=f"{clip}, 5 objects, mmdet {name}",
            a=step(both.theirs, reference),
            b=ours,
            check=lambda a, b: f"in float32: {agreement}",
            target=Target(ratio=target),
            wait=wait_for(device),
        )
        yield with_floor(row, floor)


def _autocast(losses: Callable[[], dict], device: str) -> Callable[[], dict]:
    def run() -> dict:
        with torch.autocast(device, dtype=torch.bfloat16):
            return losses()

    return run
