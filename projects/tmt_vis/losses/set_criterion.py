"""From matched predictions to named losses (paper Eq. 8)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from tmt_vis.ops import PointSampler, clip_generator, mask_logits, sample_points
from tmt_vis.structures import ClipTargets
from tmt_vis.typedefs import Losses

from .class_loss import class_loss
from .left_out import left_out_queries
from .mask_losses import point_bce, point_dice
from .stage_plan import Stage

# Far below the weight of one query, a tenth, shared by a thousand processes.
_SMALLEST_NORM = 1e-6


@dataclass(frozen=True)
class StagePredictions:
    """Predictions of all stages.

    Args:
        class_logits: ``(S, B, Q, K + 1)``, restricted to the label spaces.
        mask_embeds: ``(S, B, Q, C)``.
        mask_features: ``(B, T, C, H, W)``.
    """

    class_logits: Tensor
    mask_embeds: Tensor
    mask_features: Tensor


@dataclass(frozen=True)
class StageLosses:
    """Losses of each stage, before their weights.

    Args:
        classes: ``(S,)``.
        bce: ``(S',)`` of the stages that pay for masks.
        dice: ``(S',)``.
    """

    classes: Tensor
    bce: Tensor
    dice: Tensor

    def mean_over(self, copies: int) -> "StageLosses":
        """Average groups of stages that are copies of one, side by side."""
        parts = (self.classes, self.bce, self.dice)
        return StageLosses(*(x.unflatten(0, (-1, copies)).mean(1) for x in parts))


class SetCriterion:
    """Compute ``L_mask + lambda_cls L_cls + lambda_taxo L_taxo`` (Eq. 8).

    Sums are divided by counts averaged over all processes, so that the gradient of
    ``n`` processes equals that of one process with the same global batch. (The
    reference averages the class term per process; the two agree on one process.)

    Args:
        loss_weights: weights of ``cls``, ``mask``, ``dice`` and ``taxo``.
        no_object_weight: class weight of unmatched queries.
        points: where masks are compared.
        mmdet_bce_scale: multiply the mask BCE by T, as mmdet 3.3 does by dividing its
            normaliser by T; the reference of Mask2Former-VIS does not.
    """

    def __init__(
        self,
        *,
        loss_weights: dict[str, float],
        no_object_weight: float = 0.1,
        points: PointSampler | None = None,
        mmdet_bce_scale: bool = False,
    ) -> None:
        required = {"cls", "mask", "dice", "taxo"}
        if set(loss_weights) != required:
            raise ValueError(
                f"loss_weights must have the keys {sorted(required)}, got "
                f"{sorted(loss_weights)}"
            )
        self.loss_weights = loss_weights
        self.no_object_weight = no_object_weight
        self.points = points or PointSampler()
        self.mmdet_bce_scale = mmdet_bce_scale

    def __call__(
        self,
        predictions: StagePredictions,
        targets: Sequence[ClipTargets],
        assignment: Sequence[Tensor],
        stages: Sequence[Stage],
    ) -> Losses:
        """Compute the weighted losses of all stages.

        Args:
            predictions: of all stages.
            targets: one per clip.
            assignment: per clip ``(S, N)`` int64, the query matched to each target,
                -1 where a target has none (more targets than queries).
            stages: what each stage pays.

        Returns:
            Losses by name, each already weighted.
        """
        mask_stages = [i for i, stage in enumerate(stages) if stage.masks]
        losses = self.stage_losses(predictions, targets, assignment, mask_stages)
        return self.named(losses, stages)

    def stage_losses(
        self,
        predictions: StagePredictions,
        targets: Sequence[ClipTargets],
        assignment: Sequence[Tensor],
        mask_stages: Sequence[int] | None = None,
        *,
        rows: str = "frame",
        class_assignment: Sequence[Tensor] | None = None,
        class_norm: Tensor | None = None,
    ) -> StageLosses:
        """Compute the losses of all stages, without weights and names.

        Args:
            predictions: of all stages.
            targets: one per clip.
            assignment: per clip ``(S, N)``, see :meth:`__call__`.
            mask_stages: stages that pay for masks; None = all.
            rows: what a mask is in BCE and dice: each ``frame`` of an object, or its
                whole ``tube`` (VITA).
            class_assignment: the same for the class loss, where it differs.
            class_norm: sum of the class weights, a scalar or ``(S,)``, on this
                process; None counts each target once.
        """
        logits = predictions.class_logits
        labels = target_classes(logits.shape, targets, class_assignment or assignment)
        left_out = left_out_queries(predictions, targets, labels)
        num_masks, norm = self._normalisers(logits, targets, left_out, class_norm)
        classes = class_loss(
            logits,
            labels,
            no_object_weight=self.no_object_weight,
            norm=norm,
            left_out=left_out,
        )
        if mask_stages is None:
            mask_stages = range(len(predictions.class_logits))
        bce, dice = self._mask_losses(
            predictions, targets, assignment, list(mask_stages), num_masks, rows
        )
        return StageLosses(classes, bce, dice)

    def named(self, losses: StageLosses, stages: Sequence[Stage]) -> Losses:
        """Weight losses and name them.

        Args:
            losses: of the stages.
            stages: what each stage pays.
        """
        mask_stages = [i for i, stage in enumerate(stages) if stage.masks]
        weights = [self.loss_weights[stage.class_weight] for stage in stages]
        classes = (losses.classes * losses.classes.new_tensor(weights)).unbind()
        bce = (self.loss_weights["mask"] * losses.bce).unbind()
        dice = (self.loss_weights["dice"] * losses.dice).unbind()
        named: Losses = {}
        for loss, stage in zip(classes, stages, strict=True):
            if stage.class_name is not None:
                named[stage.class_name] = loss
        for row, index in enumerate(mask_stages):
            prefix = stages[index].prefix
            named[f"{prefix}loss_mask"] = bce[row]
            named[f"{prefix}loss_dice"] = dice[row]
        return named

    def _normalisers(
        self,
        logits: Tensor,
        targets: Sequence[ClipTargets],
        left_out: Tensor | None,
        class_norm: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Count masks, and the class weights of each stage, ``(S,)``."""
        num_stages, _, num_queries = logits.shape[:3]
        matched = sum(min(len(target), num_queries) for target in targets)
        unmatched = len(targets) * num_queries - matched
        weights = matched + self.no_object_weight * unmatched
        # As long on every process, whatever its clips: processes add up.
        norms = logits.new_tensor(
            [sum(len(target) for target in targets), *[weights] * num_stages]
        )
        if class_norm is not None:
            norms[1:] = class_norm
        if left_out is not None:
            norms[1:] -= self.no_object_weight * left_out.sum((1, 2))
        all_reduce(norms, op="mean")
        if left_out is not None:
            norms = norms.clamp(min=_SMALLEST_NORM)  # all may be left out
        return norms[0].clamp(min=1), norms[1:]

    def _mask_losses(
        self,
        predictions: StagePredictions,
        targets: Sequence[ClipTargets],
        assignment: Sequence[Tensor],
        mask_stages: list[int],
        num_masks: Tensor,
        rows: str,
    ) -> tuple[Tensor, Tensor]:
        embeds = predictions.mask_embeds
        features = predictions.mask_features.float()
        # Keeps every parameter in the graph of a batch without instances.
        zero = (embeds.sum(dtype=features.dtype) + features.sum()) * 0
        bce = dice = zero.expand(len(mask_stages))
        stages = torch.tensor(mask_stages, device=embeds.device).unsqueeze(1)
        for clip, (target, matches) in enumerate(zip(targets, assignment, strict=True)):
            if len(target) == 0:
                continue
            # Indexing keeps nothing for the backward; gather keeps all queries.
            chosen = embeds[:, clip][stages, matches[mask_stages].clamp(min=0)].float()
            clip_bce, clip_dice = self._clip_mask_losses(
                chosen, features[clip], target, matches[mask_stages], rows
            )
            bce, dice = bce + clip_bce, dice + clip_dice
        scale = features.shape[1] if self.mmdet_bce_scale else 1
        return bce * scale / num_masks, dice / num_masks

    def _clip_mask_losses(
        self,
        embeds: Tensor,
        features: Tensor,
        target: ClipTargets,
        matches: Tensor,
        rows: str,
    ) -> tuple[Tensor, Tensor]:
        """Sum the mask losses of one clip.

        Args:
            embeds: ``(S, N, C)`` of the matched queries.
            features: ``(T, C, H, W)``.
            target: of the clip.
            matches: ``(S, N)``, -1 where a target has no query.
            rows: ``frame`` or ``tube``.

        Returns:
            BCE and dice, ``(S,)`` each: sums over instances (and frames).
        """
        num_stages, num_targets = matches.shape
        logits = mask_logits(embeds.flatten(0, 1)[None], features[None])
        logits = logits[0].flatten(0, 1).unsqueeze(1)  # (S*N*T, 1, H, W)
        generator = clip_generator(target.seed, logits.device)
        with torch.no_grad():
            points = self.points.loss_points(logits, generator)
            truth = self._sample_targets(target.masks, points, num_stages)
            known = self._known_points(target, points, truth, num_stages)
        sampled = sample_points(logits, points).squeeze(1)
        if rows == "tube":
            frames = len(features)
            sampled, truth, known = (
                x if x is None else x.unflatten(0, (-1, frames)).flatten(1)
                for x in (sampled, truth, known)
            )
        shape = (num_stages, num_targets, -1)
        matched = (matches >= 0).unsqueeze(-1)
        bce = (point_bce(sampled, truth, known).view(shape) * matched).sum((1, 2))
        dice = (point_dice(sampled, truth, known).view(shape) * matched).sum((1, 2))
        return bce, dice

    def _known_points(
        self, target: ClipTargets, points: Tensor, truth: Tensor, num_stages: int
    ) -> Tensor | None:
        """Mark the points where a mask is known: outside of crowds, and on itself."""
        if target.crowds is None:
            return None
        crowds = target.crowds.expand_as(target.masks)
        return (self._sample_targets(crowds, points, num_stages) == 0) | (truth >= 0.5)

    @staticmethod
    def _sample_targets(masks: Tensor, points: Tensor, num_stages: int) -> Tensor:
        """Read the true masks where the predictions of all stages are compared.

        Each mask is sampled once at the points of all stages instead of being
        repeated per stage.

        Args:
            masks: ``(N, T, H, W)``.
            points: ``(S*N*T, P, 2)``.
            num_stages: ``S``.

        Returns:
            ``(S*N*T, P)``.
        """
        rows = masks.flatten(0, 1).unsqueeze(1).to(points.dtype)  # (N*T, 1, H, W)
        by_mask = points.unflatten(0, (num_stages, len(rows))).transpose(0, 1)
        truth = sample_points(rows, by_mask.flatten(1, 2)).squeeze(1)
        return truth.unflatten(1, (num_stages, -1)).transpose(0, 1).flatten(0, 1)


def target_classes(
    shape: torch.Size, targets: Sequence[ClipTargets], assignment: Sequence[Tensor]
) -> Tensor:
    """Write the label of each matched query; the others are "no object" (``K``).

    Args:
        shape: ``(S, B, Q, K + 1)`` of the class logits.
        targets: one per clip.
        assignment: per clip ``(S, N)``, -1 = unmatched target.

    Returns:
        ``(S, B, Q)`` int64.
    """
    stages, _, queries, columns = shape
    rows = []
    for target, matches in zip(targets, assignment, strict=True):
        # Column Q swallows unmatched targets without a data-dependent index.
        row = matches.new_full((stages, queries + 1), columns - 1)
        columns_hit = torch.where(matches < 0, queries, matches)
        row.scatter_(1, columns_hit, target.labels.expand(stages, -1))
        rows.append(row[:, :queries])
    return torch.stack(rows, dim=1)
