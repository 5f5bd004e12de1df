"""The weights that every run starts from."""

import subprocess
import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import find_latest_checkpoint

from .runner import worker_environment
from .runs import PRETRAIN_CONFIG, dump_config, pretrained_file

# Of other categories: the joint taxonomy's start from scratch.
LEFT_OUT = ("head.cls_embed.", "head.vocabulary.")


def pretrain(root: Path) -> None:
    """Train Mask2Former-VIS on 40 classes of sprites, unless that has been done.

    Args:
        root: folder of the experiment, with the data.

    Raises:
        RuntimeError: if the training fails; names the log.
    """
    target = pretrained_file(root)
    if target.is_file():
        return
    folder = root / target.stem
    if not (folder / "config.json").is_file():
        dump_config(Config.fromfile(PRETRAIN_CONFIG).to_dict(), folder, root)
    log = folder / "output.log"
    print(f"pre-training, some minutes; log: {log}", flush=True)
    with open(log, "a") as file:
        status = subprocess.run(
            [sys.executable, "-m", "experiments.miniature.worker", str(folder)],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=worker_environment(),
        )
    if status.returncode:
        raise RuntimeError(f"pre-training failed ({status.returncode}); log: {log}")
    checkpoint = torch.load(find_latest_checkpoint(str(folder)), weights_only=True)
    weights = {
        key: value
        for key, value in checkpoint["state_dict"].items()
        if not key.startswith(LEFT_OUT)
    }
    draft = target.with_suffix(".partial")
    torch.save({"state_dict": weights}, draft)
    draft.rename(target)
