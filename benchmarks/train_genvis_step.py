"""Waits for the device of a GenVIS training step."""

from collections.abc import Iterator

from helpers import step_cost
from helpers.tiny_hosts import genvis_cfg
from helpers.tiny_model import samples

from .common import Options, Row, Spec, Target, compare

SPEC = Spec(
    name="train/genvis_step",
    reference="one wait per window and stage, as the released matcher",
    ours="GenVISHead.loss + backward",
    unit="count",
    target=Target(at_most=1),
    gating=True,
)
_WINDOWS = 5


def run(options: Options) -> Iterator[Row]:
    """Count the waits of one step of five windows."""
    model = step_cost.build(genvis_cfg(taxonomy_modules=False))
    clips = samples(frames=_WINDOWS)
    _, waits, _ = step_cost.measure(model, lambda built: built.loss(*clips))
    stages = len(model.head.video_stages)
    yield compare(
        SPEC,
        [float(stages)],
        [waits / _WINDOWS],
        size=f"per window; 2 clips of {_WINDOWS} windows of one frame",
        note="does not depend on the machine; A is counted from the released code",
    )
