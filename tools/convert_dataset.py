"""Turn annotations of a labelling tool into the format of YouTube-VIS.

    python tools/convert_dataset.py cvat exports data/ranch/train.json --images frames
    python tools/convert_dataset.py labelme labelled data/ranch/train.json
    python tools/convert_dataset.py coco all.json data/ranch/train.json --images frames
    python tools/convert_dataset.py masks Annotations/480p data/davis/train.json \\
        --category object

writes data/ranch/train.json and, beside it, label_space.json. Frames stay where they
are. Convert further splits with --label-space data/ranch/label_space.json, so that all
have the same ids. What every format needs: convert_dataset.py FORMAT --help.
"""

import argparse
import inspect
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tmt_vis.command_line import ToolParser, tool
from tmt_vis.dataset_tools.converters import (
    FRAME_ORDERS,
    Source,
    Written,
    allowed_name,
    open_coco_frames,
    open_cvat_video,
    open_index_masks,
    open_label_studio,
    open_labelme,
    write_native,
)
from tmt_vis.dataset_tools.errors import ConversionError
from tmt_vis.printing import printable
from tmt_vis.progress import progress_bar
from tmt_vis.taxonomy import LabelSpace

FORMATS: dict[str, tuple[Callable[..., Source], str]] = {
    "coco": (open_coco_frames, "COCO JSON of frames, with track ids"),
    "cvat": (open_cvat_video, '"CVAT for video 1.1" XML'),
    "label-studio": (open_label_studio, "Label Studio JSON with VideoVectorLabels"),
    "labelme": (open_labelme, "LabelMe JSON with group ids"),
    "masks": (open_index_masks, "index PNGs as in DAVIS"),
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__, outputs=("out",))
    formats = parser.add_subparsers(dest="format", required=True, metavar="FORMAT")
    for name, (opener, title) in FORMATS.items():
        rules = (inspect.getdoc(opener) or "").partition("Args:")[0].rstrip()
        one = formats.add_parser(name, help=title, description=rules)
        one.add_argument("src", type=Path, help="file or folder of the annotations")
        one.add_argument("out", type=Path, help="the annotation file to write (.json)")
        one.add_argument(
            "--images", type=Path, metavar="DIR", help="folder of the frames"
        )
        one.add_argument(
            "--label-space",
            metavar="FILE",
            help="an existing label space (or a bundled name): use its ids, refuse "
            "other categories",
        )
        one.add_argument(
            "--name", help="name of the new label space (default: folder of OUT)"
        )
        one.add_argument(
            "--overwrite", action="store_true", help="replace files of earlier runs"
        )
        add_own_options(name, one)
    return parser.parse_args(argv)


def add_own_options(name: str, parser: argparse.ArgumentParser) -> None:
    """Add the options that only one format has."""
    add = parser.add_argument
    if name == "coco":
        add(
            "--crowd",
            action="store_true",
            help="iscrowd of annotations with a track id means a crowd region; "
            "without: they are objects",
        )
    elif name == "cvat":
        add(
            "--frame-order",
            choices=FRAME_ORDERS,
            help="how CVAT sorted the images of a task, where both orders differ",
        )
    elif name == "labelme":
        add(
            "--link",
            choices=["iou"],
            help="follow shapes without a group id by their overlap",
        )
    elif name == "masks":
        add("--category", metavar="NAME", help="of all objects")
        add(
            "--category-map",
            type=Path,
            metavar="JSON",
            help='{"VIDEO": {"1": "dog"}}, {"1": "dog"} for all videos, or the '
            "meta.json of YouTube-VOS",
        )
        add(
            "--mots-classes",
            nargs="+",
            metavar="NAME",
            help="values are those of MOTS: 1000 * class + number; names of the "
            "classes 1, 2, ...",
        )
        add("--binary", action="store_true", help="what is not 0 is one object")


def check_outputs(args: argparse.Namespace) -> None:
    """Find out before the work that an output may not be written."""
    if args.out.suffix != ".json":
        raise ConversionError(f"OUT must be a .json file, got {args.out}")
    if args.overwrite:
        return
    remedy = "give another name, or --overwrite"
    if args.out.exists():
        raise ConversionError(f"{args.out} exists; {remedy}")
    space = args.out.with_name("label_space.json")
    if args.label_space is None and space.exists():
        raise ConversionError(
            f"{space} exists; use its ids with --label-space {space}, or --overwrite"
        )


def open_source(args: argparse.Namespace) -> Source:
    """Open the annotations in the format that was named."""
    if not args.src.exists():
        raise ConversionError(f"{args.src} does not exist")
    opener = FORMATS[args.format][0]
    names = set(inspect.signature(opener).parameters) - {"src"}
    return opener(args.src, **{name: getattr(args, name) for name in names})


def convert(args: argparse.Namespace) -> tuple[Source, Written]:
    """Convert with a progress bar."""
    check_outputs(args)
    space = LabelSpace.load(args.label_space) if args.label_space else None
    source = open_source(args)
    with progress_bar(total=source.num_videos, unit="video") as bar:
        written = write_native(
            source,
            args.out,
            name=args.name or allowed_name(args.out.resolve().parent.name),
            label_space=space,
            progress=lambda video: bar.update(),
        )
    return source, written


def describe(args: argparse.Namespace, source: Source, result: Written) -> list[str]:
    """Say what was written, what was skipped, and how to use it."""
    space = args.label_space or result.label_space_file
    lines = [
        f"{printable(args.out)}: {result.videos} videos, {result.frames} frames, "
        f"{result.instances} objects, {result.masks} masks",
        f"label space {result.label_space.name!r}, {len(result.label_space)} "
        f"categories: {space}",
    ]
    if source.findings.counts:
        lines += ["on the way:", *(f"  {line}" for line in source.findings.lines())]
    words = ["python", "tools/check_dataset.py", "--ann", args.out, "--img-prefix"]
    words += [source.image_root, "--label-space", space, "--sheet", "sheet.html"]
    return [*lines, "look at it:", f"  {shlex.join(map(str, words))}"]


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Convert as the command line says."""
    args = parse_args(argv)
    source, written = convert(args)
    print("\n".join(describe(args, source, written)))


if __name__ == "__main__":
    sys.exit(main())
