"""Make a checkpoint of this project out of one of detectron2 or mmdet.

    # warm start for training: set load_from to the result
    python tools/convert_checkpoint.py model_final_3c8ec9.pkl m2f_r50_coco.pth
    # the same, with the classifier of COCO in the order of the joint taxonomy
    python tools/convert_checkpoint.py model_final_3c8ec9.pkl m2f_r50_coco.pth \\
        --label-spaces ytvis19 ovis uvo
    # a video model to run: its own label space, which the file does not name
    python tools/convert_checkpoint.py m2f_vis.pkl m2f_vis.pth --source-labels ytvis21

Reads Mask2Former (COCO instance and panoptic), Mask2Former-VIS and MinVIS of
detectron2 (.pkl, .pth), Mask2Former and Mask2FormerVideo of mmdet, old key names
included, and Mask2Former of transformers: a file, the index of its shards, or a folder.
Code in a file is never run. Details: docs/checkpoints.md.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tmt_vis.checkpoints import (
    LAYOUTS,
    CheckpointError,
    conversion_bytes,
    convert,
    describe_conversion,
    read_checkpoint,
)
from tmt_vis.command_line import ToolParser, tool
from tmt_vis.files import write_atomically
from tmt_vis.taxonomy import TaxonomyError


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
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


@tool
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
        named = str(error).startswith(args.src.name)
        said = str(error) if named else f"{args.src.name}: {error}"
        raise CheckpointError(said) from error
    print("\n".join(describe_conversion(source, result)))
    if args.dst.exists() and args.dst.samefile(args.src):
        raise CheckpointError(f"{args.dst} is the source; give another name")
    write_atomically(args.dst, conversion_bytes(result))
    print(f"written: {args.dst}")


if __name__ == "__main__":
    sys.exit(main())
