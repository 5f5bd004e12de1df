"""Matching and losses of videos that are decoded clip by clip (GenVIS)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tmt_vis.assigners import ClipChain, ClipMatches, on_device, on_host
from tmt_vis.losses import StagePredictions, similarity_loss
from tmt_vis.structures import ClipDataSample, ClipTargets
from tmt_vis.typedefs import Losses

from ..taxonomy import CompiledTaxonomy
from ..video_branch import VideoPrediction
from .video_query_head import VideoQueryHead


class TrainedClip(NamedTuple):
    """What training keeps of one clip until all clips are matched.

    Args:
        frames: of the sample.
        tokens: ``(L * B, T, F, C)``.
        prediction: of all layers.
        stages: the same, as the criterion needs it.
        taxonomy: compiled for the video queries; None without guidance of them.
        costs: per sample ``(D * L, Q, N)``.
    """

    frames: slice
    tokens: Tensor
    prediction: VideoPrediction
    stages: StagePredictions
    taxonomy: CompiledTaxonomy | None
    costs: list[Tensor]


def match_clips(
    head: VideoQueryHead,
    clips: Sequence[TrainedClip],
    targets: Sequence[ClipTargets],
    present: Sequence[NDArray[np.bool_]],
    *,
    protect_vanished: bool,
) -> list[list[ClipMatches]]:
    """Match all clips with one copy to the host.

    Args:
        head: that decoded them.
        clips: of each sample, in order.
        targets: of each sample.
        present: per sample ``(N, T)``, on the host.
        protect_vanished: see :class:`ClipChain`.

    Returns:
        Per clip, per sample.
    """
    costs = iter(on_host([cost for clip in clips for cost in clip.costs]))
    num_stages = len(head.video_stages) * head.frame_query_layers
    chains = [
        ClipChain(
            num_objects=len(target),
            num_stages=num_stages,
            protect_vanished=protect_vanished,
        )
        for target in targets
    ]
    return [
        [
            chain.step(next(costs), seen[:, clip.frames].any(1))
            for chain, seen in zip(chains, present, strict=True)
        ]
        for clip in clips
    ]


def clip_losses(
    head: VideoQueryHead,
    clip: TrainedClip,
    matches: Sequence[ClipMatches],
    samples: Sequence[ClipDataSample],
    targets: Sequence[ClipTargets],
    present: Sequence[NDArray[np.bool_]],
    frame_matches: Sequence[Tensor],
) -> Losses:
    """Compute the losses of one clip from the objects that are in it.

    Args:
        head: that decoded it.
        clip: what it decoded.
        matches: of each sample.
        samples: of the batch.
        targets: of each sample.
        present: per sample ``(N, T)``, on the host.
        frame_matches: per sample ``(L, T, N)``.

    Returns:
        Weighted losses by name.
    """
    device, copies = clip.tokens.device, head.frame_query_layers
    rows = [np.flatnonzero(seen[:, clip.frames].any(1)) for seen in present]
    masks = on_device(
        [m.masks[:, r] for m, r in zip(matches, rows, strict=True)], device
    )
    classes = on_device(
        [m.classes[:, r] for m, r in zip(matches, rows, strict=True)], device
    )
    seen = [
        target.part(torch.from_numpy(r).to(device), clip.frames)
        for target, r in zip(targets, rows, strict=True)
    ]
    last = on_device([m.masks[-copies:] for m in matches], device)
    in_clip = [match[:, clip.frames] for match in frame_matches]
    embeddings = head.object_embeddings(
        clip.tokens, clip.prediction.queries, in_clip, last
    )
    with torch.autocast(device.type, enabled=False):
        found = head.criterion.stage_losses(
            clip.stages,
            seen,
            masks,
            rows="tube",
            class_assignment=classes,
            class_norm=_class_norm(head, matches, clip.stages),
        )
        losses = head.criterion.named(found.mean_over(copies), head.video_stages)
        similarity = similarity_loss(embeddings)
    losses["video.loss_sim"] = head.similarity_weight * similarity
    return losses | head.taxonomy_losses(
        head.video_guidance, clip.taxonomy, seen, samples, "video."
    )


def _class_norm(
    head: VideoQueryHead,
    matches: Sequence[ClipMatches],
    stages: StagePredictions,
) -> Tensor:
    """Return the sum of the class weights, ``(D * L,)``, a mean over L copies.

    All copies are one batch of the class loss, as in the released code.
    """
    num_stages, clips, queries = stages.class_logits.shape[:3]
    matched = sum((match.classes >= 0).sum(1) for match in matches)
    matched = matched.reshape(-1, head.frame_query_layers).mean(1, keepdims=True)
    matched = np.broadcast_to(matched, (len(matched), head.frame_query_layers))
    weight = head.criterion.no_object_weight
    norm = matched + weight * (clips * queries - matched)
    norm = torch.from_numpy(norm.reshape(num_stages).astype(np.float32))
    return norm.to(stages.class_logits.device, non_blocking=True)
