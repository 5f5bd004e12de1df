"""Losses of clips with boxes per frame, and the matching in front of them."""

import numpy as np
import pytest
import torch

from tmt_vis.assigners import ClipBoxAssigner, ClipBoxes
from tmt_vis.losses import MatchedPairs, TubeCriterion, TubeMasks, TubeTargets

BOX = torch.tensor([0.5, 0.5, 0.25, 0.5])


def problem(**changes):
    """Make two queries in two frames; the object is at the second one's boxes."""
    boxes = torch.stack([BOX + 0.1, BOX]).expand(1, 2, 2, 4).clone()
    given = dict(logits=torch.zeros(1, 2, 3), boxes=boxes, labels=torch.tensor([1]))
    given |= dict(true_boxes=BOX.expand(1, 2, 4), shown=torch.ones(1, 2).bool())
    return ClipBoxes(**given | changes)


def test_costs_by_hand():
    (cost,) = ClipBoxAssigner().costs(problem()).unbind(0)
    focal = (0.25 - 0.75) * 0.25 * np.log(2)
    assert cost[1, 0] == pytest.approx(focal - 2, abs=1e-5)
    # Shifted by 0.1 in four numbers of two frames: sqrt(8) * 0.1.
    box, moved = (0.375, 0.25, 0.625, 0.75), (0.425, 0.3, 0.775, 0.9)
    inner = (box[2] - moved[0]) * (box[3] - moved[1])
    union = 0.125 + 0.35 * 0.6 - inner
    around = (moved[2] - box[0]) * (moved[3] - box[1])
    giou = inner / union - (around - union) / around
    expected = focal + 5 * 0.1 * np.sqrt(8) - 2 * giou
    assert cost[0, 0] == pytest.approx(expected, abs=1e-4)


def test_frames_without_the_object_do_not_count():
    boxes = problem().boxes.clone()
    boxes[0, 1, 1] = 0.9  # the right query, far away where nothing is shown
    shown = torch.tensor([[True, False]])
    (found,) = ClipBoxAssigner().assign([problem(boxes=boxes, shown=shown)])
    assert found.tolist() == [[-1, 0]]
    (found,) = ClipBoxAssigner().assign([problem(boxes=boxes)])
    assert found.tolist() == [[0, -1]]


def test_no_objects_and_numbers_that_are_none():
    none = dict(labels=torch.zeros(0).long(), true_boxes=torch.zeros(0, 2, 4))
    empty = problem(**none, shown=torch.zeros(0, 2).bool())
    broken = problem(logits=torch.full((1, 2, 3), float("nan")))
    found = ClipBoxAssigner().assign([empty, broken])
    assert found[0].tolist() == [[-1, -1]] and (found[1] >= 0).sum() == 1


def losses(*, crowd=None, incomplete=None, spoil=None):
    """Compute the losses of one object that is predicted without a mistake."""
    masks = torch.zeros(1, 2, 16, 32, dtype=torch.bool)
    masks[..., 4:12, 12:20] = True
    box = torch.tensor([0.5, 0.5, 0.25, 0.5])
    target = TubeTargets(
        torch.tensor([1]), box.expand(1, 2, 4), torch.ones(1, 2).bool(), masks
    )
    target = target._replace(crowds=crowd, incomplete=incomplete)
    logits = torch.full((1, 1, 2, 3), -9.0)
    logits[..., 0, 1] = 9
    boxes = box.expand(1, 1, 2, 2, 4)
    right = torch.where(masks, 20.0, -20.0)
    made = [right[..., 2::4, 2::4], right[..., 1::2, 1::2], right]
    if spoil is not None:
        spoil(logits, made[2])
    pairs = MatchedPairs.of([np.array([[0, -1]])], [1], torch.device("cpu"))
    tubes = TubeMasks(*made, outline=torch.ones_like(masks))
    return TubeCriterion()(logits, boxes, tubes, [target], pairs)


def test_right_predictions_cost_nothing():
    found = losses()
    assert len(found) == 10
    assert all(value < 1e-2 for value in found.values())


def test_steps_are_told_apart():
    def spoil(_, refined):
        refined[..., 0, 0] = 20

    found = losses(spoil=spoil)
    wrong = {name for name, value in found.items() if value > 1e-2}
    assert wrong == {"loss_mask_refined", "loss_dice_refined", "loss_outline"}


def test_crowds_and_categories_left_out_teach_nothing():
    def spoil(logits, refined):
        logits[..., 1, 2] = 9  # a query without an object, sure of another category
        refined[..., 0, 0] = 20

    crowd = torch.ones(2, 16, 32, dtype=torch.bool)
    found = losses(crowd=crowd, spoil=spoil)
    assert all(value < 1e-2 for value in found.values())
    left_out = torch.tensor([False, False, True])
    assert losses(incomplete=left_out, spoil=spoil)["loss_cls"] < 1e-2
    assert losses(spoil=spoil)["loss_cls"] > 1
