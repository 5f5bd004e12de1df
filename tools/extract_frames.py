"""Cut videos into frames, for labelling and for training.

    python tools/extract_frames.py yard.mp4 barn.mp4 --out frames

writes frames/yard/000000.jpg and on, and frames/yard/frames.json: which frame of the
video each file is, and at how many seconds it is shown.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tmt_vis.command_line import ToolParser, integer, tool
from tmt_vis.dataset_tools.frame_extraction import ExtractOptions, extract_frames
from tmt_vis.inference import FrameSourceError, open_source
from tmt_vis.printing import printable
from tmt_vis.progress import progress_bar


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add("videos", nargs="+", metavar="VIDEO")
    add("--out", type=Path, required=True, metavar="DIR", help="gets a folder a video")
    add(
        "--every",
        type=integer(at_least=1),
        default=1,
        metavar="N",
        help="keep every n-th frame (default: all)",
    )
    add(
        "--max-frames",
        type=integer(at_least=1),
        metavar="N",
        help="stop after so many kept frames",
    )
    add("--format", choices=["jpg", "png"], default="jpg", help="png is lossless")
    add(
        "--quality",
        type=integer(at_least=1, at_most=100),
        default=95,
        help="of JPEGs (default: %(default)s)",
    )
    return parser.parse_args(argv)


def folders(videos: Sequence[str], out: Path) -> dict[str, Path]:
    """Name the folder of each video, before hours of work.

    Raises:
        FrameSourceError: If two videos would share one, or one exists.
    """
    found: dict[Path, str] = {}
    for video in videos:
        name = Path(video).stem
        if not name.strip("."):
            raise FrameSourceError(f"{video} gives no name for a folder; rename it")
        folder = out / name
        if folder in found:
            raise FrameSourceError(
                f"{found[folder]} and {video} would both be {folder}; give each its "
                "own --out"
            )
        if folder.exists():
            raise FrameSourceError(f"{folder} exists; remove it or give another --out")
        found[folder] = video
    return {video: folder for folder, video in found.items()}


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Extract as the command line says."""
    args = parse_args(argv)
    options = ExtractOptions(
        every=args.every,
        max_frames=args.max_frames,
        suffix=f".{args.format}",
        quality=args.quality,
    )
    for video, folder in folders(args.videos, args.out).items():
        source = open_source(video)
        with progress_bar(desc=printable(source.name), unit="frame") as bar:
            count = extract_frames(source, folder, options, progress=bar.update)
        print(printable(f"{folder}: {count} frames of {source.width}x{source.height}"))


if __name__ == "__main__":
    sys.exit(main())
