"""Train a model: mmdet's tools/train.py, which also runs on CPUs in parallel.

python tools/train.py CONFIG
torchrun --nproc-per-node 8 tools/train.py CONFIG --launcher pytorch
"""

import argparse
import sys
from collections.abc import Sequence

from mmengine.config import Config

from tmt_vis.command_line import ToolParser, tool
from tmt_vis.engine.launch import add_runtime_arguments, build_runner, load_config


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line; the interface is that of mmdet."""
    parser = ToolParser(__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("--amp", action="store_true", help="mixed precision")
    parser.add_argument(
        "--auto-scale-lr",
        action="store_true",
        help="scale the learning rate to the actual batch size",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        help="checkpoint to continue from; without a value the latest in the work dir",
    )
    add_runtime_arguments(parser)
    return parser.parse_args(argv)


def enable_amp(cfg: Config) -> None:
    """Switch the optimiser wrapper to mixed precision."""
    cfg.optim_wrapper.type = "AmpOptimWrapper"
    cfg.optim_wrapper.loss_scale = "dynamic"


def enable_auto_scale_lr(cfg: Config) -> None:
    """Switch on learning-rate scaling.

    Raises:
        KeyError: if the config does not say for which batch size its rate is meant.
    """
    if "base_batch_size" not in cfg.get("auto_scale_lr", {}):
        raise KeyError(
            "--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the "
            f"config, got auto_scale_lr={cfg.get('auto_scale_lr')}"
        )
    cfg.auto_scale_lr.enable = True


def request_resume(cfg: Config, resume: str) -> None:
    """Continue from a checkpoint, or from the latest one for 'auto'."""
    cfg.resume = True
    cfg.load_from = None if resume == "auto" else resume


def train(args: argparse.Namespace) -> None:
    """Train as the command line says."""
    cfg = load_config(args)
    if args.amp:
        enable_amp(cfg)
    if args.auto_scale_lr:
        enable_auto_scale_lr(cfg)
    if args.resume is not None:
        request_resume(cfg, args.resume)
    build_runner(cfg).train()


@tool(interrupted="the same command with --resume goes on")
def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    train(parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
