"""Class, box and mask losses of queries that objects share (Deformable DETR, IDOL)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from numpy.typing import NDArray
from torch import Tensor

from tmt_vis.ops import to_corners

from .detection_losses import box_losses, focal_loss, mask_focal_loss
from .mask_losses import point_dice

# Masks are compared at stride 4: the pixels in the middle of the cells.
_STRIDE, _OFFSET = 4, 2


class DetectionTargets(NamedTuple):
    """The objects of one frame.

    Args:
        labels: ``(N,)`` int64.
        boxes: ``(N, 4)`` centre and size, relative to the frame without padding.
        masks: ``(N, H, W)`` bool at the padded input size.
        crowds: ``(h, w)`` bool of the frame without padding, True where objects were
            annotated as a region and not one by one; None = nowhere.
        incomplete: ``(K,)`` bool, True for categories of which objects were left out;
            None = of none.
    """

    labels: Tensor
    boxes: Tensor
    masks: Tensor
    crowds: Tensor | None = None
    incomplete: Tensor | None = None


class MatchedPairs(NamedTuple):
    """The queries that belong to an object, of all stages of all frames.

    Args:
        stage: ``(n,)`` int64.
        frame: ``(n,)`` ascending.
        query: ``(n,)``.
        object: ``(n,)`` position among the objects of all frames.
        counts: ``(S,)`` float32 pairs of each stage.
        per_frame: pairs of each frame, on the host.
    """

    stage: Tensor
    frame: Tensor
    query: Tensor
    object: Tensor
    counts: Tensor
    per_frame: tuple[int, ...]

    @classmethod
    def of(
        cls,
        objects: Sequence[NDArray[np.int64]],
        num_objects: Sequence[int],
        device: torch.device,
    ) -> "MatchedPairs":
        """List the pairs of matchings that are on the host.

        Args:
            objects: per frame ``(S, Q)``, the object of each query, -1 = none.
            num_objects: of each frame.
            device: of the lists; nothing waits for it.
        """
        rows, before = [], 0
        for frame, (table, count) in enumerate(zip(objects, num_objects, strict=True)):
            stage, query = np.nonzero(table >= 0)
            index = table[stage, query] + before
            rows.append(np.stack([stage, np.full_like(stage, frame), query, index]))
            before += count
        table = np.concatenate(rows, axis=1)
        counts = np.bincount(table[0], minlength=len(objects[0]))
        moved = torch.from_numpy(table).to(device, non_blocking=True)
        counts = torch.from_numpy(counts).float().to(device, non_blocking=True)
        return cls(*moved, counts, tuple(row.shape[1] for row in rows))

    def split(self, values: Tensor) -> tuple[Tensor, ...]:
        """Split ``(n, ...)`` by frame."""
        return values.split(self.per_frame)


class DetectionCriterion:
    """Weigh and name the losses of every stage.

    All are sums over the matched queries, divided by their number in the stage
    (averaged over processes, at least 1); the class loss is a sum over all queries.
    Queries without an object pay no class loss in crowd regions (by half of their box
    or more) and for categories of which objects were left out.

    Args:
        loss_weights: of ``cls``, ``bbox``, ``giou``, ``mask``, ``dice`` and ``taxo``.

    Raises:
        ValueError: on another name.
    """

    defaults = dict(cls=2.0, bbox=5.0, giou=2.0, mask=2.0, dice=5.0, taxo=0.5)

    def __init__(self, loss_weights: Mapping[str, float] | None = None) -> None:
        unknown = sorted(set(loss_weights or ()) - set(self.defaults))
        if unknown:
            raise ValueError(
                f"loss_weights must be among {sorted(self.defaults)}, got {unknown}"
            )
        self.weights = self.defaults | dict(loss_weights or {})

    def __call__(
        self,
        class_logits: Tensor,
        boxes: Tensor,
        masks: Tensor,
        targets: Sequence[DetectionTargets],
        pairs: MatchedPairs,
    ) -> dict[str, Tensor]:
        """Compute the losses.

        Args:
            class_logits: ``(S, B, Q, K)``, restricted to the label spaces.
            boxes: ``(S, B, Q, 4)``.
            masks: ``(n, H/4, W/4)`` logits of the pairs.
            targets: of each frame.
            pairs: matched queries.

        Returns:
            Weighted losses, mmdet's names: the last stage has no prefix, the one after
            layer i the prefix ``d{i + 1}.``.
        """
        norms = self.norms(pairs)
        found = dict(cls=self.class_loss(class_logits, boxes, targets, pairs) / norms)
        found |= self._pair_losses(boxes, masks, targets, pairs, norms)
        return self.named(found)

    def named(self, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weigh and name losses, ``(S,)`` each."""
        losses = {}
        for name, values in found.items():
            weighted = (self.weights[name] * values).unbind()
            for stage, value in enumerate(weighted):
                prefix = "" if stage == len(weighted) - 1 else f"d{stage + 1}."
                losses[f"{prefix}loss_{name}"] = value
        return losses

    def taxonomy_loss(
        self,
        logits: Tensor,
        boxes: Tensor,
        targets: Sequence[DetectionTargets],
        pairs: MatchedPairs,
    ) -> dict[str, Tensor]:
        """Compute the class loss of injected queries at the pairs of the first stage.

        Args:
            logits: ``(1, B, Q, K)``, restricted to the label spaces.
            boxes: ``(S, B, Q, 4)`` of the stages behind.
            targets: of each frame.
            pairs: matched queries of these stages.
        """
        loss = self.class_loss(logits, boxes, targets, pairs)[0] / self.norms(pairs)[0]
        return {"d0.loss_taxo": self.weights["taxo"] * loss}

    def norms(self, pairs: MatchedPairs) -> Tensor:
        """Return what the sums of each stage are divided by, ``(S,)``."""
        counts = pairs.counts.clone()
        all_reduce(counts, op="mean")
        return counts.clamp(min=1)

    def class_loss(
        self,
        logits: Tensor,
        boxes: Tensor,
        targets: Sequence[DetectionTargets],
        pairs: MatchedPairs,
    ) -> Tensor:
        """Sum the focal loss of each stage.

        Args:
            logits: ``(S', B, Q, K)`` of the first stages.
            boxes: ``(S, B, Q, 4)``.
            targets: of each frame.
            pairs: matched queries of the S stages.

        Returns:
            ``(S',)``.
        """
        stages = len(logits)
        labels = torch.cat([target.labels for target in targets])
        truth = logits.new_zeros(len(boxes), *logits.shape[1:])
        truth[pairs.stage, pairs.frame, pairs.query, labels[pairs.object]] = 1
        truth = truth[:stages]
        loss = focal_loss(logits, truth)
        for frame, target in enumerate(targets):
            left_out = _left_out(truth[:, frame], boxes[:stages, frame], target)
            if left_out is not None:
                loss[:, frame] = loss[:, frame].masked_fill(left_out, 0)
        return loss.flatten(1).sum(1)

    def _pair_losses(
        self,
        boxes: Tensor,
        masks: Tensor,
        targets: Sequence[DetectionTargets],
        pairs: MatchedPairs,
        norms: Tensor,
    ) -> dict[str, Tensor]:
        true_boxes = torch.cat([target.boxes for target in targets])[pairs.object]
        bbox, giou = box_losses(
            boxes[pairs.stage, pairs.frame, pairs.query], true_boxes
        )
        true_masks = torch.cat([_cells(target.masks) for target in targets])
        true_masks = true_masks[pairs.object].flatten(1)
        known = _known_cells(true_masks, targets, pairs)
        true_masks, masks = true_masks.to(masks.dtype), masks.flatten(1)
        mask = mask_focal_loss(masks, true_masks, known)
        dice = point_dice(masks, true_masks, known)
        rows = torch.stack([bbox, giou, mask, dice])  # (4, n)
        sums = rows.new_zeros(len(rows), len(norms)).index_add(1, pairs.stage, rows)
        names = ("bbox", "giou", "mask", "dice")
        return dict(zip(names, sums / norms, strict=True))


def _cells(masks: Tensor) -> Tensor:
    return masks[..., _OFFSET::_STRIDE, _OFFSET::_STRIDE]


def _known_cells(
    true_masks: Tensor, targets: Sequence[DetectionTargets], pairs: MatchedPairs
) -> Tensor | None:
    """Mark the cells where the mask of a pair is known: no crowd, or the object."""
    if all(target.crowds is None for target in targets):
        return None
    whole = targets[0].masks.shape[-2:]
    crowds = true_masks.new_zeros(len(targets), *whole)
    for region, target in zip(crowds, targets, strict=True):
        if target.crowds is not None:
            height, width = target.crowds.shape
            region[:height, :width] = target.crowds
    return true_masks | ~_cells(crowds).flatten(1)[pairs.frame]


def _left_out(truth: Tensor, boxes: Tensor, target: DetectionTargets) -> Tensor | None:
    """Mark the classes of queries that may be right though nobody annotated them.

    Args:
        truth: ``(S, Q, K)``, 1 for the class of a matched query.
        boxes: ``(S, Q, 4)``.
        target: of the frame.

    Returns:
        ``(S, Q, K)`` bool or broadcastable; None if there is nothing of the kind.
    """
    if target.crowds is None and target.incomplete is None:
        return None
    left_out = torch.zeros_like(truth, dtype=torch.bool)
    if target.incomplete is not None:
        left_out = left_out | target.incomplete
    if target.crowds is not None:
        matched = truth.any(-1, keepdim=True)
        left_out = left_out | (_in_crowds(boxes, target.crowds)[..., None] & ~matched)
    return left_out & (truth == 0)


@torch.no_grad()
def _in_crowds(boxes: Tensor, crowds: Tensor) -> Tensor:
    """Tell which boxes lie in crowd regions by half or more, ``(S, Q)``.

    Args:
        boxes: ``(S, Q, 4)``; of clips ``(S, T, Q, 4)``.
        crowds: ``(h, w)``; of clips ``(T, h, w)``.
    """
    if crowds.dim() == 2:
        boxes, crowds = boxes[:, None], crowds[None]
    counts = [_covered(*x) for x in zip(boxes.unbind(1), crowds, strict=True)]
    inside, area = (sum(part) for part in zip(*counts, strict=True))
    return (area > 0) & (2 * inside >= area)


def _covered(boxes: Tensor, crowds: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixels of boxes in crowd regions, and all of them."""
    height, width = crowds.shape
    sums = F.pad(crowds.float().cumsum(0).cumsum(1), (1, 0, 1, 0))
    size = boxes.new_tensor([width, height] * 2)
    corners = (to_corners(boxes) * size).round().clamp(min=0)
    x0, y0, x1, y1 = torch.minimum(corners, size).long().unbind(-1)
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return inside, (x1 - x0) * (y1 - y0)
