"""Compare two runs category by category: the paper's Table 11, for any two runs.

    python tools/analysis/compare_runs.py --ann valid.json \
        --results m2f.results.json tmt.results.json --names M2F-VIS TMT-VIS \
        --label-space ytvis19 --taxonomy ytvis19 ovis uvo --plot table11.png

Prints a Markdown table, sorted by the difference: AP of both runs, the difference and
its 95 % interval, videos and tubes. With --taxonomy, it says which label spaces have a
category, and sums up shared categories and those of a single data set. The intervals
come from a paired bootstrap over videos: they do not know other training seeds.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tmt_vis.command_line import ToolParser, integer, tool
from tmt_vis.evaluation.analysis import RunComparison, compare_runs
from tmt_vis.evaluation.analysis.files import read_runs, write_report
from tmt_vis.progress import progress_bar
from tmt_vis.taxonomy import Taxonomy
from tmt_vis.visualization import ComparedCategory, plot_comparison


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__, outputs=("json", "plot"))
    add = parser.add_argument
    add("--ann", required=True, help="annotation file with ground truth")
    add("--results", required=True, nargs=2, metavar=("R1", "R2"), help="JSON or zip")
    add("--names", nargs=2, metavar=("N1", "N2"), default=["first", "second"])
    add(
        "--label-space",
        help="bundled name or file; default: the categories of the annotation file",
    )
    add(
        "--taxonomy",
        nargs="+",
        metavar="SPACE",
        help="label spaces of the training; marks shared categories (needs "
        "--label-space, one of them or another)",
    )
    add(
        "--samples",
        type=integer(at_least=1),
        default=1000,
        help="of the bootstrap (%(default)s)",
    )
    add("--seed", type=int, default=0, help="of the bootstrap (%(default)s)")
    add("--json", metavar="FILE", help="write all numbers (fractions)")
    add("--plot", metavar="FILE.png", help="write a picture")
    return parser.parse_args(argv)


def joint_taxonomy(args: argparse.Namespace) -> Taxonomy | None:
    """Build the joint taxonomy, with the tested label space."""
    if args.taxonomy is None:
        return None
    if args.label_space is None:
        raise ValueError(
            "--taxonomy needs --label-space: the names of an annotation file do not "
            "say which categories of the other label spaces are the same"
        )
    own = [] if args.label_space in args.taxonomy else [args.label_space]
    return Taxonomy.from_label_spaces([*args.taxonomy, *own])


def plot(path: str, result: RunComparison, title: str) -> None:
    """Draw the comparison; categories of a single label space are marked."""
    rows = [
        ComparedCategory(
            name=row.name,
            note=f"{row.num_objects}",
            marked=len(row.label_spaces) == 1,
            first=row.ap.first,
            second=row.ap.second,
            low=row.ap.low,
            high=row.ap.high,
        )
        for row in result.categories
    ]
    legend = ("in several label spaces", "in one only") if result.groups else None
    plot_comparison(path, rows, names=result.names, title=title, legend=legend)


def run(args: argparse.Namespace) -> None:
    """Compare, print, write."""
    taxonomy = joint_taxonomy(args)
    annotations, runs = read_runs(args.ann, args.results, label_space=args.label_space)
    with progress_bar(desc="matching", unit="video", leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = 2 * total
            bar.update()

        result = compare_runs(
            annotations,
            dict(zip(args.names, runs, strict=True)),
            taxonomy=taxonomy,
            num_samples=args.samples,
            seed=args.seed,
            progress=progress,
        )
    print(result.to_text())
    if args.json:
        write_report(args.json, result.to_dict())
    if args.plot:
        difference = f"{100 * result.overall.difference:+.1f}"
        ends = f"{100 * result.overall.low:+.1f}, {100 * result.overall.high:+.1f}"
        title = f"{Path(args.ann).name}: AP {difference} [{ends}], tubes in brackets"
        plot(args.plot, result, title)


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    run(parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
