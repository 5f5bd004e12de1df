"""From the last prediction stage to scored tracks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from tmt_vis.ops import decode_masks
from tmt_vis.structures import ClipDataSample, TubeRLE, mask_switches


@dataclass(frozen=True)
class TrackDecoding:
    """How predictions become tracks.

    Args:
        max_per_video: tracks kept per video; a number, or a number per label space
            (10 for YouTube-VIS, 20 for OVIS, 100 for UVO; resolution A20).
        near_pooling: let a category take the best probability among itself and its
            ``near`` categories (A23). Only meaningful for zero-shot tests, where
            OVIS's "Vehical" could otherwise never be predicted.
    """

    max_per_video: int | Mapping[str, int] = 10
    near_pooling: bool = False

    def limit(self, label_space: str) -> int:
        """Return the number of tracks kept for a video of this label space."""
        if isinstance(self.max_per_video, int):
            return self.max_per_video
        if label_space not in self.max_per_video:
            raise KeyError(
                f"test_cfg.max_per_video has no entry for label space {label_space!r}, "
                f"only {sorted(self.max_per_video)}; add one or give a single number"
            )
        return self.max_per_video[label_space]


def rank_tracks(slot_probs: Tensor, limit: int) -> tuple[Tensor, Tensor, Tensor]:
    """Keep the best (query, category) pairs of one video.

    Args:
        slot_probs: ``(Q, slots)`` probabilities in the evaluated label space.
        limit: pairs kept at most.

    Returns:
        Scores, slots and query indices, ``(k,)`` each, best first.
    """
    count = min(limit, slot_probs.numel())
    scores, flat = slot_probs.flatten().topk(count)
    num_slots = slot_probs.shape[1]
    return scores, flat % num_slots, flat // num_slots


@torch.no_grad()
def decode_tracks(
    slot_probs: Tensor,
    mask_embeds: Tensor,
    mask_features: Tensor,
    sample: ClipDataSample,
    decoding: TrackDecoding,
) -> InstanceData:
    """Build the tracks of one video.

    A query that is kept with several categories is decoded once.

    Args:
        slot_probs: ``(Q, slots)``.
        mask_embeds: ``(Q, C)``, or ``(T, Q, C)`` where each frame has its own.
        mask_features: ``(T, C, H, W)``.
        sample: whose metainfo holds the sizes.
        decoding: what is kept.

    Returns:
        ``scores`` (k,), ``labels`` (k,) slots, ``queries`` (k,), and ``tubes``, a list
        of k :class:`TubeRLE` at the original size.
    """
    limit = decoding.limit(sample.label_space)
    scores, slots, queries = rank_tracks(slot_probs, limit)
    unique, position = queries.unique(return_inverse=True)
    embeds = mask_embeds[..., unique, :]
    tubes = decode_tubes(embeds, mask_features, sample)
    tracks = InstanceData(scores=scores.cpu(), labels=slots.cpu())
    tracks.queries = queries.cpu()
    tracks.tubes = [tubes[i] for i in position.tolist()]
    return tracks


@torch.no_grad()
def decode_tubes(
    mask_embeds: Tensor, mask_features: Tensor, sample: ClipDataSample
) -> list[TubeRLE]:
    """Decode the masks of some queries of one video.

    Args:
        mask_embeds: ``(k, C)``, or ``(T, k, C)`` where each frame has its own.
        mask_features: ``(T, C, H, W)``.
        sample: whose metainfo holds the sizes.

    Returns:
        k tubes of T frames at the original size.
    """
    frames = decode_masks(
        mask_embeds,
        mask_features,
        padded_size=sample.batch_input_shape,
        image_size=sample.img_shape,
        output_size=sample.ori_shape,
    )
    switches: list[list[np.ndarray]] = [[] for _ in range(mask_embeds.shape[-2])]
    pixels = math.prod(sample.ori_shape)
    for number, masks in enumerate(frames):
        for mask, found in zip(_to_numpy(masks), switches, strict=True):
            found.append(mask_switches(mask, offset=number * pixels))
    return [
        TubeRLE.from_switches(
            np.concatenate(found), *sample.ori_shape, num_frames=len(mask_features)
        )
        for found in switches
    ]


def _to_numpy(masks: Tensor) -> np.ndarray:
    """Bring (k, H, W) to the CPU; column-major where that is cheap, on the GPU."""
    if masks.is_cpu:
        return masks.numpy()
    return masks.mT.contiguous().cpu().mT.numpy()
