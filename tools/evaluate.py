"""Evaluate a result file in the official format against its annotation file.

    python tools/evaluate.py --ann valid.json --results results.json --per-class

The result file is the JSON list that YouTube-VIS, OVIS and UVO define, or a zip with
``results.json`` inside; it may come from any model.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from tmt_vis.evaluation import (
    VISProtocol,
    class_rows,
    evaluate_tubes,
    format_classes,
    format_summary,
    load_annotations,
    read_results,
    without_nan,
)
from tmt_vis.taxonomy import LabelSpace


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ann", required=True, help="annotation file")
    parser.add_argument("--results", required=True, help="result file, JSON or zip")
    parser.add_argument(
        "--label-space",
        help="bundled name or file; its order and names are used and the annotation "
        "file's categories must match. Default: the categories of the file",
    )
    parser.add_argument("--per-class", action="store_true", help="AP of each category")
    parser.add_argument(
        "--class-agnostic", action="store_true", help="ignore categories"
    )
    parser.add_argument(
        "--json", action="store_true", help="print fractions as JSON (null: no objects)"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate and print; return the exit status."""
    args = parse_args(argv)
    try:
        space = LabelSpace.load(args.label_space) if args.label_space else None
        annotations = load_annotations(args.ann, label_space=space)
        predictions = read_results(args.results, annotations)
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if annotations.ground_truth is None:
        message = "holds no annotations: only its evaluation server can compute AP"
        print(f"error: {args.ann} {message}", file=sys.stderr)
        return 1
    table = evaluate_tubes(
        annotations.ground_truth,
        predictions,
        num_slots=len(annotations.label_space),
        protocol=VISProtocol(class_agnostic=args.class_agnostic),
    )
    agnostic = args.class_agnostic
    names = ["any category"] if agnostic else annotations.label_space.names
    rows = class_rows(table, names)
    counts = {
        "num_videos": len(annotations.videos),
        "num_videos_with_tracks": len(predictions),
    }
    if args.json:
        report = {"summary": without_nan(table.summary()), **counts}
        if args.per_class:
            report["categories"] = [without_nan(row) for row in rows]
        print(json.dumps(report, indent=2))
        return 0
    if args.per_class:
        print(format_classes(rows))
    print("{num_videos} videos, {num_videos_with_tracks} with tracks".format(**counts))
    print(format_summary(table.summary()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
