"""Show which categories a run takes for which.

    python tools/analysis/confusion.py --ann valid.json --results run.results.json \
        --label-space ovis --plot confusion.png

Tracks are matched with objects by tube IoU alone, best score first. Rows of the matrix
are the objects' categories, columns those of the tracks; "missed" are objects without a
track, "background" tracks without an object. A second track on an object is a duplicate
and is not counted: models that report several categories per query make many.
"""

import argparse
import sys
from collections.abc import Sequence

from tmt_vis.command_line import ToolParser, integer, real, tool
from tmt_vis.evaluation.analysis import confusion_matrix
from tmt_vis.evaluation.analysis.files import read_runs, write_report
from tmt_vis.visualization import plot_confusion


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__, outputs=("json", "plot"))
    add = parser.add_argument
    add("--ann", required=True, help="annotation file with ground truth")
    add("--results", required=True, help="result file, JSON or zip")
    add(
        "--label-space",
        help="bundled name or file; default: the categories of the annotation file",
    )
    add(
        "--score-thr",
        type=real(at_least=0, at_most=1),
        default=0.3,
        help="of tracks (%(default)s)",
    )
    add(
        "--iou-thr",
        type=real(above=0, at_most=1),
        default=0.5,
        help="of tubes (%(default)s)",
    )
    add(
        "--top",
        type=integer(at_least=0),
        default=15,
        help="confused pairs printed (%(default)s)",
    )
    add("--json", metavar="FILE", help="write all counts")
    add("--plot", metavar="FILE.png", help="draw the matrix, rows normalised")
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Count, print, write."""
    annotations, (tracks,) = read_runs(
        args.ann, [args.results], label_space=args.label_space
    )
    matrix = confusion_matrix(
        annotations, tracks, score_thr=args.score_thr, iou_thr=args.iou_thr
    )
    print(matrix.to_text(top=args.top))
    if args.json:
        write_report(args.json, matrix.to_dict())
    if args.plot:
        rows, columns, counts = matrix.shown()
        title = f"score >= {args.score_thr:g}, tube IoU >= {args.iou_thr:g}"
        plot_confusion(args.plot, counts, rows, columns, title=title)


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    run(parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
