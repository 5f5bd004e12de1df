"""The bytes alive at the end of the forward of a training step."""

from collections.abc import Iterator
from functools import partial

import torch

from .common import Options, Row, Spec, Target, compare
from .train_counts import NOTE, SIZE, counts

SPEC = Spec(
    name="train/peak_bytes",
    reference="Mask2FormerVideo.loss, float32",
    ours="TMTVIS.loss",
    unit="bytes",
    target=Target(ratio=1 / 0.7),
)


def run(options: Options) -> Iterator[Row]:
    """Count in float32, and ours in bfloat16 against mmdet in float32."""
    reference = counts(0)[2]
    ours = counts(1)[2]
    yield compare(SPEC, [reference], [ours], size=f"{SIZE}, float32", note=NOTE)
    half = partial(torch.autocast, "cpu", dtype=torch.bfloat16)
    yield compare(
        SPEC,
        [reference],
        [counts(1, half)[2]],
        size=f"{SIZE}, ours under bfloat16 autocast",
        target=Target(ratio=1 / 0.45),
        note="the pixel decoder trains in float32",
    )
