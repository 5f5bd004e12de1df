"""Queries that may have found an object nobody annotated: they learn nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from tmt_vis.ops import mask_logits
from tmt_vis.structures import ClipTargets

if TYPE_CHECKING:
    from .set_criterion import StagePredictions


@torch.no_grad()
def left_out_queries(
    predictions: "StagePredictions", targets: Sequence[ClipTargets], labels: Tensor
) -> Tensor | None:
    """Mark the queries without a target that must not learn "no object".

    They are those whose mask lies in crowd regions by half or more, as COCO's evaluator
    ignores detections there, and those whose best category is one of which objects
    were left out in the video, as LVIS's evaluator does.

    Args:
        predictions: of all stages.
        targets: one per clip.
        labels: ``(S, B, Q)`` int64 target classes, ``K`` = no object.

    Returns:
        ``(S, B, Q)`` bool; None if no clip has such a region or category.
    """
    if all(t.crowds is None and t.incomplete is None for t in targets):
        return None
    logits = predictions.class_logits
    found = torch.zeros_like(labels, dtype=torch.bool)
    for clip, target in enumerate(targets):
        if target.crowds is not None:
            embeds = predictions.mask_embeds[:, clip].float()
            features = predictions.mask_features[clip].float()
            found[:, clip] |= _in_crowds(embeds, features, target.crowds)
        if target.incomplete is not None:
            best = logits[:, clip, :, :-1].argmax(-1)
            found[:, clip] |= target.incomplete[best]
    return found & (labels == logits.shape[-1] - 1)


def _in_crowds(embeds: Tensor, features: Tensor, crowds: Tensor) -> Tensor:
    """Tell which masks lie in crowd regions by half or more.

    Args:
        embeds: ``(S, Q, C)``.
        features: ``(T, C, H, W)``.
        crowds: ``(T, H', W')`` bool, at any size.

    Returns:
        ``(S, Q)`` bool; False for a mask without a pixel.
    """
    size = features.shape[-2:]
    share = F.interpolate(crowds.unsqueeze(1).to(features.dtype), size, mode="area")
    inside = (share >= 0.5).flatten().to(features.dtype)  # (T*H*W,)
    stages = []
    for queries in embeds:  # the masks of one stage at a time
        masks = mask_logits(queries[None], features[None])[0].flatten(1) >= 0
        masks = masks.to(features.dtype)
        area = masks.sum(1)
        stages.append((area > 0) & (2 * (masks @ inside) >= area))
    return torch.stack(stages)
