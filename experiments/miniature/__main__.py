"""The paper's argument in miniature.

    python -m experiments.miniature list                     what there is, what is done
    python -m experiments.miniature run table3 table4 --budget 60
    python -m experiments.miniature report                   tables and figures

Runs are kept below ``--root``; a run that is done is not done again, and one that was
interrupted goes on.
"""

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

from . import figures
from .data import prepare
from .grid import COMPARED, DATASETS, TABLES, Setting, settings_of
from .kept import keep, read_kept
from .pretraining import pretrain
from .report import BUILDERS, Results, comparison, cost
from .runner import work_through
from .runs import (
    KEPT,
    PRETRAIN_CONFIG,
    ROOT,
    SHORT_PRETRAIN_CONFIG,
    Run,
    known_seeds,
    make_run,
)

REPOSITORY = Path(__file__).resolve().parents[2]


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.miniature",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "tables", nargs="*", metavar="TABLE", help=f"of {', '.join(TABLES)}; none = all"
    )
    shared.add_argument(
        "--seeds",
        type=seed_range,
        metavar="A-B",
        help="or N, which is 0-(N-1); default: 0-2, or 0-4 where a table wants them; "
        "`report` takes what there is",
    )
    shared.add_argument("--root", type=Path, default=ROOT, help="folder of all runs")
    shared.add_argument(
        "--tuning",
        action="store_true",
        help="test on the validation videos for choices, not on the held-out ones",
    )
    commands.add_parser("list", parents=[shared], help="say what is done")
    run = commands.add_parser("run", parents=[shared], help="do what is missing")
    run.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    run.add_argument(
        "--new",
        action="store_true",
        help=f"leave out what {KEPT.name} has; else every run is one of your own",
    )
    run.add_argument(
        "--budget", type=float, default=float("inf"), help="minutes to start runs in"
    )
    report = commands.add_parser("report", parents=[shared], help="tables and figures")
    report.add_argument("--out", type=Path, help="folder; default: ROOT/report")
    report.add_argument(
        "--keep",
        action="store_true",
        help=f"add what is done to {KEPT.name}, of which tables are made where runs "
        "are missing",
    )
    report.add_argument(
        "--docs", type=Path, help="Markdown file whose blocks and figures are renewed"
    )
    compare = commands.add_parser(
        "compare", help="naive joint training against TMT-VIS"
    )
    compare.add_argument("--root", type=Path, default=ROOT)
    return parser.parse_args()


def main() -> int:
    """Run the command; return the exit status."""
    args = parse_args()
    os.chdir(REPOSITORY)
    try:
        return COMMANDS[args.command](args)
    except (KeyError, RuntimeError) as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        return 1


def seed_range(text: str) -> range:
    """Read ``5-7`` (both included) or ``3`` (0 to 2)."""
    first, _, last = text.rpartition("-")
    seeds = range(int(first), int(last) + 1) if first else range(int(last))
    if not seeds:
        raise argparse.ArgumentTypeError(f"{text!r} has no seed; use A-B with A <= B")
    return seeds


def _runs(args: argparse.Namespace, seeds: range | None = None) -> list[Run]:
    """List runs seed by seed, so that a budget leaves whole tables.

    Args:
        args: of the command line.
        seeds: of all tables, unless the command line names some; None = as many as
            each wants.
    """
    wanted = settings_of(args.tables or list(TABLES))
    seeds = args.seeds or seeds
    return [
        make_run(setting, seed, args.root, tuning=args.tuning)
        for seed in seeds or range(max(wanted.values()))
        for setting, count in wanted.items()
        if seeds or seed < count
    ]


def list_runs(args: argparse.Namespace) -> int:
    """Print how many seeds of every setting are done."""
    done: dict[Setting, list[bool]] = {}
    for run in _runs(args):
        done.setdefault(run.setting, []).append(run.done)
    for setting, runs in done.items():
        users = [name for name, settings in TABLES.items() if setting in settings]
        counts = f"{sum(runs)}/{len(runs)}"
        print(f"{setting.name:<32} {counts}   {', '.join(users)}")
    return 0


def run_grid(args: argparse.Namespace) -> int:
    """Do what is missing within the budget."""
    prepare(args.root)
    pretrain(args.root, PRETRAIN_CONFIG)
    kept = read_kept(KEPT) if args.new else {}
    runs = [run for run in _runs(args) if run.key not in kept]
    outcome = work_through(
        runs, root=args.root, jobs=args.jobs, budget=60 * args.budget
    )
    print(
        f"{len(outcome.finished)} runs finished, {len(outcome.failed)} failed, "
        f"{len(outcome.left)} left for another call"
    )
    return 1 if outcome.failed else 0


def write_report(args: argparse.Namespace) -> int:
    """Write tables and figures; renew the blocks of a document."""
    kept = read_kept(KEPT)
    runs = _runs(args, range(1 + max(known_seeds(args.root, kept), default=0)))
    if args.keep:
        print(f"{KEPT}: {keep(runs, KEPT)} runs\n")
    results = Results.load(runs, kept)
    out = args.out or args.root / "report"
    out.mkdir(parents=True, exist_ok=True)
    blocks = {name: build(results) for name, build in BUILDERS.items()}
    blocks["cost"] = cost(results)
    text = "\n\n".join(f"## {name}\n\n{block}" for name, block in blocks.items())
    (out / "tables.md").write_text(text + "\n", encoding="utf-8")
    draw_all(results, out)
    if args.docs is not None:
        renew_blocks(args.docs, blocks)
        copy_pictures(out, args.docs)
    print(text)
    print(f"\n{out}/tables.md and figures")
    return 0


def copy_pictures(folder: Path, page: Path) -> None:
    """Put the figures that a document shows where it looks for them.

    Args:
        folder: of all figures.
        page: the document.
    """
    shown = re.findall(r"\((images/miniature/[\w-]+\.png)\)", page.read_text("utf-8"))
    for name in shown:
        target = page.parent / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / target.name, target)


def draw_all(results: Results, folder: Path) -> None:
    """Draw all figures.

    Args:
        results: of the runs.
        folder: of the pictures.
    """
    figures.draw_table3(results, folder / "table3.png")
    for name in ("causes", "diagnosis", "table4", "table6", "table12"):
        figures.draw_settings(results, TABLES[name], folder / f"{name}.png")
    figures.draw_losses(results, TABLES["diagnosis"], folder / "losses.png")
    compiling = [s for s in TABLES["diagnosis"] if not s.method.startswith("m2f")]
    figures.draw_recall(results, compiling, folder / "recall.png")


def renew_blocks(path: Path, blocks: dict[str, str]) -> None:
    """Replace what stands between ``<!-- NAME -->`` and ``<!-- end -->``.

    Args:
        path: the document.
        blocks: name -> text.

    Raises:
        KeyError: if the document has a block that nothing makes.
    """
    text = path.read_text(encoding="utf-8")

    def renew(match: re.Match) -> str:
        name = match[1]
        if name not in blocks:
            raise KeyError(f"{path} has a block {name!r}; there are {sorted(blocks)}")
        return f"<!-- {name} -->\n{blocks[name]}\n<!-- end -->"

    pattern = re.compile(r"<!-- ([\w-]+) -->\n.*?<!-- end -->", re.DOTALL)
    path.write_text(pattern.sub(renew, text), encoding="utf-8")


def compare(args: argparse.Namespace) -> int:
    """Train naive joint training and TMT-VIS with one seed; print and draw both."""
    prepare(args.root)
    start = SHORT_PRETRAIN_CONFIG
    pretrain(args.root, start)
    runs = [make_run(s, 0, args.root, pretraining=start) for s in COMPARED]
    outcome = work_through(
        runs, root=args.root, jobs=os.cpu_count() or 1, budget=float("inf")
    )
    if outcome.failed:
        return 1
    results = Results.load(runs)
    picture = args.root / "compare.png"
    figures.draw_settings(results, COMPARED, picture)
    print(
        f"\nJoint training on {', '.join(DATASETS)}, one seed, held-out videos, AP:\n"
    )
    print(comparison(results, COMPARED, COMPARED[0]))
    print("\nAP50:\n")
    print(comparison(results, COMPARED, COMPARED[0], metric="AP50"))
    print(f"\n{picture}\nOne seed proves nothing: 'run causes' does more.")
    return 0


COMMANDS = {
    "list": list_runs,
    "run": run_grid,
    "report": write_report,
    "compare": compare,
}

if __name__ == "__main__":
    sys.exit(main())
