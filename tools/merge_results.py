"""Make one file of the results of many videos, and say what they amount to.

    python tools/infer.py videos --config C.py --checkpoint P.pth --out found
    python tools/merge_results.py found

writes found/tracks.json, in the form of tools/infer.py --out-json, and
found/summary.json. No model is loaded. found/failed.jsonl keeps the videos that have no
result.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tmt_vis.command_line import ToolParser, tool
from tmt_vis.inference.many_videos import Summary, merge
from tmt_vis.printing import printable


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument("folder", type=Path, help="--out of tools/infer.py")
    parser.add_argument(
        "--out-json", type=Path, help="the file (default: FOLDER/tracks.json)"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="although videos have no result"
    )
    return parser.parse_args(argv)


def describe(summary: Summary) -> str:
    """Return the summary as lines."""
    lines = [
        f"{summary.done} of {summary.videos} videos: {summary.frames} frames, "
        f"{summary.seconds:.1f} s, {summary.tracks} tracks"
    ]
    lines += [
        f"  {count} {what}"
        for count, what in (
            (summary.failed, "failed"),
            (summary.missing, "not yet predicted"),
            (summary.truncated, "truncated: their files are damaged"),
        )
        if count
    ]
    lines += [f"  {count:6}  {name}" for name, count in summary.categories.items()]
    return "\n".join(map(printable, lines))


@tool
def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; return the exit status."""
    args = parse_args(argv)
    out = args.out_json or args.folder / "tracks.json"
    print(describe(merge(args.folder, out, allow_missing=args.allow_missing)))
    print(f"written: {printable(out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
