"""Losses of queries with classes per clip, boxes per frame and masks in three steps.

Video Mask Transfiner was released without training code; what is left of it are names
and weights of the losses. This is our reading of them (docs/hosts/vmt.md).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from tmt_vis.ops import paired_gious, to_corners

from .detection_criterion import DetectionCriterion, MatchedPairs
from .detection_losses import mask_focal_loss
from .mask_losses import point_bce, point_dice


class TubeTargets(NamedTuple):
    """The objects of one clip.

    Args:
        labels: ``(N,)`` int64 rows of the classifier.
        boxes: ``(N, T, 4)`` centre and size, relative to the frames without padding.
        shown: ``(N, T)`` bool, whether the object has a pixel in the frame.
        masks: ``(N, T, H, W)`` bool at the padded input size.
        crowds: ``(T, h, w)`` bool of the frames without padding, True where objects
            were annotated as a region and not one by one; None = nowhere.
        incomplete: ``(K,)`` bool, True for rows of which objects were left out; None =
            of none.
    """

    labels: Tensor
    boxes: Tensor
    shown: Tensor
    masks: Tensor
    crowds: Tensor | None = None
    incomplete: Tensor | None = None


class TubeMasks(NamedTuple):
    """The masks of matched queries, and what they should be.

    Args:
        coarse: ``(n, T, H/4, W/4)`` logits of all pairs.
        fine: ``(m, T, H/2, W/2)`` of the pairs of the last stage.
        refined: ``(m, T, H, W)`` of the same.
        outline: ``(m, T, H, W)`` bool, the pixels along the true outlines.
    """

    coarse: Tensor
    fine: Tensor
    refined: Tensor
    outline: Tensor


class TubeCriterion(DetectionCriterion):
    """Weigh and name the losses of every stage.

    Classes as in :class:`DetectionCriterion`. Boxes are averaged over the frames that
    show their object; masks are compared over all frames of the clip together, the
    coarse ones after every stage, the others after the last. The outline loss is the
    cross-entropy of the refined masks along the true outlines.

    Args:
        loss_weights: of ``cls``, ``bbox``, ``giou``, ``mask`` and ``dice`` (coarse),
            ``mask_fine`` and ``dice_fine``, ``mask_refined`` and ``dice_refined``,
            ``outline``.
    """

    defaults = dict(cls=2.0, bbox=5.0, giou=2.0, mask=2.0, dice=5.0) | dict(
        mask_fine=2.0, dice_fine=5.0, mask_refined=2.0, dice_refined=5.0, outline=5.0
    )

    def __call__(
        self,
        class_logits: Tensor,
        boxes: Tensor,
        masks: TubeMasks,
        targets: Sequence[TubeTargets],
        pairs: MatchedPairs,
    ) -> dict[str, Tensor]:
        """Compute the losses.

        Args:
            class_logits: ``(S, B, Q, K)``, restricted to the label spaces.
            boxes: ``(S, B, T, Q, 4)``.
            masks: of the pairs.
            targets: of each clip.
            pairs: matched queries.

        Returns:
            Weighted losses, mmdet's names: the last stage has no prefix, the one after
            layer i the prefix ``d{i + 1}.``.
        """
        norms = self.norms(pairs)
        found = dict(cls=self.class_loss(class_logits, boxes, targets, pairs) / norms)
        rows = self._box_rows(boxes, targets, pairs)
        truth = _truth(masks.coarse, targets, pairs.object)
        rows |= _mask_rows(masks.coarse, *truth)
        sums = norms.new_zeros(len(rows), len(norms))
        sums = sums.index_add(1, pairs.stage, torch.stack(list(rows.values())))
        found |= dict(zip(rows, sums / norms, strict=True))
        last = pairs.object[pairs.stage == len(norms) - 1]
        for step in ("fine", "refined"):
            logits = getattr(masks, step)
            truth = _truth(logits, targets, last)
            for name, row in _mask_rows(logits, *truth).items():
                found[f"{name}_{step}"] = row.sum()[None] / norms[-1]
        edge = masks.outline if truth[1] is None else masks.outline & truth[1]
        flat = (x.flatten(1) for x in (masks.refined, truth[0], edge))
        found["outline"] = point_bce(*flat).sum()[None] / norms[-1]
        return self.named(found)

    def _box_rows(
        self, boxes: Tensor, targets: Sequence[TubeTargets], pairs: MatchedPairs
    ) -> dict[str, Tensor]:
        boxes = boxes[pairs.stage, pairs.frame, :, pairs.query]  # (n, T, 4)
        truth = torch.cat([target.boxes for target in targets])[pairs.object]
        shown = torch.cat([target.shown for target in targets])[pairs.object]
        _, gious = paired_gious(to_corners(boxes), to_corners(truth))
        weight = shown / shown.sum(1, keepdim=True).clamp(min=1)
        distance = (boxes - truth).abs().sum(-1)
        return dict(bbox=(weight * distance).sum(1), giou=(weight * (1 - gious)).sum(1))


def _mask_rows(
    logits: Tensor, truth: Tensor, known: Tensor | None
) -> dict[str, Tensor]:
    """Return focal and dice loss of each row, over all frames together."""
    logits, truth = logits.flatten(1), truth.flatten(1)
    known = None if known is None else known.flatten(1)
    rows = logits, truth, known
    return dict(mask=mask_focal_loss(*rows), dice=point_dice(*rows))


def _truth(
    logits: Tensor, targets: Sequence[TubeTargets], objects: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Return what masks should be at their size, and where that is known.

    Masks are compared at the pixels in the middle of their cells. In crowd regions it
    is known of the object's own pixels only.
    """
    whole = targets[0].masks.shape[-1]
    stride = whole // logits.shape[-1]
    cells = (..., slice(stride // 2, None, stride), slice(stride // 2, None, stride))
    masks = torch.cat([target.masks[cells] for target in targets])[objects]
    known = None
    if any(target.crowds is not None for target in targets):
        crowds = torch.cat([_crowds_of_objects(target)[cells] for target in targets])
        known = masks | ~crowds[objects]
    return masks.to(logits.dtype), known


def _crowds_of_objects(target: TubeTargets) -> Tensor:
    region = target.masks.new_zeros(target.masks.shape[1:])
    if target.crowds is not None:
        height, width = target.crowds.shape[-2:]
        region[:, :height, :width] = target.crowds
    return region.expand(target.masks.shape)
