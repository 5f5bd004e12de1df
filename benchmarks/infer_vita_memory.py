"""Memory of each further frame of a VITA whose mask features go through a file."""

import time
from collections.abc import Iterator

import numpy as np
from torch import nn

from .common import Options, Row, Spec, Target, compare
from .memory import in_child, peak_bytes
from .video_hosts import build, stream, video

SPEC = Spec(
    name="infer/vita_memory",
    reference="VITAHead, all mask features and masks in memory",
    ours="VITAHead beyond mask_store.frames_in_memory",
    unit="bytes",
    target=Target(at_most=6e6),
    timeout=600,
)
_IN_MEMORY = 4


def run(options: Options) -> Iterator[Row]:
    """Measure two lengths of each and take the difference."""
    lengths = options.choose(((2, 4), (6, 10)), ((4, 10), (20, 44)))

    def model(in_memory: int) -> nn.Module:
        store = dict(frames_in_memory=in_memory)
        return build("vita", shallow=True, mask_store=store, frames_per_chunk=4)

    def whole(built: nn.Module, frames: int) -> object:
        tracks = stream(built, video(options, frames))
        return np.stack([track.tube.decode() for track in tracks])

    def theirs(frames: int) -> float:
        return peak_bytes(lambda: model(10**6), lambda built: whole(built, frames))

    def ours(frames: int) -> float:
        return peak_bytes(
            lambda: model(_IN_MEMORY),
            lambda built: stream(built, video(options, frames)),
        )

    slopes = []
    for peak, (short, long) in zip((theirs, ours), lengths, strict=True):
        slopes.append(max(1.0, (peak(long) - peak(short)) / (long - short)))
    share = in_child(
        lambda: _share_of_the_file(model(_IN_MEMORY), options, lengths[1][1])
    )
    yield compare(
        SPEC,
        slopes[:1],
        slopes[1:],
        size="per frame of {}x{}; kept {} to {}, through a file {} to {} frames".format(
            *video(options, 1).padded, *lengths[0], *lengths[1]
        ),
        note=f"shallow model of full width; the file took {share}",
    )


def _share_of_the_file(model: nn.Module, options: Options, frames: int) -> str:
    """Say how long writing and reading took, per frame in the file."""
    stores = []
    made = model.head._new_store

    def remember() -> object:
        stores.append(made())
        return stores[-1]

    model.head._new_store = remember
    start = time.perf_counter()
    stream(model, video(options, frames))
    took = time.perf_counter() - start
    per_frame = stores[0].seconds / (frames - _IN_MEMORY)
    return (
        f"{per_frame * 1e3:.0f} ms a frame, {stores[0].seconds / took:.0%} of the time"
    )
