"""Precision and recall of one category, from its matches in all videos."""

import numpy as np

from .matching import TubeMatches
from .protocol import VISProtocol


def empty_tables(
    num_slots: int, num_groups: int, protocol: VISProtocol
) -> tuple[np.ndarray, np.ndarray]:
    """Return (K, A, I, R) precision and (K, A, I, M) recall, all NaN."""
    shape = (num_slots, num_groups, len(protocol.iou_thresholds))
    precision = np.full((*shape, len(protocol.recall_points)), np.nan)
    return precision, np.full((*shape, len(protocol.max_tracks)), np.nan)


def accumulate(
    outcomes: list[TubeMatches], protocol: VISProtocol
) -> tuple[np.ndarray, np.ndarray]:
    """Turn the outcomes of all videos into one category's precision and recall.

    Returns:
        precision: (A, I, R), at the largest number of tracks.
        recall: (A, I, M).
    """
    scores = np.concatenate([outcome.scores for outcome in outcomes])
    rank = np.concatenate([np.arange(len(outcome.scores)) for outcome in outcomes])
    order = np.argsort(-scores, kind="stable")
    matched = np.concatenate([outcome.matched for outcome in outcomes], axis=2)
    ignored = np.concatenate([outcome.ignored for outcome in outcomes], axis=2)
    right = (matched & ~ignored)[..., order]
    wrong = (~matched & ~ignored)[..., order]
    num_counted = sum(outcome.num_counted for outcome in outcomes)
    total = np.where(num_counted > 0, num_counted, np.nan)[:, None]
    recall = np.stack(
        [
            right[..., rank[order] < most].sum(axis=-1) / total
            for most in protocol.max_tracks
        ],
        axis=-1,
    )
    hits, misses = np.cumsum(right, axis=-1), np.cumsum(wrong, axis=-1)
    precision = _interpolate(hits, misses, total, protocol.recall_points)
    return precision, recall


def _interpolate(
    hits: np.ndarray, misses: np.ndarray, total: np.ndarray, recall_points: np.ndarray
) -> np.ndarray:
    """Read the monotone precision envelope at fixed recall points.

    Args:
        hits: (A, I, D) right tracks among the first d.
        misses: (A, I, D) wrong ones.
        total: (A, 1) objects to find, NaN where there are none.
        recall_points: (R,).

    Returns:
        (A, I, R); 0 beyond the greatest recall, NaN without objects.
    """
    # The official code adds 2e-16 here; then a perfect result scores 1 - 2e-16.
    precision = hits / np.maximum(hits + misses, 1)
    envelope = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    table = np.zeros((*hits.shape[:2], len(recall_points)))
    for index in np.ndindex(*hits.shape[:2]):
        recall = hits[index] / total[index[0]]
        at = np.searchsorted(recall, recall_points, side="left")
        inside = at < len(recall)
        table[index][inside] = envelope[index][at[inside]]
    return np.where(np.isnan(total)[..., None], np.nan, table)
