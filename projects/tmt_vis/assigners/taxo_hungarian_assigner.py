"""Bipartite matching of queries and instances inside the sample's label space."""

from collections.abc import Sequence

import numpy as np
import torch
from mmdet.registry import TASK_UTILS
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from tmt_vis.ops import (
    PointSampler,
    clip_generator,
    sample_points,
    sample_shared_points,
)
from tmt_vis.structures import ClipTargets

from .match_costs import class_cost, mask_costs

# Stands in for a cost that is not finite: the step goes on, its loss is not finite
# either, and the loss scaler (AMP) or NonFiniteLossHook deals with it by name.
_HUGE_COST = 1e6
# By ``is_cuda``: 4 MB, which stay in the cache, and 1 GB (ten stages of 8 frames).
_LOGITS_AT_ONCE = {False: 2**20, True: 2**28}


@TASK_UTILS.register_module()
class TaxoHungarianAssigner:
    """Match all prediction stages of all clips with one device-to-host copy.

    The matching algorithm is Mask2Former's (Sec. 3.4: "the matching algorithm remains
    the same"). The class cost sees only the categories of the sample's label space,
    and the same assigner serves the predictions made right after the injection, which
    is what makes the matching taxonomy-aware.

    Args:
        class_weight: weight of the class cost.
        mask_weight: weight of the point-wise cross-entropy.
        dice_weight: weight of the dice cost.
    """

    def __init__(
        self,
        *,
        class_weight: float = 2.0,
        mask_weight: float = 5.0,
        dice_weight: float = 5.0,
    ) -> None:
        self.class_weight = class_weight
        self.mask_weight = mask_weight
        self.dice_weight = dice_weight

    @torch.no_grad()
    def assign(
        self,
        class_logits: Tensor,
        mask_embeds: Tensor,
        mask_features: Tensor,
        targets: Sequence[ClipTargets],
        points: PointSampler,
    ) -> list[Tensor]:
        """Find the query of each target, in each stage.

        Args:
            class_logits: ``(S, B, Q, K + 1)``, restricted to the label spaces.
            mask_embeds: ``(S, B, Q, C)``.
            mask_features: ``(B, T, C, H, W)``.
            targets: one per clip.
            points: where masks are compared.

        Returns:
            Per clip ``(S, N)`` int64: the matched query, -1 for a target left over
            because there are more targets than queries.
        """
        costs = self.costs(class_logits, mask_embeds, mask_features, targets, points)
        matches = [solve(cost) for cost in on_host(costs)]
        return on_device(matches, class_logits.device)

    @torch.no_grad()
    def costs(
        self,
        class_logits: Tensor,
        mask_embeds: Tensor,
        mask_features: Tensor,
        targets: Sequence[ClipTargets],
        points: PointSampler,
    ) -> list[Tensor]:
        """Compute the costs of all clips; the arguments are those of :meth:`assign`.

        Returns:
            Per clip ``(S, Q, N)``.
        """
        with torch.autocast(class_logits.device.type, enabled=False):
            return [
                self.clip_costs(
                    class_logits[:, clip].float(),
                    mask_embeds[:, clip].float(),
                    mask_features[clip].float(),
                    target,
                    points,
                )
                for clip, target in enumerate(targets)
            ]

    def clip_costs(
        self,
        class_logits: Tensor,
        mask_embeds: Tensor,
        mask_features: Tensor,
        target: ClipTargets,
        points: PointSampler,
    ) -> Tensor:
        """Compute the costs of one clip.

        Mask features are sampled once; the logits of all stages are then one matrix
        product. A GPU does it at once; on CPUs a product of all stages at full size
        leaves the cache, so some points go at a time.

        Args:
            class_logits: ``(S, Q, K + 1)``.
            mask_embeds: ``(S, Q, C)``.
            mask_features: ``(T, C, H, W)``.
            target: of the clip.
            points: where masks are compared.

        Returns:
            ``(S, Q, N)``.
        """
        stages, queries = class_logits.shape[:2]
        if len(target) == 0:
            return class_logits.new_zeros(stages, queries, 0)
        generator = clip_generator(target.seed, mask_features.device)
        coords = points.matching_points(mask_features.device, generator)
        features = sample_shared_points(mask_features, coords[0])  # (T, P, C)
        masks = target.masks.transpose(0, 1).to(features.dtype)  # (T, N, H, W)
        truth = sample_points(masks, coords.expand(len(masks), -1, -1))
        known = None
        if target.crowds is not None:
            # Outside of crowds, and on the annotated objects in them.
            crowds = target.crowds.unsqueeze(1).to(features.dtype)
            crowds = sample_points(crowds, coords.expand(len(crowds), -1, -1))
            known = ((crowds == 0).squeeze(1) | (truth >= 0.5).any(1)).flatten()
        costs = mask_costs(
            mask_embeds,
            features.flatten(0, 1),
            truth.transpose(0, 1).flatten(1),  # (N, T*P)
            known=known,
            bce_weight=self.mask_weight,
            dice_weight=self.dice_weight,
            logits_at_once=_LOGITS_AT_ONCE[features.is_cuda],
        )
        return costs + self.class_weight * class_cost(class_logits, target.labels)


def on_host(costs: Sequence[Tensor]) -> list[np.ndarray]:
    """Bring costs to the host with one copy; those that are not finite become huge."""
    flat = torch.cat([cost.flatten() for cost in costs]).cpu().numpy()
    flat = np.nan_to_num(flat, nan=_HUGE_COST, posinf=_HUGE_COST, neginf=-_HUGE_COST)
    parts = np.split(flat, np.cumsum([cost.numel() for cost in costs])[:-1])
    return [part.reshape(x.shape) for part, x in zip(parts, costs, strict=True)]


def solve(costs: np.ndarray, blocked: np.ndarray | None = None) -> np.ndarray:
    """Match the targets of one clip in each stage.

    Args:
        costs: ``(S, Q, N)``, finite.
        blocked: bool, broadcastable to the costs: pairs that are never matched.

    Returns:
        ``(S, N)`` int64, the query of each target; -1 for a target left over.
    """
    stages, _, num_targets = costs.shape
    if blocked is not None:
        blocked = np.broadcast_to(blocked, costs.shape)
        # So high that no pair that may be is given up for one that may not.
        low, high = (f(costs.astype(np.float64), initial=0) for f in (np.min, np.max))
        most = min(costs.shape[1:])
        costs = np.where(blocked, high + most * (high - low + 1), costs)
    matches = np.full((stages, num_targets), -1, dtype=np.int64)
    for match, cost in zip(matches, costs, strict=True):
        rows, columns = linear_sum_assignment(cost)
        match[columns] = rows
    if blocked is not None:
        taken = np.take_along_axis(blocked, matches[:, None].clip(min=0), axis=1)
        matches[taken[:, 0]] = -1
    return matches


def on_device(matches: Sequence[np.ndarray], device: torch.device) -> list[Tensor]:
    """Bring matches to the device with one copy that nobody waits for."""
    flat = torch.from_numpy(np.concatenate([match.ravel() for match in matches]))
    parts = flat.to(device, non_blocking=True).split([m.size for m in matches])
    return [part.view(m.shape) for part, m in zip(parts, matches, strict=True)]
