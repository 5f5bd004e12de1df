"""The weights that runs start from."""

import subprocess
import sys
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import find_latest_checkpoint

from tmt_vis.progress import progress_bar

from .runner import POLL_SECONDS, last_step, worker_environment
from .runs import dump_config, pretrained_file

# Of other categories: the joint taxonomy's start from scratch.
LEFT_OUT = ("head.query_decoder.cls_embed.", "head.vocabulary.")


def pretrain(root: Path, config: Path) -> None:
    """Train Mask2Former-VIS on 40 classes of sprites, unless that has been done.

    Args:
        root: folder of the experiment, with the data.
        config: of the training.

    Raises:
        RuntimeError: if the training fails; names the log.
    """
    target = pretrained_file(root, config)
    if target.is_file():
        return
    folder, cfg = root / target.stem, Config.fromfile(config)
    if not (folder / "config.json").is_file():
        dump_config(cfg.to_dict(), folder, root)
    log = folder / "output.log"
    print(f"pre-training, once; log: {log}", flush=True)
    status = _train(folder, log, cfg.train_cfg.max_iters)
    if status:
        raise RuntimeError(f"pre-training failed ({status}); log: {log}")
    checkpoint = torch.load(find_latest_checkpoint(str(folder)), weights_only=True)
    weights = {
        key: value
        for key, value in checkpoint["state_dict"].items()
        if not key.startswith(LEFT_OUT)
    }
    draft = target.with_suffix(".partial")
    torch.save({"state_dict": weights}, draft)
    draft.rename(target)


def _train(folder: Path, log: Path, max_iters: int) -> int:
    """Do the training in a process of its own; return its exit status."""
    command = [sys.executable, "-m", "experiments.miniature.worker", str(folder)]
    with (
        open(log, "a") as file,
        progress_bar(desc="pre-training", total=max_iters, unit="it") as bar,
    ):
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env=worker_environment()
        )
        try:
            while process.poll() is None:
                time.sleep(POLL_SECONDS)
                bar.update(last_step(folder) - bar.n)
        finally:
            process.terminate()
    return process.returncode
