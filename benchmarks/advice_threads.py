"""OpenMP threads."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .common import Options, Row, Skipped, Spec, compare_times
from .infer_long_video_slope import clip_of
from .models import our_result, pair

SPEC = Spec(
    name="advice/threads",
    reference="TMTVIS.predict with one thread",
    ours="with OMP_NUM_THREADS = number of cores",
)


def run(options: Options) -> Iterator[Row]:
    """Compare on one video."""
    cores = os.cpu_count() or 1
    if cores < 2:
        raise Skipped("needs two cores")
    clip = clip_of(options, 2)
    model, pixels = pair(options).ours, clip.pixels()

    def predict(threads: int) -> Callable[[], Any]:
        def run() -> Any:
            torch.set_num_threads(threads)
            return our_result(model, pixels, clip)

        return run

    def check(a: Any, b: Any) -> str:
        error = (a.scores - b.scores).abs().max().item()
        assert error < 1e-5, f"scores differ by {error:.1e}"
        return f"scores within {error:.0e}"

    yield compare_times(
        SPEC,
        options,
        size=f"{clip} to {clip.original[0]}p, {cores} threads",
        a=predict(1),
        b=predict(cores),
        check=check,
    )
