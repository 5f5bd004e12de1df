"""What a training step costs: operators, synchronisations, stored bytes."""

import pytest
import torch
from helpers import step_cost

from tmt_vis.engine import StepCounter

# mmdet 3.3.0's Mask2FormerVideo, measured by test_the_reference (torch 2.12.1).
THEIR_OPS, THEIR_SYNCS, THEIR_BYTES = 5221, 216, 54_291_040


def test_views_and_allocations_are_no_operators():
    x = torch.ones(4, 6)
    with StepCounter() as counter:
        y = x.view(24)[2:].unflatten(0, (2, 11)).t()
        torch.empty(3)
        y + 1
        y.exp_()
    assert counter.ops == {"add": 1, "exp_": 1}


def test_everything_that_waits_for_a_device_is_counted():
    x = torch.tensor([1.0, 0.0, 2.0])
    with StepCounter() as counter:
        x.sum().item()
        bool(x[0] > 0)
        x[x > 0]
        x.unique()
        x.nonzero()
        x.cpu()
        x.tolist()
    assert counter.num_syncs == 7
    with StepCounter() as counter:
        torch.where(x > 0, x, 0.0).sum()
    assert counter.num_syncs == 0


def test_stored_bytes_are_what_is_alive_and_was_made_inside():
    before = torch.ones(100, requires_grad=True)
    with StepCounter() as counter:
        kept = before.exp()  # 400 bytes, saved for its own gradient
        view = kept[:50]
        (view * 2).sum()
        assert counter.stored_bytes() == 400
        total = (view * kept[50:]).sum()  # nothing but the views, and 4 bytes
        assert counter.stored_bytes() == 404
    assert total > 0


def test_views_of_what_was_there_before_are_not_stored_bytes():
    weight = torch.ones(10, 6, requires_grad=True)
    with StepCounter() as counter:
        parts = weight.t(), weight.chunk(2), weight.detach().mul_(2)
        assert counter.stored_bytes() == 0
        kept = parts[0] * 1
        assert counter.stored_bytes() == 240
    assert kept.shape == (6, 10)


def test_a_training_step_costs_half_of_mmdet():
    model = step_cost.build(step_cost.configs()[1])
    ops, syncs, stored = step_cost.measure(model, step_cost.our_losses)
    assert ops <= 0.55 * THEIR_OPS
    assert syncs == 1  # the costs of all stages and clips go to the Hungarian algorithm
    assert stored <= 0.7 * THEIR_BYTES


@pytest.mark.slow
def test_the_reference():
    model = step_cost.build(step_cost.configs()[0])
    ops, syncs, stored = step_cost.measure(model, step_cost.their_losses)
    assert ops == pytest.approx(THEIR_OPS, rel=0.01)
    # Two queries of one target more or less wait once more or less.
    assert syncs == pytest.approx(THEIR_SYNCS, rel=0.05)
    assert stored == pytest.approx(THEIR_BYTES, rel=0.02)
