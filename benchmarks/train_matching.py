"""Matching of all stages, with the prediction heads it needs."""

from collections.abc import Iterator

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from tmt_vis.structures import ClipTargets

from .common import Options, Row, Spec, Target, compare_times
from .model_prediction_heads import Heads
from .models import pair, same_points, truth, video

SPEC = Spec(
    name="train/matching",
    reference="10 x (_forward_head + _get_targets_single)",
    ours="heads on resized features + TaxoHungarianAssigner",
    target=Target(ratio=2.5),
)


def check(a: list[Tensor], b: Tensor) -> str:
    """Compare the query of each object in each stage."""
    same = torch.equal(torch.stack(a), b)
    assert same, f"assignments differ: {torch.stack(a)} and {b}"
    return f"{b.numel()} assignments equal at the same points"


@torch.no_grad()
def run(options: Options) -> Iterator[Row]:
    """Compare on one training clip."""
    both, clip = pair(options), video(options, 2)
    heads, objects = Heads(both, clip), truth(clip, 5)
    head, ours = both.theirs.track_head, both.ours.head.supervision
    features = heads.clip_features()
    targets = [ClipTargets(objects.labels, objects.masks, 0)]

    def theirs() -> list[Tensor]:
        # What preprocess_gt makes, for every stage anew.
        gt = InstanceData(labels=objects.labels, masks=objects.masks.long())
        matches = []
        for classes, masks, _ in heads.theirs():
            *_, positive, _, sampled = head._get_targets_single(
                classes[0], masks[0], gt, clip.meta
            )
            queries = torch.empty(len(gt), dtype=torch.int64)
            queries[sampled.pos_assigned_gt_inds] = positive
            matches.append(queries)
        return matches

    def assign() -> Tensor:
        outs = heads.ours(features)
        (match,) = ours.assigner.assign(
            torch.stack([classes for classes, _, _ in outs]),
            torch.stack([embeds for _, embeds, _ in outs]),
            features.mask_features,
            targets,
            ours.criterion.points,
        )
        return match

    with same_points(both) as points:
        yield compare_times(
            SPEC,
            options,
            size=f"10 stages, {clip}, 5 objects, {points.shape[1]:,} points",
            a=theirs,
            b=assign,
            check=check,
        )
