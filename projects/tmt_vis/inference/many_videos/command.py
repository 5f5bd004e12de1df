"""The options of ``tools/infer.py`` that are for many videos, and what they do."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from tmt_vis.command_line import integer
from tmt_vis.progress import progress_bar
from tmt_vis.streaming import WindowPlan

from ..errors import InferenceError
from .listing import ListedVideo, list_videos
from .ray_workers import run_on_ray
from .request import ManyVideosRequest
from .running import run_worker
from .shards import Shard, local_device, parse_shard, shard_from_environment
from .worker import Outcome, VideoWorker

_SAME = (  # named alike on the command line and in a request
    *("out", "config", "checkpoint", "cfg_options", "max_objects", "max_iou"),
    *("several_categories", "label_space", "vocabulary", "score_thr", "max_frames"),
    *("fps", "draw", "masks", "threads"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of runs on many videos to those of ``tools/infer.py``."""
    add = parser.add_argument_group("many videos").add_argument
    add("--out", type=Path, metavar="DIR", help="folder with a result for each video")
    add("--masks", action="store_true", help="also index images, in DIR/masks")
    add("--draw", action="store_true", help="also drawn videos, in DIR/videos")
    add(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="every N-th video from the I-th on, I from 0 (default: what torchrun or "
        "Slurm says, else all)",
    )
    add("--threads", type=integer(at_least=1), help="CPU threads of a worker")
    add("--ray", action="store_true", help="workers are actors of Ray")
    add(
        "--workers",
        type=integer(at_least=1),
        help="of --ray (default: one for each GPU, or for each --threads CPU cores)",
    )


def check_options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuse options that say nothing together."""
    if args.workers and not args.ray:
        parser.error("--workers is for --ray; start the command several times instead")
    many = ("masks", "draw", "shard", "threads", "ray")
    single = ("out_video", "out_json", "out_masks", "overwrite")
    given = [name for name in (single if args.out else many) if getattr(args, name)]
    if not given:
        return
    option = f"--{given[0].replace('_', '-')}"
    if args.out:
        parser.error(f"{option} is not for --out, which has --masks and --draw")
    parser.error(f"{option} is for many videos; give --out DIR")


def run(
    args: argparse.Namespace,
    windows: WindowPlan | None,
    *,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> int:
    """Predict many videos into one folder.

    Args:
        args: The command line.
        windows: Frames seen together; None leaves them to the model.
        say: Prints a line.
        warn: Prints what was left out.

    Returns:
        The exit status: 1 if a video failed.
    """
    part = args.shard or shard_from_environment(os.environ)
    listing = list_videos(args.inputs)
    for remark in listing.remarks:
        warn(remark)
    videos, request = part.take(listing.videos), _request(args, windows)
    say(f"{len(listing.videos)} videos; shard {part} has {len(videos)} of them")
    with progress_bar(total=len(videos), unit="video") as bar:

        def count(video: ListedVideo, outcome: Outcome) -> None:
            bar.update()

        if args.ray:
            counts = run_on_ray(
                request, listing.videos, videos, workers=args.workers, report=count
            )
        else:
            worker = VideoWorker(request, listing.videos)
            counts = run_worker(worker, videos, report=count)
    say(", ".join(f"{counts[kind]} {kind.value}" for kind in Outcome if counts[kind]))
    if not counts[Outcome.FAILED]:
        return 0
    say(f"what failed: {args.out / 'failed.jsonl'}; the same command tries again")
    return 1


def _request(args: argparse.Namespace, windows: WindowPlan | None) -> ManyVideosRequest:
    return ManyVideosRequest(
        **{name: getattr(args, name) for name in _SAME},
        device=args.device if args.ray else local_device(args.device, os.environ),
        windows=windows,
        dtype="bfloat16" if args.amp else None,
    )


def _shard(text: str) -> Shard:
    """Read a shard as argparse wants it."""
    try:
        return parse_shard(text)
    except InferenceError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
