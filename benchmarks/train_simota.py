"""One-to-many matching of all layers of IDOL's pairs."""

from collections.abc import Iterator

import torch

from tmt_vis.assigners import FrameBoxes, QueryMatches, QuerySimOTAAssigner
from tmt_vis.engine import StepCounter

from .common import Options, Row, Spec, Target, compare, compare_times
from .matching import written_assignment

SPEC = Spec(
    name="train/simota",
    reference="IDOL's matching with loops over layers, frames and objects",
    ours="QuerySimOTAAssigner",
    target=Target(ratio=5.0),
)
_CATEGORIES = 40


def frames(count: int, objects: int, queries: int, layers: int) -> list[FrameBoxes]:
    """Draw predictions around the objects of some frames."""
    draw = torch.Generator().manual_seed(0)
    made = []
    for _ in range(count):
        centers = 0.2 + 0.6 * torch.rand(objects, 2, generator=draw)
        sizes = 0.1 + 0.3 * torch.rand(objects, 2, generator=draw)
        truth = torch.cat([centers, sizes], 1)
        boxes = truth[torch.randint(objects, (layers, queries), generator=draw)]
        boxes = boxes + 0.08 * torch.randn(boxes.shape, generator=draw)
        made.append(
            FrameBoxes(
                torch.randn(layers, queries, _CATEGORIES, generator=draw) - 2,
                boxes.clamp(0.02, 0.98),
                torch.randint(_CATEGORIES, (objects,), generator=draw),
                truth,
            )
        )
    return made


def check(a: list[list[list[set[int]]]], b: list[list[QueryMatches]]) -> str:
    """Compare the queries of every object."""
    total = 0
    for theirs, (ours,) in zip(a, b, strict=True):
        for stage, row in enumerate(ours.objects):
            for index, queries in enumerate(theirs[stage]):
                found = set((row == index).nonzero()[0].tolist())
                assert found == queries, f"{found} and {queries}"
                total += len(queries)
    return f"{total:,} matches equal"


def run(options: Options) -> Iterator[Row]:
    """Compare the times of one step, and its waits for the device."""
    count, objects, layers = options.choose((1, 3, 2), (4, 10, 6))
    made = frames(count, objects, 300, layers)
    size = f"{count} frames, {objects} objects, {layers} layers, 300 queries"
    assigner = QuerySimOTAAssigner()
    yield compare_times(
        SPEC,
        options,
        size=size,
        a=lambda: written_assignment(made),
        b=lambda: assigner.assign(made),
        check=check,
    )
    waits = []
    for match in (written_assignment, assigner.assign):
        with StepCounter() as counter:
            match(made)
        waits.append([counter.num_syncs])
    yield compare(
        SPEC,
        *waits,
        size=f"waits for the device; {size}",
        unit="count",
        target=Target(at_most=2),
        note="does not depend on the machine; both frames of all pairs share one",
    )
