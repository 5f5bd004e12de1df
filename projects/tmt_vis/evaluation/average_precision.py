"""AP and AR of tracks: the YouTube-VIS protocol on numpy arrays.

Same numbers as the official evaluator (youtubevos/cocoapi, ``ytvoseval.py``), with
three deliberate differences:

* objects have no ids here, so an object with id 0, which the official code can never
  match, and ids reused in another video are ordinary objects;
* the area of an object is that of its masks; the official code trusts the ``areas`` of
  the file, and mmdet's port puts the box area there;
* what cannot be measured (no object of a class, no object of a size) is NaN, not -1.

Crowd regions follow the official code by default: plain IoU, never counted, may absorb
several predictions. ``crowd_by_prediction=True`` divides by the area of the prediction
instead, as COCO does for images.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .ap_table import APTable
from .matching import TubeMatches, match_tubes
from .tube_iou import tube_iou
from .video_tubes import GroundTruthTubes, PredictedTubes, mean_areas


@dataclass(frozen=True, eq=False)
class VISProtocol:
    """What is measured. The defaults are those of YouTube-VIS.

    Args:
        iou_thresholds: (I,) increasing.
        recall_points: (R,) increasing, in [0, 1].
        max_tracks: Increasing numbers of tracks kept per video and category.
        area_ranges: Name -> (least, greatest) mean area in pixels, both included;
            the first must hold everything.
        class_agnostic: Ignore categories (UVO, open world).
        crowd_by_prediction: Divide by the prediction's area on crowd regions.
    """

    iou_thresholds: np.ndarray = field(
        default_factory=lambda: np.linspace(0.5, 0.95, 10)
    )
    recall_points: np.ndarray = field(default_factory=lambda: np.linspace(0, 1, 101))
    max_tracks: tuple[int, ...] = (1, 10, 100)
    area_ranges: Mapping[str, tuple[float, float]] = field(
        default_factory=lambda: {
            "all": (0, 1e10),
            "s": (0, 128**2),
            "m": (128**2, 256**2),
            "l": (256**2, 1e10),
        }
    )
    class_agnostic: bool = False
    crowd_by_prediction: bool = False


def evaluate_tubes(
    ground_truth: Mapping[int, GroundTruthTubes],
    predictions: Mapping[int, PredictedTubes],
    *,
    num_slots: int,
    protocol: VISProtocol | None = None,
) -> APTable:
    """Compare predicted with annotated tracks.

    Args:
        ground_truth: Objects of every video of the dataset, by video id; videos
            without objects included (their predictions are wrong).
        predictions: Tracks by video id; a video that is not named has none.
        num_slots: Size of the label space.
        protocol: What to measure; None means YouTube-VIS.

    Returns:
        Precision and recall of each slot (of a single one if class agnostic).

    Raises:
        ValueError: If a prediction is of an unknown video or a slot is out of range.
    """
    protocol = protocol or VISProtocol()
    _check(ground_truth, predictions, num_slots)
    matches: dict[int, list[TubeMatches]] = {}
    counts = np.zeros((2, 1 if protocol.class_agnostic else num_slots), dtype=np.int64)
    for video_id in sorted(ground_truth):
        truth = ground_truth[video_id]
        found = predictions.get(video_id, PredictedTubes.none())
        for slot, objects, tracks in _by_slot(truth, found, protocol):
            counts[:, slot] += (~truth.is_crowd[objects]).sum(), len(tracks)
            outcome = _match_video(truth, objects, found, tracks, protocol)
            matches.setdefault(slot, []).append(outcome)
    precision, recall = _empty_tables(counts.shape[1], protocol)
    for slot, outcomes in matches.items():
        precision[slot], recall[slot] = _accumulate(outcomes, protocol)
    return APTable(
        precision=precision,
        recall=recall,
        num_objects=counts[0],
        num_tracks=counts[1],
        iou_thresholds=protocol.iou_thresholds,
        area_names=tuple(protocol.area_ranges),
        max_tracks=protocol.max_tracks,
    )


def _check(
    ground_truth: Mapping[int, GroundTruthTubes],
    predictions: Mapping[int, PredictedTubes],
    num_slots: int,
) -> None:
    unknown = sorted(set(predictions) - set(ground_truth))
    if unknown:
        raise ValueError(
            f"{len(unknown)} predicted videos are not in the ground truth, e.g. "
            f"{unknown[:5]}; results and annotation file belong to different datasets"
        )
    for video_id, video in [*ground_truth.items(), *predictions.items()]:
        if len(video) and not 0 <= video.slots.min() <= video.slots.max() < num_slots:
            raise ValueError(
                f"slots must be in [0, {num_slots}), got {video.slots.min()}.."
                f"{video.slots.max()} in video {video_id}"
            )


def _by_slot(
    truth: GroundTruthTubes, found: PredictedTubes, protocol: VISProtocol
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """List (slot, object indices, track indices) of one video, tracks by score."""
    if protocol.class_agnostic:
        # Ordered by slot first, because that is how the official code breaks ties.
        groups = [(0, np.argsort(truth.slots, kind="stable"))]
        tracks = [np.argsort(found.slots, kind="stable")]
    else:
        slots = np.union1d(truth.slots, found.slots).tolist()
        groups = [(slot, np.flatnonzero(truth.slots == slot)) for slot in slots]
        tracks = [np.flatnonzero(found.slots == slot) for slot in slots]
    result = []
    for (slot, objects), track in zip(groups, tracks, strict=True):
        order = np.argsort(-found.scores[track], kind="stable")
        result.append((slot, objects, track[order][: protocol.max_tracks[-1]]))
    return result


def _match_video(
    truth: GroundTruthTubes,
    objects: np.ndarray,
    found: PredictedTubes,
    tracks: np.ndarray,
    protocol: VISProtocol,
) -> TubeMatches:
    """Match the tracks of one category in one video with its objects."""
    object_tubes = [truth.tubes[i] for i in objects]
    track_tubes = [found.tubes[i] for i in tracks]
    is_crowd = truth.is_crowd[objects]
    iou = tube_iou(
        track_tubes,
        object_tubes,
        is_crowd=is_crowd if protocol.crowd_by_prediction else None,
    )
    ranges = np.array(list(protocol.area_ranges.values()), dtype=np.float64)
    counted = _in_ranges(mean_areas(object_tubes), ranges) & ~is_crowd
    matched, ignored = match_tubes(
        iou,
        counted=counted,
        is_crowd=is_crowd,
        thresholds=protocol.iou_thresholds,
    )
    outside = ~_in_ranges(mean_areas(track_tubes), ranges)
    return TubeMatches(
        scores=found.scores[tracks],
        matched=matched,
        ignored=ignored | (~matched & outside[:, None]),
        num_counted=counted.sum(axis=1),
    )


def _in_ranges(areas: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    """Return (A, N) bool: area n lies in range a, borders included."""
    return (areas >= ranges[:, :1]) & (areas <= ranges[:, 1:])


def _empty_tables(
    num_slots: int, protocol: VISProtocol
) -> tuple[np.ndarray, np.ndarray]:
    shape = (num_slots, len(protocol.area_ranges), len(protocol.iou_thresholds))
    precision = np.full((*shape, len(protocol.recall_points)), np.nan)
    return precision, np.full((*shape, len(protocol.max_tracks)), np.nan)


def _accumulate(
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
