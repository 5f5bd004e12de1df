"""One run: train, predict all held-out videos, write down what came out.

    python -m experiments.miniature.worker FOLDER

FOLDER holds ``config.json``, which the runner wrote; ``metrics.json`` appears in it
when all is done. A run that was interrupted goes on from its newest checkpoint.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint

from tmt_vis.checkpoints.digests import hash_of
from tmt_vis.files import write_atomically

from . import learned_tokens, oracle  # noqa: F401  they register their heads
from .outcome import evaluate_run, taxonomy_file
from .probe import RANKS

CURVES = (
    "loss",
    "loss_cls",
    "loss_mask",
    "loss_dice",
    "d0.loss_taxo",
    "loss_taxo_comp",
    *(f"{name}@{count}" for name in ("recall", "recall_prior") for count in RANKS),
)


def run(folder: Path) -> None:
    """Train as the folder's config says and write ``metrics.json``.

    Args:
        folder: of the run.
    """
    torch.set_num_threads(1)
    # mmengine formats the config with yapf for each log and checkpoint: seconds, of a
    # run of a minute.
    Config.pretty_text = property(lambda cfg: json.dumps(cfg.to_dict(), indent=1))
    cfg = Config.fromfile(folder / "config.json")
    cfg.work_dir = str(folder)
    cfg.resume = find_latest_checkpoint(str(folder)) is not None
    start, start_cpu = time.monotonic(), time.process_time()
    metrics = cfg.val_evaluator["metrics"] if cfg.val_evaluator else {}
    for name, metric in metrics.items():
        metric["taxonomy_file"] = str(taxonomy_file(folder, name))
    runner = Runner.from_cfg(cfg)
    runner.train()
    report = {
        "datasets": {n: evaluate_run(folder, n, metrics[n]) for n in metrics},
        "curves": _curves(folder),
        "seconds": time.monotonic() - start,
        "cpu_seconds": time.process_time() - start_cpu,
        "resumed": bool(cfg.resume),
        "torch": torch.__version__,
        # Processors round differently, so a pre-training is one of its own on each.
        "start": hash_of(Path(cfg.load_from))[:8] if cfg.load_from else None,
        "commit": _commit(),
    }
    text = json.dumps(report, indent=1)
    write_atomically(folder / "metrics.json", text.encode())


def _commit() -> str:
    """Return the commit of the code, with a mark if it was changed since."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    result = subprocess.run(command, capture_output=True, text=True)
    return result.stdout.strip() or "unknown"


def _curves(folder: Path) -> dict[str, list]:
    """Return losses and recalls over the iterations, of all attempts together."""
    records: dict[int, dict] = {}
    for file in sorted(folder.glob("*/vis_data/scalars.json")):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        records |= {line["step"]: line for line in lines if "loss" in line}
    steps = sorted(records)
    names = [name for name in CURVES if name in records[steps[-1]]]
    return {"step": steps} | {n: [records[s].get(n) for s in steps] for n in names}


if __name__ == "__main__":
    run(Path(sys.argv[1]))
