"""Evaluate a result file in the official format against its annotation file.

    python tools/evaluate.py --ann valid.json --results results.json --per-class
    python tools/evaluate.py --ann ytvis_hq-test.json --results results.zip --boundary
    python tools/evaluate.py --ann train.json --results r.json --dataset ovis --hota

The result file is the JSON list that YouTube-VIS, OVIS and UVO define, or a zip with
``results.json`` inside; it may come from any model. What the numbers mean:
docs/evaluation.md.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from tmt_vis.command_line import ToolParser, real, tool
from tmt_vis.evaluation import (
    AnnotationFile,
    APTable,
    PredictedTubes,
    TrackingTable,
    VISProtocol,
    class_rows,
    evaluate_tracking,
    evaluate_tubes,
    format_classes,
    format_summary,
    load_annotations,
    partition_ap,
    read_results,
    without_nan,
)
from tmt_vis.evaluation.result_stream import Progress
from tmt_vis.evaluation.tracking import SHOWN
from tmt_vis.taxonomy import LabelSpace


@dataclass(frozen=True)
class Outcome:
    """What was measured.

    Args:
        names: Category names in slot order, one name if they are ignored.
        table: AP and AR of masks.
        partitions: AP of parts of the label space, if it has any (LV-VIS).
        boundary: AP and AR of boundaries, if asked for.
        tracking: HOTA and others, if asked for.
    """

    names: Sequence[str]
    table: APTable
    partitions: Mapping[str, float]
    boundary: APTable | None
    tracking: TrackingTable | None


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument("--ann", required=True, metavar="FILE", help="annotation file")
    parser.add_argument(
        "--results", required=True, metavar="FILE", help="result file, JSON or zip"
    )
    parser.add_argument(
        "--dataset",
        "--label-space",
        metavar="NAME",
        help="bundled data set (ytvis19, ytvis21, ovis, uvo, ...) or a label-space "
        "file; its order and names are used and the annotation file's categories must "
        "match. Default: the categories of the annotation file",
    )
    parser.add_argument(
        "--segmentation-key",
        default="segmentations",
        metavar="KEY",
        help="which list of masks of the annotation file is the ground truth; the "
        "training file of HQ-YTVIS also has segmentations_refined. "
        "Default: segmentations",
    )
    parser.add_argument(
        "--annotated-frames-only",
        action="store_true",
        help="leave out frames in which no object has a mask (sparse annotations); the "
        "result file lists all frames or the others",
    )
    _add_metrics(parser)
    args = parser.parse_args(argv)
    if args.min_score is not None and not args.hota:
        parser.error("--min-score needs --hota: AP ranks all tracks by their score")
    return args


def _add_metrics(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--per-class", action="store_true", help="AP of each category")
    parser.add_argument(
        "--class-agnostic", action="store_true", help="ignore categories"
    )
    parser.add_argument(
        "--boundary", action="store_true", help="also Tube-Boundary AP (HQ-YTVIS)"
    )
    parser.add_argument(
        "--hota",
        action="store_true",
        help="also HOTA, MOTA and IDF1 (needs the package trackeval)",
    )
    parser.add_argument(
        "--min-score",
        type=real(at_least=0, at_most=1),
        metavar="S",
        help="leave tracks with a lower score out of HOTA, MOTA and IDF1, which do not "
        "rank: each track counts. Default: 0",
    )
    parser.add_argument(
        "--json", action="store_true", help="print fractions as JSON (null: no objects)"
    )


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate and print."""
    args = parse_args(argv)
    space = LabelSpace.load(args.dataset) if args.dataset else None
    annotations = load_annotations(
        args.ann,
        label_space=space,
        segmentation_key=args.segmentation_key,
        annotated_frames_only=args.annotated_frames_only,
    )
    if annotations.ground_truth is None:
        message = "holds no annotations: only its evaluation server can compute AP"
        raise ValueError(f"{args.ann} {message}")
    with _bar("reading", "B") as progress:
        found = read_results(args.results, annotations, progress=progress)
    predictions = annotations.counted(found)
    outcome = evaluate(args, annotations, predictions)
    if not predictions:
        print(f"warning: {args.results} holds no track", file=sys.stderr)
    counts = {
        "num_videos": len(annotations.videos),
        "num_videos_with_tracks": len(predictions),
    }
    show = print_json if args.json else print_text
    show(outcome, counts, per_class=args.per_class)


def evaluate(
    args: argparse.Namespace,
    annotations: AnnotationFile,
    predictions: Mapping[int, PredictedTubes],
) -> Outcome:
    """Measure what the command line asks for."""
    agnostic = args.class_agnostic
    names = ["any category"] if agnostic else annotations.label_space.names
    truth = annotations.ground_truth
    tracking = None
    if args.hota:  # first, because its package may be missing
        score = args.min_score or 0.0
        with _bar("tracking", " videos") as progress:
            tracking = evaluate_tracking(
                truth, predictions, names=names, min_score=score, progress=progress
            )
    tables = []
    for boundary in (False, True) if args.boundary else (False,):
        with _bar("boundaries" if boundary else "masks", " videos") as progress:
            table = evaluate_tubes(
                truth,
                predictions,
                num_slots=len(annotations.label_space),
                protocol=VISProtocol(class_agnostic=agnostic, boundary=boundary),
                progress=progress,
            )
        tables.append(table)
    partitions = {} if agnostic else partition_ap(tables[0], annotations.label_space)
    boundaries = tables[1] if args.boundary else None
    return Outcome(names, tables[0], partitions, boundaries, tracking)


def print_json(outcome: Outcome, counts: Mapping[str, int], *, per_class: bool) -> None:
    """Print one JSON object."""
    summary = {**outcome.table.summary(), **outcome.partitions}
    report: dict[str, Any] = {"summary": without_nan(summary), **counts}
    if outcome.boundary is not None:
        report["boundary"] = without_nan(outcome.boundary.summary())
    if outcome.tracking is not None:
        report["tracking"] = {
            "class_averaged": without_nan(outcome.tracking.class_averaged),
            "detection_averaged": without_nan(outcome.tracking.detection_averaged),
        }
    if per_class:
        report["categories"] = [without_nan(row) for row in _rows(outcome)]
    print(json.dumps(report, indent=2))


def print_text(outcome: Outcome, counts: Mapping[str, int], *, per_class: bool) -> None:
    """Print tables in percent."""
    if per_class:
        print(format_classes(_rows(outcome)))
    print("{num_videos} videos, {num_videos_with_tracks} with tracks".format(**counts))
    lines = {"masks": {**outcome.table.summary(), **outcome.partitions}}
    if outcome.boundary is not None:
        lines["boundaries"] = outcome.boundary.summary()
    if outcome.tracking is not None:
        for title, numbers in (
            ("tracking, mean of categories", outcome.tracking.class_averaged),
            ("tracking, all detections", outcome.tracking.detection_averaged),
        ):
            lines[title] = {name: numbers[name] for name in SHOWN}
    for title, numbers in lines.items():
        prefix = f"{title}: " if len(lines) > 1 else ""
        print(f"{prefix}{format_summary(numbers)}")


def _rows(outcome: Outcome) -> list[dict[str, Any]]:
    return class_rows(
        outcome.table,
        outcome.names,
        boundary=outcome.boundary,
        tracking=outcome.tracking,
    )


@contextmanager
def _bar(title: str, unit: str) -> Iterator[Progress]:
    """Show progress on a terminal."""
    with tqdm(
        desc=title, unit=unit, unit_scale=unit == "B", leave=False, disable=None
    ) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


if __name__ == "__main__":
    sys.exit(main())
