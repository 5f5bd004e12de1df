"""Make a checkpoint of this project out of one of detectron2 or mmdet.

    # warm start for training: set load_from to the result
    python tools/convert_checkpoint.py model_final_3c8ec9.pkl m2f_r50_coco.pth
    # the same, with the classifier of COCO in the order of the joint taxonomy
    python tools/convert_checkpoint.py model_final_3c8ec9.pkl m2f_r50_coco.pth \\
        --label-spaces ytvis19 ovis uvo
    # a video model to run: its own label space, which the file does not name
    python tools/convert_checkpoint.py m2f_vis.pkl m2f_vis.pth --source-labels ytvis21

Reads Mask2Former (COCO instance and panoptic), Mask2Former-VIS and MinVIS of
detectron2 (.pkl, .pth), and Mask2Former and Mask2FormerVideo of mmdet, old key names
included. Code in a file is never run. Details: docs/checkpoints.md.
"""

import argparse
import io
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from tmt_vis.checkpoints import (
    LAYOUTS,
    CheckpointError,
    Conversion,
    SourceCheckpoint,
    convert,
    read_checkpoint,
)
from tmt_vis.engine import write_atomically
from tmt_vis.taxonomy import TaxonomyError


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("src", type=Path, help="the checkpoint to read")
    parser.add_argument("dst", type=Path, help="the .pth file to write")
    parser.add_argument(
        "--arch",
        default="auto",
        choices=["auto", *LAYOUTS],
        help="refuse a file of another architecture; default: recognise it",
    )
    parser.add_argument(
        "--label-spaces",
        nargs="+",
        metavar="NAME",
        help="those of the config that will load the result, in its order; names or "
        "files. Default: the classifier is copied as it is",
    )
    parser.add_argument(
        "--source-labels",
        metavar="NAME",
        help="label space of the file's classifier, where it cannot be told (ytvis19 "
        "and ytvis21 both have 40 categories)",
    )
    parser.add_argument(
        "--ignore",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="regular expressions of further tensors to leave out",
    )
    return parser.parse_args(argv)


def describe(source: SourceCheckpoint, result: Conversion) -> list[str]:
    """Say what was read, what was left out and what became of the classifier."""
    counts = Counter(key.split(".")[0] for key in result.state_dict)
    info = result.meta["source"]
    lines = [
        f"{info['file']}: {info['architecture']}, sha256 {info['sha256'][:16]}",
        "converted: " + ", ".join(f"{n} of {room}" for room, n in counts.items()),
        f"ignored: {', '.join(result.ignored) or 'nothing'}",
    ]
    if source.other_entries:
        lines.append(f"besides the weights: {', '.join(source.other_entries)}")
    if result.rows is None:
        rows = len(result.state_dict["head.cls_embed.bias"])
        return [*lines, f"classifier: {rows} rows (with no-object), as they are"]
    rows = result.rows
    renamed = [f"{ours} = {theirs}" for ours, theirs in rows.copied if ours != theirs]
    lines.append(f"classifier: {len(rows.copied)} rows of {rows.label_space} copied")
    lists = (
        ("under another name", renamed),
        ("missing in the source, random", rows.missing),
        ("of the source, unused", rows.unused),
    )
    return lines + [f"  {len(x)} {what}: {', '.join(x)}" for what, x in lists if x]


def write(result: Conversion, path: Path) -> None:
    """Write a file that loads with torch's default settings."""
    buffer = io.BytesIO()
    torch.save(dict(meta=result.meta, state_dict=result.state_dict), buffer)
    write_atomically(path, buffer.getvalue())


def main(argv: Sequence[str] | None = None) -> None:
    """Convert as the command line says."""
    args = parse_args(argv)
    try:
        source = read_checkpoint(args.src)
        result = convert(
            source,
            arch=args.arch,
            label_spaces=args.label_spaces,
            source_labels=args.source_labels,
            ignore=args.ignore,
        )
    except (CheckpointError, TaxonomyError, FileNotFoundError) as error:
        sys.exit(f"{args.src.name}: {error}")
    print("\n".join(describe(source, result)))
    if args.dst.exists() and args.dst.samefile(args.src):
        sys.exit(f"{args.dst} is the source; give another name")
    write(result, args.dst)
    print(f"written: {args.dst}")


if __name__ == "__main__":
    main()
