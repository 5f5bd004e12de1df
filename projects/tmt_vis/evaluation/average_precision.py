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

Objects with an occlusion (OVIS) also get an AP per occlusion group, as the official
evaluator of OVIS computes it. Videos of federated data sets may name categories of
which not every object is annotated: see ``GroundTruthTubes.ignored_slots``.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tmt_vis.structures import TubeRLE, tube_iou

from .ap_table import APTable
from .boundary import boundary_tube_iou
from .matching import TubeMatches, match_tubes
from .object_groups import ObjectGroup, has_size, is_member, object_groups
from .precision_recall import accumulate, empty_tables
from .protocol import VISProtocol
from .result_stream import Progress
from .video_tubes import GroundTruthTubes, PredictedTubes


def evaluate_tubes(
    ground_truth: Mapping[int, GroundTruthTubes],
    predictions: Mapping[int, PredictedTubes],
    *,
    num_slots: int,
    protocol: VISProtocol | None = None,
    progress: Progress | None = None,
) -> APTable:
    """Compare predicted with annotated tracks.

    Args:
        ground_truth: Objects of every video of the dataset, by video id; videos
            without objects included (their predictions are wrong).
        predictions: Tracks by video id; a video that is not named has none.
        num_slots: Size of the label space.
        protocol: What to measure; None means YouTube-VIS.
        progress: Called with videos done and videos in all.

    Returns:
        Precision and recall of each slot (of a single one if class agnostic).

    Raises:
        ValueError: If a prediction is of an unknown video or a slot is out of range.
    """
    protocol = protocol or VISProtocol()
    groups = _groups(ground_truth, protocol)
    matches = match_videos(
        ground_truth,
        predictions,
        num_slots=num_slots,
        protocol=protocol,
        progress=progress,
    )
    counts = np.zeros((2, 1 if protocol.class_agnostic else num_slots), dtype=np.int64)
    for slot, outcomes in matches.items():
        counts[:, slot] = (
            sum(outcome.num_objects for outcome in outcomes.values()),
            sum(len(outcome.scores) for outcome in outcomes.values()),
        )
    precision, recall = empty_tables(counts.shape[1], len(groups), protocol)
    for slot, outcomes in matches.items():
        precision[slot], recall[slot] = accumulate(list(outcomes.values()), protocol)
    return APTable(
        precision=precision,
        recall=recall,
        num_objects=counts[0],
        num_tracks=counts[1],
        iou_thresholds=protocol.iou_thresholds,
        groups=tuple(group.name for group in groups),
        max_tracks=protocol.max_tracks,
    )


def match_videos(
    ground_truth: Mapping[int, GroundTruthTubes],
    predictions: Mapping[int, PredictedTubes],
    *,
    num_slots: int,
    protocol: VISProtocol | None = None,
    progress: Progress | None = None,
) -> dict[int, dict[int, TubeMatches]]:
    """Match tracks with objects, video by video: what is slow about an evaluation.

    Args:
        ground_truth: As for :func:`evaluate_tubes`.
        predictions: As for :func:`evaluate_tubes`.
        num_slots: Size of the label space.
        protocol: What to measure; None means YouTube-VIS.
        progress: Called with videos done and videos in all.

    Returns:
        Slot -> video id, increasing -> outcome, where there is an object or a track.

    Raises:
        ValueError: If a prediction is of an unknown video or a slot is out of range.
    """
    protocol = protocol or VISProtocol()
    _check(ground_truth, predictions, num_slots)
    groups = _groups(ground_truth, protocol)
    matches: dict[int, dict[int, TubeMatches]] = {}
    for number, video_id in enumerate(sorted(ground_truth), start=1):
        truth = ground_truth[video_id]
        found = predictions.get(video_id, PredictedTubes.none())
        for slot, objects, tracks in _by_slot(truth, found, protocol):
            outcome = _match_video(truth, objects, found, tracks, protocol, groups)
            matches.setdefault(slot, {})[video_id] = outcome
        if progress is not None:
            progress(number, len(ground_truth))
    return matches


def _groups(
    ground_truth: Mapping[int, GroundTruthTubes], protocol: VISProtocol
) -> tuple[ObjectGroup, ...]:
    """Leave the occlusion groups out if the file knows nothing about occlusion."""
    known = any(video.occlusion is not None for video in ground_truth.values())
    occlusion_ranges = protocol.occlusion_ranges if known else {}
    return object_groups(protocol.area_ranges, occlusion_ranges)


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
    groups: Sequence[ObjectGroup],
) -> TubeMatches:
    """Match the tracks of one category in one video with its objects."""
    object_tubes = [truth.tubes[i] for i in objects]
    track_tubes = [found.tubes[i] for i in tracks]
    is_crowd = truth.is_crowd[objects]
    counted = _members(truth, objects, groups) & ~is_crowd
    matched, ignored = match_tubes(
        _iou(track_tubes, object_tubes, is_crowd, protocol),
        counted=counted,
        is_crowd=is_crowd,
        thresholds=protocol.iou_thresholds,
    )
    outside = ~has_size(groups, found.areas[tracks])
    unknown = np.isin(found.slots[tracks], sorted(truth.ignored_slots))
    return TubeMatches(
        scores=found.scores[tracks],
        matched=matched,
        ignored=ignored | (~matched & (outside | unknown)[:, None]),
        num_counted=counted.sum(axis=1),
        num_objects=int((~is_crowd).sum()),
    )


def _members(
    truth: GroundTruthTubes,
    objects: np.ndarray,
    groups: Sequence[ObjectGroup],
) -> np.ndarray:
    """Return (A, N) bool: which of some objects belong to which group."""
    unknown = np.full(len(truth), np.nan)
    occlusion = unknown if truth.occlusion is None else truth.occlusion
    return is_member(groups, truth.areas[objects], occlusion[objects])


def _iou(
    tracks: Sequence[TubeRLE],
    objects: Sequence[TubeRLE],
    is_crowd: np.ndarray,
    protocol: VISProtocol,
) -> np.ndarray:
    """Return (D, G) IoU as the protocol wants it, exact from its least threshold on."""
    crowd = is_crowd if protocol.crowd_by_prediction else None
    iou = tube_iou(tracks, objects, is_crowd=crowd)
    if not protocol.boundary:
        return iou
    return boundary_tube_iou(
        tracks,
        objects,
        mask_iou=iou,
        is_crowd=is_crowd,
        dilation_ratio=protocol.dilation_ratio,
        at_least=float(protocol.iou_thresholds.min()),
    )
