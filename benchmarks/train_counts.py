"""Counts of a training step, for three rows of the table."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache

from helpers import step_cost

SIZE = "2 clips of 2 frames, full depth, narrow"
NOTE = "does not depend on the machine; a test of the default suite"


@cache
def counts(
    side: int, precision: Callable[[], AbstractContextManager] = nullcontext
) -> tuple[int, int, int]:
    """Return operators, waits for the device and stored bytes.

    Args:
        side: 0 for mmdet, 1 for ours.
        precision: context of the step.
    """
    losses = (step_cost.their_losses, step_cost.our_losses)[side]
    model = step_cost.build(step_cost.configs()[side])
    with precision():
        return step_cost.measure(model, losses)
