"""Extract the weights of a training checkpoint for others to use.

    python tools/publish_checkpoint.py work_dirs/run/iter_16000.pth --out-dir release

The new file holds weights and meta information only, no paths of this machine, loads
with torch's default settings, and has its hash in its name.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tmt_vis.command_line import ToolParser, tool
from tmt_vis.engine.checkpoint_publishing import publish_checkpoint


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out-dir", type=Path, help="default: next to the checkpoint")
    parser.add_argument("--name", help="start of the file name; default: the config's")
    parser.add_argument(
        "--raw-weights",
        action="store_true",
        help="the weights of the last iteration, even if there are averaged ones (EMA)",
    )
    parser.add_argument(
        "--half",
        action="store_true",
        help="weights as float16: half the size, rounded to 11 bits",
    )
    parser.add_argument(
        "--trust-local",
        action="store_true",
        help="also read a file with pickled classes; this executes code from it",
    )
    return parser.parse_args(argv)


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Publish as the command line says and print the new path."""
    args = parse_args(argv)
    path = publish_checkpoint(
        args.checkpoint,
        out_dir=args.out_dir or args.checkpoint.parent,
        name=args.name,
        averaged=not args.raw_weights,
        half=args.half,
        trust_local=args.trust_local,
    )
    print(path)


if __name__ == "__main__":
    sys.exit(main())
