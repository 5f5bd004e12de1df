"""The whole of TMT-VIS in miniature: make data, train, test, look.

    python tools/demo.py                     (or: make demo)

Every step is a command that users run themselves; it is printed before it runs, and
its full output goes to a log file beside the artefacts.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from demo_pictures import (
    FPS,
    Selection,
    ValSplit,
    write_contact_sheet,
    write_datasets_gif,
    write_gif,
    write_input_video,
    write_plots,
)

from tmt_vis import VISInferencer
from tmt_vis.command_line import ToolParser, integer, tool

ROOT = Path(__file__).resolve().parents[1]
CONFIG = "configs/demo/tmt-vis_r18-tiny_1xb4-1400_sprites.py"
OUT = Path("work_dirs/demo")
DATASETS = {
    "ytvis19": ("ytvis_2019/valid.json", "ytvis_2019/valid/JPEGImages"),
    "ovis": ("ovis/annotations_valid.json", "ovis/valid"),
    "uvo": (
        "uvo/VideoDenseSet/UVO_video_val_dense_with_label.json",
        "uvo/uvo_videos_dense_frames",
    ),
}
ARTEFACTS = {
    "metrics.json": "all metrics, and the seconds of each step",
    "datasets.gif": "predictions on one video of each dataset",
    "contact_sheet.png": "ground truth over prediction",
    "video.mp4": "tracks found in a video file (also video.gif, video.json)",
    "taxonomy.png": "the categories TCM compiled for that video",
    "losses.png": "loss curves",
    "ap50.png": "AP50 per dataset",
    "train": "checkpoint and training log",
}
METRICS = ("AP", "AP50", "AP75", "AR1", "AR10")
SHOWN = Selection(score_thr=0.5, max_iou=0.5)
_TRAIN_LINE = re.compile(
    r"Iter\(train\) \[ *(\d+)/(\d+)\].*?eta: (\S+).*?time: (\S+).*? loss: (\S+)"
)
_TEST_LINE = re.compile(r"Iter\(test\) \[ *(\d+)/(\d+)\]")


class Steps:
    """Run commands with one line of progress each, and keep their logs.

    Args:
        log_dir: where the logs go.
        total: number of steps, for the headings.
    """

    def __init__(self, log_dir: Path, total: int) -> None:
        self.log_dir = log_dir
        self.total = total
        self.seconds: dict[str, float] = {}

    def run(self, name: str, command: list[str]) -> None:
        """Run a command; on failure, print the end of its log and exit.

        Args:
            name: of the step, also of its log.
            command: program and arguments.
        """
        self.say(name, shlex.join(command))
        start, log = time.monotonic(), self.log_dir / f"{name}.log"
        with (
            log.open("w") as file,
            subprocess.Popen(
                [_executable(command[0]), *command[1:]],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
        ):
            for line in process.stdout:
                file.write(line)
                _show_progress(line)
        if process.returncode:
            tail = "".join(log.read_text().splitlines(keepends=True)[-30:])
            sys.exit(f"\n{tail}\n{name} failed ({process.returncode}); log: {log}")
        self.seconds[name] = time.monotonic() - start
        print(f"\r      done in {self.seconds[name]:.0f} s{' ' * 50}", flush=True)

    def say(self, name: str, what: str) -> None:
        """Print the heading of a step."""
        number = len(self.seconds) + 1
        print(f"[{number}/{self.total}] {name}\n      $ {what}", flush=True)


def _executable(name: str) -> str:
    """Find a program of the interpreter's environment before one of the PATH."""
    if name == "python":
        return sys.executable
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else name


def _show_progress(line: str) -> None:
    """Turn a log line into progress: a live line, or now and then a plain one."""
    train, test = _TRAIN_LINE.search(line), _TEST_LINE.search(line)
    if train:
        step, total, eta, seconds, loss = train.groups()
        text = f"iteration {step}/{total}, loss {loss}, {seconds} s each, {eta} left"
    elif test:
        step, total = test.groups()
        text = f"video {step}/{total}"
    else:
        return
    if sys.stdout.isatty():
        print(f"\r      {text}    ", end="", flush=True)
    elif train and int(step) % 200 == 0:
        print(f"      {text}", flush=True)


@tool
def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo and print its table."""
    args = parse_args(argv)
    os.chdir(ROOT)
    if args.fresh and OUT.exists():
        delete_demo()
    (OUT / "logs").mkdir(parents=True, exist_ok=True)
    steps = Steps(OUT / "logs", total=5)
    start = time.monotonic()
    checkpoint = train_and_test(steps, args)
    prediction = infer_video(steps, checkpoint)
    pictures = time.monotonic()
    steps.say("pictures", f"(this script) -> {OUT}")
    metrics = newest_metrics(OUT / "test")
    write_contact_sheet(OUT / "contact_sheet.png", splits(), SHOWN)
    write_datasets_gif(OUT / "datasets.gif", splits(), SHOWN)
    write_gif(OUT / "video.gif", OUT / "video.mp4", fps=FPS)
    write_plots(OUT, train_dir=OUT / "train", metrics=metrics, prediction=prediction)
    steps.seconds["pictures"] = time.monotonic() - pictures
    report(metrics, steps.seconds | {"all": time.monotonic() - start})


def delete_demo() -> None:
    """Delete what earlier runs wrote, unless there is something else beside it."""
    own = {
        *ARTEFACTS,
        "data",
        "logs",
        "results",
        "test",
        "input.mp4",
        "video.gif",
        "video.json",
    }
    others = sorted({path.name for path in OUT.iterdir()} - own)
    if others:
        sys.exit(f"error: {OUT} also holds {others[0]}; move it, or leave out --fresh")
    shutil.rmtree(OUT)


def train_and_test(steps: Steps, args: argparse.Namespace) -> Path:
    """Make the data, train and test; return the checkpoint."""
    if not (OUT / "data" / "dataset_card.json").exists():
        make = ["python", "tools/make_sprite_vis.py", "--out", str(OUT / "data")]
        # Many more than the default: what limits so short a training is variety.
        steps.run("data", [*make, "--seed", "0", "--videos", "150"])
    else:
        steps.seconds["data"] = 0.0
        print(f"[1/5] data: kept {OUT / 'data'} (--fresh makes everything anew)")
    gpus = ["--gpus", str(min(torch.cuda.device_count(), 1))]
    train = ["mim", "train", "mmdet", CONFIG, *gpus]
    options = ["train_cfg.max_iters=" + str(args.iters)] if args.iters else []
    work_dirs = [f"work_dir={OUT / 'train'}", *options]
    steps.run("train", [*train, "--cfg-options", *work_dirs])
    checkpoint = Path((OUT / "train" / "last_checkpoint").read_text().strip())
    if checkpoint.is_absolute():
        checkpoint = checkpoint.relative_to(ROOT)
    test = ["mim", "test", "mmdet", CONFIG, "--checkpoint", str(checkpoint)]
    steps.run("test", [*test, *gpus, "--work-dir", str(OUT / "test")])
    return checkpoint


def infer_video(steps: Steps, checkpoint: Path) -> dict[str, object]:
    """Run tools/infer.py on a video file; return the compiled taxonomy."""
    source = write_input_video(OUT / "input.mp4", splits()[1], fps=FPS)
    infer = ["python", "tools/infer.py", str(OUT / "input.mp4"), "--config", CONFIG]
    infer += ["--checkpoint", str(checkpoint), "--label-space", "ovis"]
    infer += ["--score-thr", str(SHOWN.score_thr)]
    infer += ["--max-iou", str(SHOWN.max_iou)]
    infer += ["--out-video", str(OUT / "video.mp4")]
    infer += ["--out-json", str(OUT / "video.json"), "--overwrite"]
    steps.run("infer", infer)
    inferencer = VISInferencer(CONFIG, str(checkpoint))
    compiled = inferencer(OUT / "input.mp4", label_space="ovis").taxonomy
    taxonomy = inferencer.model.head.vocabulary.taxonomy
    slots = map(taxonomy.label_spaces["ovis"].slot_of_source, source["source_ids"])
    union_ids = taxonomy.slot_to_union("ovis")[list(slots)]
    return dict(
        names=[category.name for category in compiled],
        scores=[category.score for category in compiled],
        present=[taxonomy.names[union_id] for union_id in union_ids],
        title=f"what TCM compiled for OVIS video {source['name']}",
    )


def splits() -> list[ValSplit]:
    """List the validation splits and the results of the test step."""
    return [
        ValSplit(
            name,
            OUT / "data" / ann_file,
            OUT / "data" / images,
            OUT / "results" / f"{name}.results.json",
        )
        for name, (ann_file, images) in DATASETS.items()
    ]


def newest_metrics(test_dir: Path) -> dict[str, float]:
    """Read what `mim test` measured last."""
    files = sorted(test_dir.glob("*/*.json"), key=lambda p: p.stat().st_mtime)
    if not files:
        raise FileNotFoundError(f"`mim test` wrote no metrics below {test_dir}")
    return json.loads(files[-1].read_text())


def report(metrics: dict[str, float], seconds: dict[str, float]) -> None:
    """Print the table and the artefacts, and write metrics.json."""
    versions = dict(torch=torch.__version__, python=sys.version.split()[0])
    summary = dict(metrics=metrics, seconds=seconds, versions=versions)
    (OUT / "metrics.json").write_text(json.dumps(summary, indent=2) + "\n")
    print(f"\n{'dataset':<10}" + "".join(f"{m:>8}" for m in METRICS))
    for name in DATASETS:
        values = [100 * metrics[f"{name}/{metric}"] for metric in METRICS]
        print(f"{name:<10}" + "".join(f"{value:8.1f}" for value in values))
    print("\nartefacts:")
    for name, what in ARTEFACTS.items():
        print(f"  {OUT / name!s:<36} {what}")
    print(f"\n{seconds['all']:.0f} s in all, without the installation")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__.splitlines()[0])
    parser.add_argument(
        "--iters",
        type=integer(at_least=1),
        help="training iterations instead of the config's",
    )
    parser.add_argument("--fresh", action="store_true", help=f"delete {OUT} first")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
