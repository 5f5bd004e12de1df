"""Show which categories the taxonomy compilation (TCM) chose, and what it knows.

    python tools/analysis/taxonomy_report.py CONFIG CHECKPOINT --out report
    python tools/analysis/taxonomy_report.py --records report/ovis.record.json

The first form runs the test loop and writes DATASET.record.json for each data set; the
second describes records that are there, also those that tools/test.py writes with
--cfg-options test_evaluator.metrics.DATASET.taxonomy_file=FILE. Both write to --out:
DATASET.categories.md, DATASET.videos.md, report.json and report.png.

recall: how many of the categories in the videos are among the compiled ones. Beside it
that of a fixed ranking, the same for every video: by mean score, and by frequency in
the ground truth (no fixed ranking does better). variance: share of the variance of the
scores that is between videos. AUROC: whether a category scores higher where it is; 0.5
means the score does not look at the video.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from tmt_vis.command_line import ToolParser, tool
from tmt_vis.engine.launch import add_runtime_arguments, build_tester, load_config
from tmt_vis.evaluation.analysis import TaxonomySummary, summarise_taxonomy
from tmt_vis.evaluation.analysis.files import write_report
from tmt_vis.evaluation.analysis.tables import markdown_table, percent
from tmt_vis.evaluation.taxonomy_record import TaxonomyRecord
from tmt_vis.files import replacing
from tmt_vis.visualization import CompiledDataset, plot_compilation


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument("config", nargs="?", help="config file")
    parser.add_argument("checkpoint", nargs="?", help="checkpoint file")
    parser.add_argument("--records", nargs="+", metavar="FILE", help="instead of these")
    parser.add_argument(
        "--out", type=Path, default=Path("taxonomy_report"), help="folder (%(default)s)"
    )
    add_runtime_arguments(parser)
    args = parser.parse_args(argv)
    if bool(args.records) == bool(args.checkpoint):
        parser.error("give CONFIG and CHECKPOINT, or --records")
    return args


def request_records(cfg: Config, out: Path) -> list[Path]:
    """Let every VISMetric of the test evaluator write a record; return their paths.

    Raises:
        ValueError: If the model has no TCM, or no metric can write records.
    """
    if cfg.model.get("head", {}).get("compilation") is None:
        raise ValueError(
            "the model of this config compiles no taxonomy: it has no head.compilation"
        )
    paths = []
    for name, metric in cfg.test_evaluator.get("metrics", {}).items():
        entries = metric if isinstance(metric, (list, tuple)) else [metric]
        for entry in entries:
            if entry is not None and entry["type"] == "VISMetric":
                paths.append(out / f"{name}.record.json")
                entry["taxonomy_file"] = str(paths[-1])
    if not paths:
        raise ValueError(
            "records are written by VISMetric in MultiDatasetVISEvaluator, got "
            f"test_evaluator.type={cfg.test_evaluator.get('type')!r} without one"
        )
    return paths


def make_records(args: argparse.Namespace) -> list[Path]:
    """Run the test loop."""
    cfg = load_config(args)
    paths = request_records(cfg, args.out)
    runner = build_tester(cfg, args.checkpoint)
    runner.test()
    return [path for path in paths if path.is_file()] if runner.rank == 0 else []


def overview(summaries: Sequence[TaxonomySummary]) -> str:
    """Write one row per data set."""
    header = ["data set", "videos", "N_T", "recall %", "fixed: mean score %"]
    header += ["fixed: frequency %", "variance between videos %", "AUROC"]
    rows = []
    for summary in summaries:
        numbers = summary.numbers()
        auroc = numbers["mean_auroc"]
        rows.append(
            [
                summary.record.dataset,
                f"{numbers['num_videos']:g}",
                f"{numbers['num_compiled']:g}",
                percent(numbers["recall"]),
                percent(numbers["recall_of_mean_ranking"]),
                percent(numbers["recall_of_frequency_ranking"]),
                percent(numbers["variance_between_videos"]),
                "-" if auroc != auroc else f"{auroc:.2f}",
            ]
        )
    return markdown_table(header, rows)


def plotted(summary: TaxonomySummary) -> CompiledDataset:
    """Choose what the picture shows of a data set."""
    variance = percent(summary.video_share)
    auroc = summary.mean_auroc
    return CompiledDataset(
        name=summary.record.dataset,
        num_compiled=summary.num_compiled,
        curve=summary.curve,
        mean_curve=summary.mean_curve,
        frequency_curve=summary.frequency_curve,
        categories=summary.names,
        compiled_share=summary.compiled_share,
        present_share=summary.present_share,
        mean_logit=summary.mean_logit,
        std_logit=summary.std_logit,
        notes=(
            f"{summary.record.dataset}: {percent(summary.recall)} % recall at N_T",
            "how often categories are compiled",
            f"scores: {variance} % variance between videos"
            + ("" if auroc != auroc else f", AUROC {auroc:.2f}"),
        ),
    )


def write_all(out: Path, summaries: Sequence[TaxonomySummary]) -> None:
    """Write tables, numbers and the picture."""
    for summary in summaries:
        name = summary.record.dataset
        tables = {"categories": summary.category_table, "videos": summary.video_table}
        for kind, table in tables.items():
            with replacing(out / f"{name}.{kind}.md") as draft:
                draft.write_text(table() + "\n", encoding="utf-8")
    report = {summary.record.dataset: summary.to_dict() for summary in summaries}
    write_report(out / "report.json", report)
    plot_compilation(out / "report.png", [plotted(summary) for summary in summaries])


def run(args: argparse.Namespace) -> None:
    """Make or read the records, describe them."""
    paths = args.records or make_records(args)
    if not paths:
        return  # another rank reports
    summaries = [summarise_taxonomy(TaxonomyRecord.load(path)) for path in paths]
    names = [summary.record.dataset for summary in summaries]
    if len(set(names)) != len(names):
        raise ValueError(f"give one record per data set, got records of {names}")
    write_all(args.out, summaries)
    print(overview(summaries))
    print(f"\ntables, numbers and picture are in {args.out}")


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    run(parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
