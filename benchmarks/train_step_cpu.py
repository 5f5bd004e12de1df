"""One training step: losses, backward, AdamW."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from .common import Options, Row, Spec, Target, compare_times
from .models import (
    Pair,
    Video,
    check_losses,
    our_samples,
    pair,
    same_points,
    their_samples,
    video,
)

SPEC = Spec(
    name="train/step_cpu",
    reference="Mask2FormerVideo.loss + backward + AdamW",
    ours="TMTVIS.loss + backward + AdamW",
    target=Target(ratio=1.15),
    timeout=2400,
)
_OBJECTS = 5
Losses = dict[str, Tensor]


def losses_of(both: Pair, clip: Video, pixels: Tensor) -> list[Callable[[], Losses]]:
    """Return what computes the losses of mmdet and ours."""
    device = pixels.device

    def theirs() -> Losses:
        samples = [sample.to(device) for sample in their_samples(clip, _OBJECTS)]
        return both.theirs.loss(pixels, samples)

    def ours() -> Losses:
        samples = [sample.to(device) for sample in our_samples(clip, _OBJECTS)]
        return both.ours.loss(pixels, samples)

    return [theirs, ours]


def step(model: nn.Module, losses: Callable[[], Losses]) -> Callable[[], None]:
    """Return a training step; its rate is 0, so all steps are the same."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=0.0)

    def run() -> None:
        optimiser.zero_grad(set_to_none=True)
        sum(losses().values()).backward()
        nn.utils.clip_grad_norm_(parameters, 0.01)
        optimiser.step()

    return run


def clip_of(options: Options) -> Video:
    """Return two frames, smaller ones by default.

    A pair of steps at 384x640 takes 17 to 23 s, which was a fifth of `make bench`.
    """
    if options.scale == "default":
        return Video(2, (288, 480), (270, 480), (720, 1280))
    return video(options, 2)


def run(options: Options) -> Iterator[Row]:
    """Compare on one clip of two frames."""
    clip = clip_of(options)
    both = pair(options, clip.frames).train()
    pixels = clip.pixels()
    theirs, ours = losses_of(both, clip, pixels)
    with same_points(both), torch.no_grad():
        agreement = check_losses(theirs(), ours())
    yield compare_times(
        SPEC,
        options,
        size=f"{clip}, {_OBJECTS} objects, float32",
        a=step(both.theirs, theirs),
        b=step(both.ours, ours),
        check=lambda a, b: agreement,
    )
