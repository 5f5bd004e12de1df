"""Losses of stages before weights and names: rows, copies of a stage, parts."""

import pytest
import torch

from tmt_vis.losses import (
    SetCriterion,
    Stage,
    StageKind,
    StageLosses,
    StagePredictions,
    point_bce,
    point_dice,
)
from tmt_vis.ops import mask_logits, sample_points
from tmt_vis.structures import ClipTargets, presence

WEIGHTS = dict(cls=2.0, mask=5.0, dice=3.0, taxo=0.5)
FRAMES, STAGES, QUERIES = 3, 2, 4


class GridPoints:
    """The same points for all masks."""

    def __init__(self):
        self.grid = torch.rand(1, 7, 2, generator=torch.Generator().manual_seed(1))

    def loss_points(self, logits, generator):
        return self.grid.expand(len(logits), -1, -1)


@pytest.fixture
def case():
    torch.manual_seed(0)
    predictions = StagePredictions(
        class_logits=torch.randn(STAGES, 2, QUERIES, 3),
        mask_embeds=torch.randn(STAGES, 2, QUERIES, 5),
        mask_features=torch.randn(2, FRAMES, 5, 4, 6),
    )
    targets = [
        ClipTargets(torch.tensor([1, 0]), torch.rand(2, FRAMES, 8, 12) > 0.5),
        ClipTargets(torch.tensor([0]), torch.rand(1, FRAMES, 8, 12) > 0.5),
    ]
    matches = [torch.tensor([[0, 3], [2, -1]]), torch.tensor([[1], [1]])]
    criterion = SetCriterion(loss_weights=WEIGHTS, points=GridPoints())
    return criterion, predictions, targets, matches


def written_out(loss, rows, case):
    """Sum a loss over all matched objects of a stage, object by object."""
    criterion, predictions, targets, matches = case
    total = torch.zeros(STAGES)
    for clip, target in enumerate(targets):
        for stage in range(STAGES):
            for number, query in enumerate(matches[clip][stage].tolist()):
                if query < 0:
                    continue
                embed = predictions.mask_embeds[stage, clip, query]
                logits = mask_logits(
                    embed[None, None], predictions.mask_features[clip : clip + 1]
                )[0, 0]
                pair = [
                    sample_points(
                        x.float()[:, None], criterion.points.loss_points(x, None)
                    )[:, 0]
                    for x in (logits, target.masks[number])
                ]
                if rows == "tube":
                    pair = [x.reshape(1, -1) for x in pair]
                total[stage] += loss(*pair).sum()
    return total / 3  # objects of the batch


@pytest.mark.parametrize("rows", ["frame", "tube"])
def test_masks_are_compared_by_frame_or_by_tube(case, rows):
    criterion, *rest = case
    losses = criterion.stage_losses(*rest, rows=rows)
    torch.testing.assert_close(losses.bce, written_out(point_bce, rows, case))
    torch.testing.assert_close(losses.dice, written_out(point_dice, rows, case))


def test_tubes_and_frames_differ(case):
    criterion, *rest = case
    frame, tube = (criterion.stage_losses(*rest, rows=r) for r in ("frame", "tube"))
    torch.testing.assert_close(frame.bce, FRAMES * tube.bce)
    assert (frame.dice - FRAMES * tube.dice).abs().max() > 1e-3
    assert torch.equal(frame.classes, tube.classes)


def test_classes_may_be_assigned_and_counted_in_another_way(case):
    criterion, predictions, targets, matches = case
    classes = [match.clone() for match in matches]
    classes[0][0, 1] = -1
    weights = torch.tensor([2 + 0.1 * 6, 2 + 0.1 * 6])
    losses = criterion.stage_losses(
        predictions,
        targets,
        matches,
        class_assignment=classes,
        class_norm=weights.clone(),
    )
    log_probs = predictions.class_logits.log_softmax(-1)
    labels = torch.full((STAGES, 2, QUERIES), 2)
    labels[0, 0, 0], labels[1, 0, 2], labels[:, 1, 1] = 1, 1, 0
    paid = -log_probs.gather(-1, labels[..., None])[..., 0]
    paid = (paid * torch.where(labels == 2, 0.1, 1.0)).sum((1, 2)) / weights
    torch.testing.assert_close(losses.classes, paid)


def test_copies_of_a_stage_are_averaged():
    values = torch.arange(6.0)
    losses = StageLosses(values, values + 1, values * 2).mean_over(3)
    assert losses.classes.tolist() == [1, 4]
    assert losses.bce.tolist() == [2, 5] and losses.dice.tolist() == [2, 8]


def test_names_of_a_part(case):
    criterion, *rest = case
    plain = Stage(StageKind.LAYER, 0, "d1.", "d1.loss_cls", masks=False)
    last = Stage(StageKind.LAYER, 1, "", "loss_cls")
    stages = [stage.named("video.") for stage in (plain, last)]
    losses = criterion(*rest, stages)
    assert set(losses) == {
        "video.d1.loss_cls",
        "video.loss_cls",
        "video.loss_mask",
        "video.loss_dice",
    }
    raw = criterion.stage_losses(*rest)
    torch.testing.assert_close(losses["video.loss_dice"], 3.0 * raw.dice[1])
    torch.testing.assert_close(losses["video.d1.loss_cls"], 2.0 * raw.classes[0])


def test_parts_of_the_targets(case):
    _, _, targets, _ = case
    targets[0].masks[1, 2] = False
    seen = presence(targets)
    assert seen[0].tolist() == [[True] * 3, [True, True, False]]
    assert seen[1].tolist() == [[True] * 3]
    part = targets[0].part(torch.tensor([1]), slice(1, 3))
    assert part.labels.tolist() == [0]
    assert torch.equal(part.masks, targets[0].masks[1:, 1:])
