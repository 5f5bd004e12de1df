"""The sprite datasets of the experiment."""

import subprocess
import sys
from pathlib import Path

SIZE = "--size 64x96 --frames 8"
# Rare classes in training, and objects that a dataset does not annotate because their
# category is not in its label space: both are what joint training has to cope with.
MIX = "--classes 12 --tail 1 --distractors 1"
PARTS = {
    "pretrain": "--seed 7 --datasets ytvis21 ovis uvo --classes all --videos 250 "
    "--val-videos 1",
    "train": f"--seed 0 --videos 160 --val-videos 60 {MIX}",
    "heldout": f"--seed 1 --videos 1 --val-videos 60 {MIX}",
}


def prepare(root: Path) -> None:
    """Make the data that is missing: half a minute.

    ``data/pretrain`` is what COCO is to the paper. ``data/train`` holds the training
    videos, and validation videos to make choices on; the test videos of
    ``data/heldout`` are for the tables only.

    Args:
        root: folder of the experiment.
    """
    for part, arguments in PARTS.items():
        out = root / "data" / part
        if (out / "dataset_card.json").is_file():  # written last
            continue
        command = [sys.executable, "tools/make_sprite_vis.py", "--out", str(out)]
        command += [*arguments.split(), *SIZE.split()]
        command += ["--contact-sheet", str(root / "data" / f"{part}.png")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
