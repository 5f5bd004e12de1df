"""Losses on embeddings of objects: the same object close, others apart."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor


class ObjectEmbeddings(NamedTuple):
    """Embeddings of one video, each of which belongs to one of its objects, or to none.

    Args:
        embeds: ``(L, E, C)``.
        identities: ``(L, E)`` int64, the object; -1 for an entry that does not count.
    """

    embeds: Tensor
    identities: Tensor


def matched_embeddings(
    frame_embeds: Tensor,
    frame_matches: Tensor,
    video_embeds: Tensor,
    video_matches: Tensor,
) -> ObjectEmbeddings:
    """Collect the embeddings of the queries that are matched to the objects of a video.

    Args:
        frame_embeds: ``(L, T, F, C)`` of the frame queries.
        frame_matches: ``(L, T, N)`` the frame query of each object, -1 = none, as where
            an object is absent from a frame.
        video_embeds: ``(L, Q, C)`` of the video queries.
        video_matches: ``(L, N)`` the video query of each object, -1 = none.

    Returns:
        ``E = (T + 1) * N`` embeddings.
    """
    matches = torch.cat([frame_matches.flatten(1), video_matches], 1)
    frames = _chosen(frame_embeds, frame_matches).flatten(1, 2)
    videos = _chosen(video_embeds, video_matches)
    objects = torch.arange(video_matches.shape[-1], device=matches.device)
    identities = objects.repeat(frame_matches.shape[1] + 1).expand_as(matches)
    identities = torch.where(matches >= 0, identities, -1)
    return ObjectEmbeddings(torch.cat([frames, videos], 1), identities)


def _chosen(embeds: Tensor, matches: Tensor) -> Tensor:
    index = matches.clamp(min=0).unsqueeze(-1).expand(*matches.shape, embeds.shape[-1])
    return embeds.gather(-2, index)


def similarity_loss(videos: Sequence[ObjectEmbeddings]) -> Tensor:
    """Compare all pairs of embeddings of a video by their dot product (VITA, Eq. 6).

    The mean binary cross-entropy over all pairs of all videos and layers: 1 for two
    embeddings of one object, an embedding and itself included, 0 for two objects. Pairs
    of different videos or layers are not compared.

    Args:
        videos: the embeddings of each video.

    Returns:
        A scalar; 0 if no embedding counts.
    """
    total, count = 0, 0
    for embeds, identities in videos:
        embeds = embeds.float()
        counts = identities >= 0
        pairs = counts.unsqueeze(1) & counts.unsqueeze(2)
        same = (identities.unsqueeze(1) == identities.unsqueeze(2)).float()
        logits = embeds @ embeds.transpose(1, 2)
        loss = F.binary_cross_entropy_with_logits(logits, same, reduction="none")
        total = total + torch.where(pairs, loss, 0).sum()
        count = count + pairs.sum()
    count = count.float()
    all_reduce(count, op="mean")
    return total / count.clamp(min=1)


def contrastive_losses(
    queries: Tensor,
    embeds: Tensor,
    positives: Tensor,
    negatives: Tensor,
    compared: Tensor,
) -> tuple[Tensor, Tensor]:
    """Pull an object to its queries in another frame, and away from all others (IDOL).

    ``log(1 + sum_p sum_n exp(v.n - v.p))`` over positives p and negatives n of an
    object with embedding v (Eq. 2 of arXiv:2207.10661), which is the softplus of two
    logarithms of sums; and the mean squared distance of ``cos(v, k)`` to 1 for
    positives, to 0 for negatives.

    Args:
        queries: ``(N, C)`` of the objects, in the key frame.
        embeds: ``(Q, C)`` of all queries of the reference frame.
        positives: ``(N, Q)`` bool, the queries of each object there.
        negatives: ``(N, Q)`` bool, queries that are not near it.
        compared: ``(N, Q)`` bool, the negatives whose cosine counts.

    Returns:
        Both losses of each object, ``(N,)``; 0 without positives or negatives.
    """
    queries, embeds = queries.float(), embeds.float()
    dots = queries @ embeds.T
    none = torch.finfo(dots.dtype).min / 4  # sums of two stay finite
    away = dots.masked_fill(~negatives, none).logsumexp(1)
    near = (-dots).masked_fill(~positives, none).logsumexp(1)
    cosines = F.normalize(queries, dim=1) @ F.normalize(embeds, dim=1).T
    counted = positives | compared
    squares = (cosines - positives.float()).square()
    squares = torch.where(counted, squares, 0).sum(1)
    return F.softplus(away + near), squares / counted.sum(1).clamp(min=1)
