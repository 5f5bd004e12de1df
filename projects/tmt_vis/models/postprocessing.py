"""From the last prediction stage to scored tracks."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from tmt_vis.ops import mask_logits, output_masks
from tmt_vis.streaming import LinkedObject, WindowPrediction, WindowRequest
from tmt_vis.structures import ClipDataSample, TubeRLE, mask_switches

from .features import PixelFeatures

MaskLogits: TypeAlias = Callable[[slice], Tensor]
"""Mask logits of some frames, ``(k, F, h, w)``, at any resolution.

They span the padded network input. Computed when asked for, so that the masks of a long
video are never in memory at once.
"""


class MaskRefiner(Protocol):
    """Improves the masks of the kept tracks before they are encoded."""

    def __call__(self, logits: MaskLogits, pixels: PixelFeatures) -> MaskLogits:
        """Return the refined logits of the same tracks and frames."""


@dataclass(frozen=True)
class TrackDecoding:
    """How predictions become tracks.

    Args:
        max_per_video: tracks kept per video; a number, or a number per label space
            (10 for YouTube-VIS, 20 for OVIS, 100 for UVO; resolution A20).
        near_pooling: let a category take the best probability among itself and its
            ``near`` categories (A23). Only meaningful for zero-shot tests, where
            OVIS's "Vehical" could otherwise never be predicted.
        min_score: (track, category) pairs have to be likelier than this.

    Raises:
        ValueError: if ``min_score`` is out of range.
    """

    max_per_video: int | Mapping[str, int] = 10
    near_pooling: bool = False
    min_score: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_score < 1:
            raise ValueError(
                f"test_cfg.min_score must be in [0, 1), got {self.min_score}; IDOL "
                "uses 0.05, and 0 leaves it to max_per_video"
            )

    def limit(self, label_space: str | None) -> int:
        """Return the number of tracks kept for a video of this label space.

        Args:
            label_space: its name; None stands for categories given by name, which get
                the largest number.
        """
        if isinstance(self.max_per_video, int):
            return self.max_per_video
        if label_space is None:
            return max(self.max_per_video.values())
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


def choose_queries(
    slot_probs: Tensor, limit: int, *, several_categories: bool
) -> Tensor:
    """Choose the queries of one window whose masks are decoded.

    Args:
        slot_probs: ``(Q, slots)``.
        limit: objects, or (query, category) pairs, kept at most.
        several_categories: count pairs, as benchmarks do: a query that is kept with
            several categories takes the place of another.

    Returns:
        Query indices, ascending.
    """
    if several_categories:
        return rank_tracks(slot_probs, limit)[2].unique()
    best = slot_probs.amax(1)
    return best.topk(min(limit, len(best))).indices.sort().values


def query_mask_logits(mask_embeds: Tensor, mask_features: Tensor) -> MaskLogits:
    """Give the mask logits of some queries of one video.

    Args:
        mask_embeds: ``(k, C)``, or ``(T, k, C)`` where each frame has its own.
        mask_features: ``(T, C, H, W)``.
    """

    def logits(frames: slice) -> Tensor:
        features = mask_features[frames]
        if mask_embeds.dim() == 2:
            return mask_logits(mask_embeds[None], features[None])[0]
        by_frame = mask_logits(mask_embeds[frames], features.unsqueeze(1))
        return by_frame.squeeze(2).transpose(0, 1)

    return logits


class EncodedTubes(NamedTuple):
    """The masks of k tracks.

    Args:
        tubes: k tubes of T frames at the original size.
        quality: ``(k, 2)`` float64, per tube the sum of its foreground probabilities
            and the number of its pixels at the size of the network input; None unless
            asked for.
    """

    tubes: list[TubeRLE]
    quality: Tensor | None


@torch.no_grad()
def tubes_from_logits(
    logits: MaskLogits,
    sample: ClipDataSample,
    *,
    num_frames: int,
    quality: bool = False,
    nearest: bool = False,
) -> EncodedTubes:
    """Encode the masks of the kept tracks of one video, frame by frame.

    Memory is that of the masks of one frame, whatever the length of the video.

    Args:
        logits: of the tracks.
        sample: whose metainfo holds the sizes.
        num_frames: T.
        quality: also compute the sums of the mask quality.
        nearest: how masks are resized, see :func:`output_masks`.
    """
    options = dict(
        padded_size=sample.batch_input_shape,
        image_size=sample.img_shape,
        output_size=sample.ori_shape,
        nearest=nearest,
    )
    pixels = math.prod(sample.ori_shape)
    switches: list[list[np.ndarray]] = []
    sums = torch.zeros(0, 2, dtype=torch.float64)
    for number in range(num_frames):
        frame = logits(slice(number, number + 1)).squeeze(1)
        if number == 0:
            switches = [[np.zeros(0, np.int64)] for _ in frame]
            sums = sums.to(frame.device).new_zeros(len(frame), 2)
        # Resizing makes nothing positive, and most tracks are absent from most frames.
        shown = (frame > 0).flatten(1).any(1).nonzero().squeeze(1)
        masks, frame_sums = output_masks(frame[shown], quality=quality, **options)
        for row, mask in zip(shown.tolist(), _to_numpy(masks), strict=True):
            switches[row].append(mask_switches(mask, offset=number * pixels))
        if quality:
            sums[shown] += frame_sums.double()
    tubes = [
        TubeRLE.from_switches(
            np.concatenate(found), *sample.ori_shape, num_frames=num_frames
        )
        for found in switches
    ]
    return EncodedTubes(tubes, sums if quality else None)


def _to_numpy(masks: Tensor) -> np.ndarray:
    """Bring (k, H, W) to the CPU; column-major where that is cheap, on the GPU."""
    if masks.is_cpu:
        return masks.numpy()
    return masks.mT.contiguous().cpu().mT.numpy()


def encode_window(
    request: WindowRequest,
    logits: MaskLogits,
    *,
    slot_probs: Tensor,
    embeddings: Tensor,
    queries: Tensor | None = None,
    tracks: Tensor | None = None,
    taxonomy: InstanceData | None = None,
    quality: bool = False,
    nearest: bool = False,
    retracted: Sequence[int] = (),
) -> WindowPrediction:
    """Put together what a head says about the k objects it keeps of a window.

    Args:
        request: that is answered.
        logits: masks of the objects.
        slot_probs: ``(k, slots)``.
        embeddings: ``(k, C)``, how the objects look.
        queries: ``(k,)`` number of the query of each object.
        tracks: ``(k,)`` number of each object in the head's own tracking, the same in
            all windows; None leaves it to the linker which objects are the same.
        taxonomy: report of the compiled taxonomy.
        quality: multiply scores by the mask quality in the end (VITA, GenVIS).
        nearest: how masks are resized, see :func:`output_masks`.
        retracted: tracks of earlier windows that have turned out to be noise.
    """
    window = request.window
    tubes, qualities = tubes_from_logits(
        logits,
        request.sample,
        num_frames=window.num_frames,
        quality=quality,
        nearest=nearest,
    )
    compiled: tuple[tuple[int, float], ...] = ()
    if taxonomy is not None:
        pairs = taxonomy.union_ids.tolist(), taxonomy.scores.tolist()
        compiled = tuple(zip(*pairs, strict=True))
    return WindowPrediction(
        window=window,
        embeddings=embeddings.float().cpu().numpy(),
        slot_probs=slot_probs.float().cpu().numpy(),
        tubes=tuple(tubes),
        compiled=compiled,
        tracks=None if tracks is None else tuple(tracks.tolist()),
        queries=None if queries is None else tuple(queries.tolist()),
        retracted=tuple(retracted),
        quality=None if qualities is None else qualities.cpu().numpy(),
        taxonomy=taxonomy,
    )


def video_tracks(
    objects: Sequence[LinkedObject],
    limit: int,
    *,
    min_score: float = 0.0,
    queries: Sequence[int] | None = None,
) -> InstanceData:
    """Rank the (object, category) pairs of a video, as benchmarks do.

    Pairs are chosen by probability; where masks have a quality, the scores of those
    that are chosen are multiplied by it.

    Args:
        objects: of the video.
        limit: pairs kept at most.
        min_score: pairs have to be likelier than this; 0 keeps those of probability 0
            as well.
        queries: number of the query of each object; None numbers the objects.

    Returns:
        ``scores`` (k,), ``labels`` (k,) slots, ``queries`` (k,), ``track_ids`` (k,),
        the same for pairs of one object, and ``tubes``, a list of k :class:`TubeRLE`
        at the original size, best first.
    """
    if not objects:
        nothing = torch.zeros(0, dtype=torch.int64)
        scores = nothing.float()
        return InstanceData(
            scores=scores,
            labels=nothing,
            queries=nothing,
            track_ids=nothing,
            tubes=[],
        )
    probs = torch.from_numpy(np.stack([one.slot_probs for one in objects]))
    scores, slots, rows = rank_tracks(probs, limit)
    if min_score > 0:
        count = int((scores > min_score).sum())  # best first
        scores, slots, rows = (part[:count] for part in (scores, slots, rows))
    qualities = torch.tensor([one.quality for one in objects])
    scores, order = (scores * qualities[rows]).sort(descending=True, stable=True)
    slots, rows = slots[order], rows[order]
    numbers = rows if queries is None else torch.tensor(queries)[rows]
    tracks = InstanceData(scores=scores, labels=slots, queries=numbers)
    tracks.track_ids = torch.tensor([one.identity for one in objects])[rows]
    tracks.tubes = [objects[row].tube for row in rows.tolist()]
    return tracks


def joined_taxonomy(reports: Sequence[InstanceData]) -> InstanceData:
    """Report each category as in the window in which it was likeliest.

    Args:
        reports: of the windows, see :meth:`CompiledTaxonomy.report`.
    """
    if len(reports) == 1:
        return reports[0]
    best: dict[int, float] = {}
    for report in reports:
        pairs = zip(report.union_ids.tolist(), report.scores.tolist(), strict=True)
        for union_id, score in pairs:
            best[union_id] = max(score, best.get(union_id, 0.0))
    ids = sorted(best, key=lambda union_id: (-best[union_id], union_id))
    slots = {
        name: torch.stack([report.get(name) for report in reports])
        for name in ("slot_scores", "slot_ranks", "slot_compiled")
    }
    return InstanceData(
        union_ids=torch.tensor(ids, dtype=torch.int64),
        scores=torch.tensor([best[union_id] for union_id in ids]),
        metainfo=dict(
            slot_scores=slots["slot_scores"].amax(0),
            slot_ranks=slots["slot_ranks"].amin(0),
            slot_compiled=slots["slot_compiled"].any(0),
        ),
    )
