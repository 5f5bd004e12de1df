"""What the tools of tools/analysis read and write."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tmt_vis.files import replacing
from tmt_vis.taxonomy import LabelSpace

from ..ground_truth import AnnotationFile, load_annotations
from ..results_io import read_results
from ..video_tubes import PredictedTubes


def read_runs(
    annotation_file: str, result_files: Sequence[str], *, label_space: str | None
) -> tuple[AnnotationFile, list[dict[int, PredictedTubes]]]:
    """Read an annotation file and the results of some runs on its videos.

    Args:
        annotation_file: With ground truth.
        result_files: In the official format, JSON or zip.
        label_space: Bundled name or file; None means the categories of the file.

    Returns:
        The annotations, and the tracks of each run by video id.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged or does not fit, or there is no ground truth.
    """
    space = LabelSpace.load(label_space) if label_space else None
    annotations = load_annotations(annotation_file, label_space=space)
    if annotations.ground_truth is None:
        raise ValueError(
            f"{annotation_file} holds no annotations, so there is nothing to compare "
            "the results with"
        )
    runs = [read_results(f, annotations) for f in result_files]
    return annotations, [annotations.counted(run) for run in runs]


def write_report(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write plain data as JSON, NaN as null; the file is complete or not there."""
    with replacing(path) as draft:
        text = json.dumps(_without_nan(content), indent=2)
        draft.write_text(text + "\n", encoding="utf-8")


def _without_nan(value: Any) -> Any:
    """Replace NaN by None at any depth, because JSON has no NaN."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
