"""The waits for the device of a training step."""

from collections.abc import Iterator

from .common import Options, Row, Spec, Target, compare
from .train_counts import NOTE, SIZE, counts

SPEC = Spec(
    name="train/host_syncs",
    reference="Mask2FormerVideo.loss + backward",
    ours="TMTVIS.loss + backward",
    unit="count",
    target=Target(at_most=3),
    gating=True,
)


def run(options: Options) -> Iterator[Row]:
    """Count both."""
    a, b = (counts(side)[1] for side in (0, 1))
    yield compare(SPEC, [a], [b], size=SIZE, note=NOTE)
