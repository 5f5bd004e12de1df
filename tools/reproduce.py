"""Reproduce a published number: one command per row of docs/model_zoo.md.

    python tools/reproduce.py --list
    python tools/reproduce.py mask2former-vis_r50_ytvis19 --dry-run
    python tools/reproduce.py mask2former-vis_r50_ytvis19 --data-root data \\
        --accept-license
    # your own weights against the number of the paper
    python tools/reproduce.py tmt-vis_r50_ytvis19-ovis-uvo --checkpoint iter_16000.pth

Fetches the released checkpoint (or takes --checkpoint), converts it, tests with the
settings of the publication and compares with the published AP. Where the annotation
file withholds the ground truth, a zip for the evaluation server is written instead.

Exit status: 0 if every AP that could be measured is within its tolerance, 1 if one is
not, or after an error.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "configs" / "published_results.yml"
PAGE = ROOT / "docs" / "model_zoo.md"


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", help="row to reproduce; see --list")
    add = parser.add_argument
    add("--list", action="store_true", help="show all rows and their state")
    add(
        "--data-root",
        type=Path,
        default=Path("data"),
        metavar="D",
        help="folder with the datasets, as in docs/datasets.md (default: data)",
    )
    add(
        "--datasets",
        nargs="+",
        metavar="DATASET",
        help="test on these only; default: all that have a published number",
    )
    add(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="use this file, released or your own, instead of downloading one",
    )
    add(
        "--accept-license",
        action="store_true",
        help="fetch weights although their licence restricts their use",
    )
    add("--work-dir", type=Path, help="default: work_dirs/reproduce/NAME")
    add(
        "--download-dir",
        type=Path,
        help="where released files are kept; default: downloads in $TMT_VIS_HOME, "
        "which is ~/.cache/tmt_vis unless set",
    )
    add(
        "--device",
        choices=["cpu", "cuda"],
        help="default: the GPU if there is one",
    )
    add(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="change the config of the test, e.g. test_dataloader.num_workers=0; the "
        "record says so",
    )
    add(
        "--launcher",
        choices=["none", "pytorch", "slurm", "mpi"],
        default="none",
        help="how several processes were started, each with a share of the videos: "
        "torchrun --nproc-per-node 8 tools/reproduce.py NAME --launcher pytorch",
    )
    add("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    add("--debug", action="store_true", help="show the traceback of an error")
    add("--dry-run", action="store_true", help="say what would be done, and stop")
    add(
        "--table",
        type=Path,
        default=TABLE,
        metavar="YAML",
        help="published results; default: configs/published_results.yml",
    )
    add(
        "--write-docs",
        action="store_true",
        help="write docs/model_zoo.md from the table, and stop",
    )
    args = parser.parse_args(argv)
    if args.name is None and not (args.list or args.write_docs):
        parser.error("give the name of a row, --list or --write-docs")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    args = parse_args(argv)
    if args.device == "cpu":
        # Before the imports below: torch and MMEngine look for devices only once.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    from tmt_vis.command_line import tool

    return tool(lambda _: _run(args))(argv)


def _run(args: argparse.Namespace) -> int:
    import torch

    from tmt_vis import model_zoo, reproduction
    from tmt_vis.progress import show_download

    if args.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: PyTorch finds no GPU; leave --device out")
    table = model_zoo.load_published(args.table)
    if args.write_docs:
        PAGE.write_text(reproduction.model_zoo_page(table, PAGE))
        print(f"written: {PAGE}")
        return 0
    if args.list:
        print(reproduction.list_rows(table))
        return 0
    row = table.row(args.name)
    request = reproduction.Request(
        row=row,
        data_root=args.data_root,
        work_dir=args.work_dir or Path("work_dirs/reproduce") / row.name,
        download_dir=args.download_dir or model_zoo.downloads(),
        checkpoint=args.checkpoint,
        datasets=args.datasets,
        options=args.cfg_options,
        accept_license=args.accept_license,
        launcher=args.launcher,
    )
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    if args.dry_run:
        print("\n".join(reproduction.describe(row)))
        print("\n".join(reproduction.plan(request)))
        return 0
    fine = reproduction.reproduce(request, say=print, progress=show_download())
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
