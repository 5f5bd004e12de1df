"""Hold out videos of a training file, to measure AP without an evaluation server.

    python tools/split_dataset.py data/ytvis_2019/train.json --val-fraction 0.1 \\
        --out-train data/ytvis_2019/train_kept.json \\
        --out-val data/ytvis_2019/train_held_out.json

Both parts are complete annotation files with the ids of the whole. Categories are
spread evenly (iterative stratification); the same seed gives the same split anywhere.
The table tells what both parts hold, and which categories only one of them has.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tmt_vis.command_line import ToolParser, real, tool
from tmt_vis.dataset_tools.splitting import (
    Split,
    SplitError,
    share_lines,
    split_annotations,
)
from tmt_vis.files import write_atomically


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add("ann", type=Path, help="native annotation file with annotations")
    add(
        "--val-fraction",
        type=real(above=0, at_most=1),
        default=0.1,
        help="of videos, below 1 (%(default)s)",
    )
    add("--seed", type=int, default=0, help="(%(default)s)")
    add("--out-train", type=Path, required=True, help="file of the videos kept")
    add("--out-val", type=Path, required=True, help="file of the videos held out")
    add(
        "--group-field",
        metavar="FIELD",
        help="keep videos together that have the same value of this field of their "
        "entry (ytid in UVO: cuts of one video)",
    )
    add(
        "--group-prefix",
        metavar="TEXT",
        help="keep videos together whose names agree up to the last TEXT in them (_ "
        "for barn_01 and barn_02)",
    )
    add("--overwrite", action="store_true", help="replace existing files")
    return parser.parse_args(argv)


def read(path: Path) -> Any:
    """Read the annotation file."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SplitError(f"{path} is not valid JSON ({error})") from error


def check_outputs(args: argparse.Namespace) -> None:
    """Refuse to write over the input, or over anything unasked."""
    outputs = [args.out_train, args.out_val]
    if len({path.resolve() for path in (args.ann, *outputs)}) < 3:
        raise SplitError("ANN, --out-train and --out-val must be three files")
    for path in outputs:
        if path.exists() and not args.overwrite:
            raise SplitError(f"{path} exists; give another name, or --overwrite")


def encoded(part: dict[str, Any]) -> bytes:
    """Return the JSON of a part in UTF-8."""
    try:
        text = json.dumps(part, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8")
    except UnicodeEncodeError:  # half a character, which JSON can only write escaped
        return json.dumps(part, separators=(",", ":")).encode("ascii")
    except RecursionError as error:
        raise SplitError("the file is nested too deeply") from error


def split(args: argparse.Namespace) -> Split:
    """Split the annotation file in memory."""
    try:
        return split_annotations(
            read(args.ann),
            val_fraction=args.val_fraction,
            seed=args.seed,
            group_field=args.group_field,
            group_prefix=args.group_prefix,
        )
    except SplitError as error:
        raise SplitError(f"{args.ann}: {error}") from error


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Split as the command line says."""
    args = parse_args(argv)
    check_outputs(args)
    parts = split(args)
    for part, path in ((parts.train, args.out_train), (parts.val, args.out_val)):
        write_atomically(path, encoded(part))
    print("\n".join(share_lines(parts)))
    print(f"written: {args.out_train}, {args.out_val}")


if __name__ == "__main__":
    sys.exit(main())
