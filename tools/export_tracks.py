"""Turn predicted tracks into annotations that a labelling tool can correct.

    python tools/infer.py yard.mp4 --config CONFIG --checkpoint CKPT \\
        --out-json yard.json
    python tools/export_tracks.py yard.json --to cvat-video --out for_cvat

writes a new folder. Read the corrected export back with tools/convert_dataset.py.

    cvat-video    "CVAT for video 1.1": polygon tracks with thinned keyframes
    label-studio  predictions for VideoVectorLabels
    mots-png      16-bit PNGs, class * 1000 + object; exact, without overlaps
    coco          one JSON for all frames, exact masks, with track ids
    youtube-vis   one JSON for all videos, exact masks, ready for training
    labelme       one JSON per frame, objects are group ids
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tmt_vis.command_line import ToolParser, real, tool
from tmt_vis.dataset_tools.exporters import (
    SHAPES,
    ExportJob,
    ReadOptions,
    check_target,
    export_tracks,
    read_tracks,
)
from tmt_vis.dataset_tools.findings import Findings
from tmt_vis.progress import progress_bar
from tmt_vis.taxonomy import LabelSpace


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add("results", type=Path, help="JSON of tools/infer.py --out-json")
    add("--to", required=True, metavar="TARGET", help="one of the targets above")
    add("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    add(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder with a folder of frames a "
        "video (tools/extract_frames.py); default: its names, VIDEO/000000.jpg",
    )
    add(
        "--label-space",
        metavar="NAME",
        help="what was predicted, a name or a file: all "
        "its categories are offered, others are an error",
    )
    add(
        "--score-thr",
        type=real(at_least=0, at_most=1),
        default=0.0,
        metavar="S",
        help="leave out tracks with a lower score (default: %(default)s)",
    )
    add(
        "--shape",
        choices=SHAPES,
        default="polygon",
        help="for cvat-video and labelme (default: %(default)s); masks are exact",
    )
    add(
        "--min-iou",
        type=real(at_least=0, at_most=1),
        default=0.98,
        metavar="IOU",
        help="least IoU of polygons, also between keyframes, with the predicted masks; "
        "smaller means fewer corners and keyframes (default: %(default)s)",
    )
    add(
        "--fps",
        type=real(above=0),
        default=30.0,
        help="of the videos, for label-studio (default: %(default)s)",
    )
    return parser.parse_args(argv)


def describe(job: ExportJob) -> list[str]:
    """Say what was written, and how well polygons keep the masks."""
    videos = job.tracks.videos
    num_tracks = sum(len(video.tracks) for video in videos)
    lines = [
        f"{job.out}: {len(videos)} videos, {num_tracks} tracks, "
        f"{len(job.tracks.categories)} categories"
    ]
    if job.outlined_masks:
        kept = f"{job.outlined_masks} masks as polygons, least IoU {job.least_iou:.3f}"
        lines.append(f"  {kept} (bound {job.min_iou:g})")
    if job.keyframes:
        lines.append(
            f"  {job.keyframes} keyframes for them; the tool fills in the rest"
        )
    if job.findings.counts:
        lines += ["on the way:", *(f"  {line}" for line in job.findings.lines())]
    return lines


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Export as the command line says."""
    args = parse_args(argv)
    check_target(args.to)
    space = LabelSpace.load(args.label_space) if args.label_space else None
    findings = Findings()
    options = ReadOptions(
        images=args.images, label_space=space, score_thr=args.score_thr, fps=args.fps
    )
    tracks = read_tracks(args.results, options, findings)
    with progress_bar(total=len(tracks.videos), unit="video") as bar:
        job = ExportJob(
            tracks,
            args.out,
            shape=args.shape,
            min_iou=args.min_iou,
            findings=findings,
            progress=lambda video: bar.update(),
        )
        export_tracks(job, args.to)
    print("\n".join(describe(job)))


if __name__ == "__main__":
    sys.exit(main())
