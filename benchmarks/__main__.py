"""Compare with mmdet: times, memory and counts.

    python -m benchmarks --list
    python -m benchmarks eval/tube_iou model/prediction_heads --json out.json
    python -m benchmarks --quick                 tiny sizes; are the results equal?
    python -m benchmarks --results benchmarks/results --docs docs/performance.md
    python -m benchmarks --docs docs/performance.md --report-only

Every benchmark first checks that reference (A) and ours (B) agree, then takes both in
turns. The exit status is 1 if one is wrong, fails, or misses a gating target by more
than 10 %; a benchmark that this machine cannot run is skipped.
"""

import argparse
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path

from . import ROOT, registry
from .common import Options
from .environment import ensure_allocator

RESULTS = ROOT / "benchmarks" / "results"


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="none = all")
    parser.add_argument("--list", "-l", action="store_true", help="name them")
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--quick", action="store_true", help="tiny sizes, 3 pairs")
    scale.add_argument("--full", action="store_true", help="36 frames; takes an hour")
    parser.add_argument("--pairs", type=int, help="timed pairs (default: 7)")
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        help="where GPU benchmarks run; cpu only shows that they work, with --quick",
    )
    parser.add_argument("--threads", type=int, help="default: all cores")
    parser.add_argument("--json", type=Path, metavar="OUT", help="all results")
    parser.add_argument("--results", type=Path, help="folder, one JSON per benchmark")
    parser.add_argument(
        "--docs", type=Path, help="renew the marked blocks of this page, and its plots"
    )
    parser.add_argument(
        "--report-only", action="store_true", help="run nothing, read the results"
    )
    args = parser.parse_args(argv)
    unknown = sorted(set(args.names) - set(registry.NAMES))
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}; see --list")
    if args.quick and args.docs:
        parser.error("--quick says nothing about speed, so it does not go with --docs")
    if args.pairs is not None and args.pairs < 1:
        parser.error(f"--pairs must be >= 1, got {args.pairs}")
    return args


def main(argv: list[str] | None = None) -> int:
    """Run and report; return the exit status."""
    args = parse_args(argv)
    if args.list:
        for name in registry.NAMES:
            print(name)
        return 0
    if not args.report_only:
        # Before torch is imported, which starts its threads.
        threads = args.threads or int(os.environ.get("OMP_NUM_THREADS", 0))
        os.environ["OMP_NUM_THREADS"] = str(threads or os.cpu_count())
        ensure_allocator()
    failed = _report(args) if args.report_only else _run(args)
    return int(failed)


def _run(args: argparse.Namespace) -> bool:
    for message in ("pkg_resources is deprecated", ".*torch.meshgrid"):
        warnings.filterwarnings("ignore", message)
    from .suite import run_all, write_json

    options = Options.quick() if args.quick else Options()
    options = replace(
        options,
        scale="full" if args.full else options.scale,
        pairs=args.pairs or options.pairs,
        device=args.device,
    )
    names = args.names or registry.NAMES
    done = run_all(names, options, results=args.results, say=_say)
    if args.json:
        write_json(args.json, done)
    if args.docs:
        _report(args)
    failing = [entry["name"] for entry in done if entry["fails"]]
    if failing:
        print(f"error: wrong, failed or too slow: {', '.join(failing)}")
    return bool(failing)


def _say(line: str) -> None:
    print(line, flush=True)


def _report(args: argparse.Namespace) -> bool:
    from .report import renew
    from .suite import read_results

    if args.docs is None:
        print("error: --report-only needs --docs FILE", file=sys.stderr)
        return True
    results = read_results(args.results or RESULTS)
    renew(args.docs, results)
    print(f"{args.docs}: {len(results)} benchmarks")
    return False


if __name__ == "__main__":
    sys.exit(main())
