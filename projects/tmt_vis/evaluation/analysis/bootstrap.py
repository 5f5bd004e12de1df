"""AP of many resamples of the videos, without matching any of them again."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..matching import TubeMatches
from ..protocol import VISProtocol

# Numbers in memory at a time, per array: 4 million float64 are 32 MB.
_CHUNK = 4_000_000


def draw_videos(num_videos: int, num_samples: int, *, seed: int) -> np.ndarray:
    """Draw videos with replacement.

    Args:
        num_videos: V.
        num_samples: B.
        seed: Of the draws.

    Returns:
        (B, V) int64, how often each video is in each sample; rows sum to V.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(num_videos, np.full(num_videos, 1 / num_videos), num_samples)


def resampled_class_ap(
    matches: Mapping[int, Mapping[int, TubeMatches]],
    weights: np.ndarray,
    *,
    video_ids: Sequence[int],
    num_slots: int,
    protocol: VISProtocol,
) -> np.ndarray:
    """Compute the AP of every category as if videos were there several times or not.

    A weight is a number of copies: weights of 1 give the AP of ``evaluate_tubes``.

    Args:
        matches: From ``match_videos``; its first group of objects must be all.
        weights: (B, V) integers >= 0.
        video_ids: V ids, the columns of ``weights``.
        num_slots: K.
        protocol: That of the matches.

    Returns:
        (B, K) float64, NaN where a resample has no object of a category.
    """
    column = {video_id: i for i, video_id in enumerate(video_ids)}
    result = np.full((len(weights), num_slots), np.nan)
    for slot, outcomes in matches.items():
        columns = np.array([column[video_id] for video_id in outcomes])
        own = weights[:, columns]  # (B, videos of this category)
        counted = np.array([o.num_counted[0] for o in outcomes.values()])
        total = np.where(own @ counted > 0, own @ counted, np.nan)
        result[:, slot] = _class_ap(list(outcomes.values()), own, total, protocol)
    return result


def _class_ap(
    outcomes: Sequence[TubeMatches],
    weights: np.ndarray,
    total: np.ndarray,
    protocol: VISProtocol,
) -> np.ndarray:
    """Average the AP of one category over the IoU thresholds: (B,)."""
    scores = np.concatenate([outcome.scores for outcome in outcomes])
    order = np.argsort(-scores, kind="stable")
    video = np.repeat(np.arange(len(outcomes)), [len(o.scores) for o in outcomes])
    matched = np.concatenate([o.matched[0] for o in outcomes], axis=1)[:, order]
    ignored = np.concatenate([o.ignored[0] for o in outcomes], axis=1)[:, order]
    right, wrong = matched & ~ignored, ~matched & ~ignored
    step = max(1, _CHUNK // max(1, len(scores)))
    parts = []
    for start in range(0, len(weights), step):
        part = slice(start, start + step)
        copies = weights[part][:, video[order]]  # (b, D)
        aps = [
            _threshold_ap(copies, right[i], wrong[i], total[part], protocol)
            for i in range(len(protocol.iou_thresholds))
        ]
        parts.append(np.mean(aps, axis=0))
    return np.concatenate(parts)


def _threshold_ap(
    copies: np.ndarray,
    right: np.ndarray,
    wrong: np.ndarray,
    total: np.ndarray,
    protocol: VISProtocol,
) -> np.ndarray:
    """Compute AP at one threshold: (b,), from (b, D) copies of D tracks by score.

    Precision is greatest right after a right track, so the other places are skipped.
    """
    if not right.any():
        return np.where(np.isnan(total), np.nan, 0.0)
    at = np.flatnonzero(right)
    misses = np.cumsum(copies * wrong, axis=1)[:, at]
    hits = np.cumsum(copies[:, at], axis=1)
    precision = hits / np.maximum(hits + misses, 1)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    points = protocol.recall_points
    recall = hits / total[:, None]
    # How many recall points are reached at each place that were not reached before.
    reached = np.searchsorted(points, recall.ravel(), side="right")
    new = np.diff(reached.reshape(recall.shape), axis=1, prepend=0)
    ap = (envelope * new).sum(axis=1) / len(points)
    return np.where(np.isnan(total), np.nan, ap)
