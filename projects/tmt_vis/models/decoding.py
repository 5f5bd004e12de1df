"""From the last prediction stage to scored tracks."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from tmt_vis.ops import decode_masks
from tmt_vis.structures import ClipDataSample, TubeRLE, encode_tubes


@dataclass(frozen=True)
class TrackDecoding:
    """How predictions become tracks.

    Args:
        max_per_video: tracks kept per video; a number, or a number per label space
            (10 for YouTube-VIS, 20 for OVIS, 100 for UVO; resolution A20).
        near_pooling: let a category take the best probability among itself and its
            ``near`` categories (A23). Only meaningful for zero-shot tests, where
            OVIS's "Vehical" could otherwise never be predicted.
        frames_per_chunk: frames whose masks are decoded at a time.
    """

    max_per_video: int | Mapping[str, int] = 10
    near_pooling: bool = False
    frames_per_chunk: int = 8

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
    tubes = decode_tubes(embeds, mask_features, sample, decoding)
    tracks = InstanceData(scores=scores.cpu(), labels=slots.cpu())
    tracks.queries = queries.cpu()
    tracks.tubes = [tubes[i] for i in position.tolist()]
    return tracks


@torch.no_grad()
def decode_tubes(
    mask_embeds: Tensor,
    mask_features: Tensor,
    sample: ClipDataSample,
    decoding: TrackDecoding,
) -> list[TubeRLE]:
    """Decode the masks of some queries of one video.

    Args:
        mask_embeds: ``(k, C)``, or ``(T, k, C)`` where each frame has its own.
        mask_features: ``(T, C, H, W)``.
        sample: whose metainfo holds the sizes.
        decoding: gives the frames decoded at a time.

    Returns:
        k tubes of T frames at the original size.
    """
    per_frame = mask_embeds.dim() == 3
    pieces = (
        zip(mask_embeds, mask_features.split(1), strict=True)
        if per_frame
        else [(mask_embeds, mask_features)]
    )
    parts = [
        encode_tubes(chunk.cpu().numpy())
        for embeds, features in pieces
        for chunk in decode_masks(
            embeds,
            features,
            padded_size=sample.batch_input_shape,
            image_size=sample.img_shape,
            output_size=sample.ori_shape,
            frames_per_chunk=decoding.frames_per_chunk,
        )
    ]
    return [TubeRLE.concat(list(pieces)) for pieces in zip(*parts, strict=True)]
