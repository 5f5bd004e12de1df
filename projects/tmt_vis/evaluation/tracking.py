"""HOTA, CLEAR MOT and identity metrics, computed by the package TrackEval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .result_stream import Progress
from .video_tubes import GroundTruthTubes, PredictedTubes

# Metric of TrackEval -> its fields that are reported. Those of HOTA are averaged over
# 19 thresholds of the mask IoU; the others use 0.5.
FIELDS = {
    "HOTA": ("HOTA", "DetA", "AssA", "LocA", "DetRe", "DetPr", "AssRe", "AssPr"),
    "CLEAR": ("MOTA", "MOTP", "IDSW"),
    "Identity": ("IDF1", "IDR", "IDP"),
}
COUNTS = {"IDSW"}
# What is reported in one line.
SHOWN = ("HOTA", "DetA", "AssA", "LocA", "MOTA", "IDSW", "IDF1")


@dataclass(frozen=True)
class TrackingTable:
    """Tracking metrics as fractions (IDSW: a number), NaN where there is no object.

    Args:
        class_averaged: Mean over the categories that have objects.
        detection_averaged: All detections together, those of categories without
            objects included.
        per_class: One entry per category, in slot order.
    """

    class_averaged: Mapping[str, float]
    detection_averaged: Mapping[str, float]
    per_class: Sequence[Mapping[str, float]]


def evaluate_tracking(
    ground_truth: Mapping[int, GroundTruthTubes],
    predictions: Mapping[int, PredictedTubes],
    *,
    names: Sequence[str],
    min_score: float = 0.0,
    progress: Progress | None = None,
) -> TrackingTable:
    """Compare predicted with annotated tracks, frame by frame and over time.

    Args:
        ground_truth: Objects of every video of the dataset, by video id.
        predictions: Tracks by video id; a video that is not named has none.
        names: K category names in slot order; a single one evaluates class-agnostic.
        min_score: Tracks with a lower score are left out. Unlike AP these metrics do
            not rank: every track that is kept counts as an output.
        progress: Called with videos done and videos in all.

    Raises:
        ImportError: If TrackEval is not installed.
    """
    metrics, dataset_type = require_trackeval()
    dataset = dataset_type(ground_truth, predictions, names=names, min_score=min_score)
    by_class: dict[str, dict[str, dict[str, Any]]] = {}
    for number, seq in enumerate(dataset.seq_list, start=1):
        # TrackEval's own loop keeps an entry for every class in every video: with the
        # 1,196 categories of LV-VIS, gigabytes of zeros.
        classes = dataset.classes_of(seq)
        raw = dataset.get_raw_seq_data(dataset.tracker_list[0], seq) if classes else {}
        for name in classes:
            data = dataset.get_preprocessed_seq_data(raw, name)
            by_class.setdefault(name, {})[seq] = {
                metric.get_name(): metric.eval_sequence(data) for metric in metrics
            }
        if progress is not None:
            progress(number, len(dataset.seq_list))
    return _table(by_class, metrics, names)


def require_trackeval() -> tuple[list[Any], Any]:
    """Import TrackEval: optional, because few need it and it wants a recent NumPy.

    Returns:
        Its metrics, and the type of data set that they read.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        from trackeval.metrics import CLEAR, HOTA, Identity

        from .tracking_dataset import TubeTrackingDataset
    except ImportError as error:
        raise ImportError(
            f"HOTA needs the package trackeval ({error}); install it with "
            "'pip install trackeval>=1.3.0' or 'pip install tmt-vis[tracking]'"
        ) from error
    silent = {"THRESHOLD": 0.5, "PRINT_CONFIG": False}
    return [HOTA(), CLEAR(dict(silent)), Identity(dict(silent))], TubeTrackingDataset


def _table(
    by_class: Mapping[str, Mapping[str, Mapping[str, Any]]],
    metrics: Sequence[Any],
    names: Sequence[str],
) -> TrackingTable:
    averaged: dict[str, float] = {}
    together: dict[str, float] = {}
    per_class: list[dict[str, float]] = [{} for _ in names]
    for metric in metrics:
        kind = metric.get_name()
        combined = {
            name: metric.combine_sequences({k: row[kind] for k, row in seqs.items()})
            for name, seqs in by_class.items()
        }
        measured = {k: v for k, v in combined.items() if _has_objects(v)}
        unknown = dict.fromkeys(FIELDS[kind], float("nan"))
        averaged |= unknown
        together |= unknown
        if measured:
            averaged |= _fields(kind, metric.combine_classes_class_averaged(measured))
            together |= _fields(kind, metric.combine_classes_det_averaged(combined))
        for row, name in zip(per_class, names, strict=True):
            row |= _fields(kind, measured[name]) if name in measured else unknown
    return TrackingTable(averaged, together, per_class)


def _has_objects(row: Mapping[str, Any]) -> bool:
    """Say whether a class has an annotated detection, in the counts of any metric."""
    counts = ("HOTA_TP", "HOTA_FN"), ("CLR_TP", "CLR_FN"), ("IDTP", "IDFN")
    return any(np.sum(row[k]) > 0 for pair in counts for k in pair if k in row)


def _fields(kind: str, row: Mapping[str, Any]) -> dict[str, float]:
    numbers = {name: float(np.mean(row[name])) for name in FIELDS[kind]}
    return {k: int(v) if k in COUNTS else v for k, v in numbers.items()}
