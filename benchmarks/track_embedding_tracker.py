"""Tracking of a long video by embeddings."""

from collections.abc import Iterator

import torch

from tmt_vis.models.trackers import EmbeddingTracker, FrameDetections

from .common import Options, Row, Spec, Target, compare_times
from .tracking import WrittenTracker

SPEC = Spec(
    name="track/embedding_tracker",
    reference="IDOL's rules with loops over tracks and pairs of masks",
    ours="EmbeddingTracker",
    target=Target(ratio=5.0),
)
_CHANNELS = 256
_MASK_SIZE = (48, 80)  # 192x320 at stride 4


def detections(frames: int, objects: int) -> list[FrameDetections]:
    """Make a video of objects that come and go; a third of them is found twice."""
    draw = torch.Generator().manual_seed(0)
    looks = torch.randn(objects, _CHANNELS, generator=draw)
    height, width = _MASK_SIZE
    columns = torch.arange(width) * objects // width
    made = []
    for _ in range(frames):
        seen = (torch.rand(objects, generator=draw) < 0.9).nonzero().flatten()
        seen = torch.cat([seen, seen[: len(seen) // 3]])
        noise = 0.5 * torch.randn(len(seen), _CHANNELS, generator=draw)
        masks = (columns == seen[:, None, None]).expand(-1, height, -1).clone()
        masks &= torch.rand(masks.shape, generator=draw) < 0.9
        scores = torch.rand(len(seen), generator=draw)
        made.append(FrameDetections(scores, 0.5 * looks[seen] + noise, masks))
    return made


def check(a: list[list[int]], b: list[list[int]]) -> str:
    """Compare the ids of all frames."""
    assert a == b, "the ids differ"
    return f"{sum(map(len, b)):,} ids equal"


def run(options: Options) -> Iterator[Row]:
    """Compare on one video."""
    count = options.choose(20, 300)
    objects = options.choose(5, 20)
    frames = detections(count, objects)

    def theirs() -> list[list[int]]:
        tracker = WrittenTracker()
        return [tracker.update(frame) for frame in frames]

    def ours() -> list[list[int]]:
        tracker = EmbeddingTracker()
        state = tracker.start(_CHANNELS)
        return [tracker.update(frame, state).tolist() for frame in frames]

    yield compare_times(
        SPEC,
        options,
        size=f"{count} frames, {objects} objects",
        a=theirs,
        b=ours,
        check=check,
    )
