"""Find, segment and track objects in videos of any length.

    python tools/infer.py holiday.mp4 --model NAME --out-video holiday_tracks.mp4
    python tools/infer.py --list-models
    python tools/infer.py holiday.mp4 --config C.py --checkpoint P.pth \\
        --dataset ovis --out-video holiday_tracks.mp4 --out-json tracks.json

INPUT is a video file, a folder or pattern of frames, an image, or the number of a
camera. Several images are the frames of one video; several videos are predicted one
after the other. An interrupted run goes on with --resume.

    python tools/infer.py videos --config C.py --checkpoint P.pth --out found

is for thousands of videos: INPUT is a folder of video files, or a .txt with one path a
line, and each video gets a file of its own in --out. The same command goes on where it
was ended, and several of them share the work: on one machine, as shards (--shard, or by
themselves with torchrun and in arrays of Slurm), or as workers of Ray (--ray).
tools/merge_results.py makes one file of them.
"""

import argparse
import sys
import tempfile
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tmt_vis.command_line import ToolParser, describe_error, integer, real, tool
from tmt_vis.engine import CfgOptions
from tmt_vis.files import claimed
from tmt_vis.inference import (
    FrameSource,
    FrameSourceError,
    InferenceError,
    OutputPlan,
    RecordedSource,
    VideoOutputs,
    VideoResult,
    VideoTask,
    VISInferencer,
    WindowPlan,
    check_free,
    group_inputs,
    write_json,
    write_masks,
    write_rendering,
)
from tmt_vis.inference.many_videos import command as many_videos
from tmt_vis.model_zoo import format_models, open_model, released_models
from tmt_vis.printing import printable
from tmt_vis.progress import progress_bar, show_download


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add("inputs", nargs="*", metavar="INPUT")
    add("--model", metavar="NAME", help="a released model, see --list-models")
    add("--list-models", action="store_true", help="show released models, and stop")
    add(
        "--accept-license",
        action="store_true",
        help="accept the licence of a released model's weights; remembered",
    )
    add("--config", help="instead of --model, with --checkpoint")
    add("--checkpoint")
    add("--device", help="default: the GPU if there is one")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--dataset",
        "--label-space",
        dest="label_space",
        metavar="NAME",
        help="whose categories to look for (default: the model's first label space)",
    )
    what.add_argument(
        "--vocabulary", help="names, e.g. 'dog,person,red bus', or a label-space file"
    )
    add(
        "--score-thr",
        type=real(at_least=0, at_most=1),
        default=0.3,
        help="default: %(default)s",
    )
    add("--max-objects", type=integer(at_least=1), help="objects kept per window")
    add(
        "--several-categories",
        action="store_true",
        help="report all good categories of an object, as benchmarks expect them "
        "(with --score-thr 0), not only the best",
    )
    add(
        "--max-iou",
        type=real(at_least=0, at_most=1),
        help="drop objects that overlap a better one by more, e.g. 0.7 (default: none)",
    )
    add(
        "--window",
        type=integer(at_least=1),
        help="frames seen together (default: as the model was made for, else 36)",
    )
    add(
        "--overlap",
        type=integer(at_least=0),
        help="frames two windows share (default: as the model was made for, else 6)",
    )
    add(
        "--max-frames",
        type=integer(at_least=1),
        help="stop after these; needed for a camera",
    )
    add("--fps", type=real(above=0), help="of inputs that do not say it (default: 10)")
    add("--out-video", type=Path, help="*.mp4, *.gif, or a folder for *.mp4")
    add("--out-json", type=Path, help="YouTube-VIS results with names, all videos")
    add("--out-masks", type=Path, help="folder for a folder of index images per video")
    add("--overwrite", action="store_true", help="replace outputs of earlier runs")
    add(
        "--resume",
        action="store_true",
        help="go on with an interrupted run (--out does)",
    )
    add(
        "--amp",
        action="store_true",
        help="compute in bfloat16 where that is safe: faster on GPUs and on CPUs with "
        "bfloat16 instructions; scores and the borders of masks differ slightly",
    )
    add("--cfg-options", nargs="+", action=CfgOptions, help="key=value of the config")
    many_videos.add_options(parser)
    args = parser.parse_args(argv)
    if args.list_models:
        return args
    if not args.inputs:
        parser.error("the following arguments are required: INPUT")
    given = (args.model, args.config, args.checkpoint)
    if [value is not None for value in given] not in (
        [True, False, False],
        [False, True, True],
    ):
        parser.error("give either --model NAME, or --config and --checkpoint")
    many_videos.check_options(parser, args)
    return args


def make_tasks(
    args: argparse.Namespace, find: VISInferencer, plan: OutputPlan, scratch: Path
) -> dict[int, VideoTask]:
    """Open all videos; those that cannot be read are reported and left out."""
    tasks = {}
    for video_id, video in enumerate(group_inputs(args.inputs)):
        try:
            source = find.open(video, label_space=args.label_space, fps=args.fps)
            keep = plan.folder if source.resumable else None
            if not source.resumable and args.out_video:
                source = recorded(source, scratch / str(video_id))
            tasks[video_id] = find.task(
                source,
                label_space=args.label_space,
                vocabulary=args.vocabulary,
                score_thr=args.score_thr,
                max_frames=args.max_frames,
                partial_dir=keep,
            )
        except FrameSourceError as error:
            report(error)
    return tasks


def recorded(source: FrameSource, folder: Path) -> FrameSource:
    """Keep the frames of a camera, to draw on them."""
    folder.mkdir()
    return RecordedSource(source, folder)


def check_outputs(
    args: argparse.Namespace,
    plan: OutputPlan,
    outputs: Sequence[VideoOutputs],
    tasks: Collection[VideoTask],
) -> None:
    """Find out before hours of work that an output may not be written."""
    files = (args.config, args.checkpoint, args.label_space, args.vocabulary)
    inputs = [Path(text) for text in (*args.inputs, *filter(None, files))]
    left = [args.resume and t.partial and t.partial.exists() for t in tasks]
    for outs, is_left in zip(outputs, left, strict=True):
        outs.check(inputs, replace=args.overwrite or bool(is_left))
    if plan.json is not None:
        check_free(plan.json, inputs, replace=args.overwrite or any(left))
    if not (args.resume or args.overwrite):
        for task in tasks:
            check_nothing_left(task)


def check_nothing_left(task: VideoTask) -> None:
    """Refuse to throw away the hours of an interrupted run without being told to."""
    if task.partial is not None and (
        windows := task.partial.read(task.engine.plan).windows
    ):
        raise InferenceError(
            f"an interrupted run left {windows[-1].window.stop} frames of "
            f"{task.source.name} in {task.partial.path}; go on with --resume, or start "
            "anew with --overwrite"
        )


def predict(task: VideoTask, outputs: VideoOutputs, *, resume: bool) -> VideoResult:
    """Predict one video and write what is its own."""
    with progress_bar(desc=printable(task.source.name), unit="frame") as bar:

        def progress(done: int, expected: int | None) -> None:
            bar.total = expected
            bar.update(done - bar.n)

        result = task.run(resume=resume, progress=progress)
    if outputs.masks is not None:
        write_masks(outputs.masks, result)
    if outputs.video is not None:
        written = write_rendering(outputs.video, result, task.source)
        print(f"written: {outputs.video} ({written.codec})")
    return result


def describe(result: VideoResult) -> str:
    """Return a short table of what was found."""
    lines = [
        f"{result.name}: {result.num_frames} frames of {result.width}x{result.height}, "
        f"{len(result.tracks)} tracks ({result.label_space})"
    ]
    lines += [
        f"  {t.id:3}  {t.name:20} {t.score:.2f}  frames {t.first_frame}-{t.last_frame}"
        for t in result.tracks
    ]
    if result.taxonomy:
        listed = ", ".join(f"{c.name} {c.score:.2f}" for c in result.taxonomy)
        lines.append(f"  compiled taxonomy: {listed}")
    if result.truncated:
        lines.append(f"  TRUNCATED: {result.truncated}")
    return "\n".join(map(printable, lines))


def windows(args: argparse.Namespace) -> WindowPlan | None:
    """Return the windows that are asked for; None leaves them to the model."""
    asked = dict(length=args.window, overlap=args.overlap)
    asked = {name: value for name, value in asked.items() if value is not None}
    return WindowPlan(**asked) if asked else None


def run(args: argparse.Namespace, scratch: Path) -> int:
    """Do what the command line says; return the exit status."""
    plan = OutputPlan(video=args.out_video, json=args.out_json, masks=args.out_masks)
    if args.resume and plan.folder is None:
        raise InferenceError("--resume needs the outputs of the interrupted run")
    find = VISInferencer(
        args.config,
        args.checkpoint,
        args.device,
        cfg_options=args.cfg_options,
        windows=windows(args),
        max_objects=args.max_objects,
        several_categories=args.several_categories,
        max_iou=args.max_iou,
        dtype="bfloat16" if args.amp else None,
    )
    tasks = make_tasks(args, find, plan, scratch)
    outputs = plan.per_video([task.source.name for task in tasks.values()])
    with ExitStack() as claims:
        # Before anything is checked: who comes second finds a holder, not a file.
        for path in all_outputs(plan, outputs, tasks.values()):
            claims.enter_context(claimed(path))
        check_outputs(args, plan, outputs, tasks.values())
        return run_tasks(args, plan, dict(zip(tasks, outputs, strict=True)), tasks)


def all_outputs(
    plan: OutputPlan, outputs: Sequence[VideoOutputs], tasks: Iterable[VideoTask]
) -> list[Path]:
    """List everything that this run writes."""
    paths = [path for outs in outputs for path in (outs.video, outs.masks)]
    paths += [task.partial.path for task in tasks if task.partial is not None]
    return [path for path in (plan.json, *paths) if path is not None]


def run_tasks(
    args: argparse.Namespace,
    plan: OutputPlan,
    outputs: dict[int, VideoOutputs],
    tasks: dict[int, VideoTask],
) -> int:
    """Predict all videos and write what was found; return the exit status."""
    results = {}
    for video_id, task in tasks.items():
        try:
            results[video_id] = predict(task, outputs[video_id], resume=args.resume)
            print(describe(results[video_id]))
        except FrameSourceError as error:
            report(error)
    if plan.json is not None and results:
        write_json(plan.json, results)
    for video_id in results:
        if tasks[video_id].partial is not None:
            tasks[video_id].partial.remove()
    num_truncated = sum(result.truncated is not None for result in results.values())
    if num_truncated:
        print(f"{num_truncated} of {len(results)} videos were truncated")
    return 0 if len(results) == len(group_inputs(args.inputs)) else 1


def warn(text: str) -> None:
    """Print what was left out."""
    print(f"warning: {printable(text)}", file=sys.stderr)


def report(error: Exception) -> None:
    """Print an error that concerns one video."""
    print(f"error: {describe_error(error)}", file=sys.stderr)


@tool(interrupted="the same command with --resume goes on; it needs outputs")
def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; return the exit status."""
    args = parse_args(argv)
    if args.list_models:
        print(format_models(released_models()))
        return 0
    if args.model is not None:
        accept, show = args.accept_license, show_download()
        open_model(args.model, accept_license=accept, progress=show, say=print)
        args.config = args.model  # which is in the cache now
    if args.out is not None:
        return many_videos.run(args, windows(args), say=print, warn=warn)
    with tempfile.TemporaryDirectory(prefix="tmt_vis_") as scratch:
        return run(args, Path(scratch))


if __name__ == "__main__":
    sys.exit(main())
