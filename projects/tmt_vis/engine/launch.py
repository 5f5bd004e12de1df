"""From command-line arguments to a runner, for tools/train.py and tools/test.py."""

import argparse
import os
from pathlib import Path

import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import init_dist, is_distributed
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from .complete_weights_hook import CompleteWeightsHook
from .config_files import CfgOptions, read_config
from .video_runner import VideoRunner

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")


def add_runtime_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that mmdet's train and test tools share.

    Args:
        parser: gets `--work-dir`, `--cfg-options`, `--launcher` and `--local-rank`.
    """
    parser.add_argument("--work-dir", help="folder for logs, checkpoints and results")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=CfgOptions,
        help="override config entries: key.sub=value; lists as key=a,b or key='[a,b]'",
    )
    parser.add_argument("--launcher", choices=LAUNCHERS, default="none")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0)


def load_config(args: argparse.Namespace) -> Config:
    """Read the config file and apply the command line to it.

    Args:
        args: `config` and the options of `add_runtime_arguments`.

    Returns:
        The config; its `work_dir` is that of the command line, else that of the file,
        else `work_dirs/` plus the file's name.

    Raises:
        ConfigError: if the file is no config of a model, or an option has no place.
    """
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get("work_dir") is None:
        cfg.work_dir = str(Path("work_dirs") / Path(args.config).stem)
    return cfg


def build_runner(cfg: Config) -> Runner:
    """Build the runner, on machines without an accelerator as well.

    Args:
        cfg: the complete config; `launcher` says how processes were started.

    Returns:
        The runner.
    """
    join_processes(cfg)
    cfg.setdefault("runner_type", VideoRunner.__name__)
    return RUNNERS.build(cfg)


def join_processes(cfg: Config) -> None:
    """Connect the processes that a launcher started, once.

    Args:
        cfg: the complete config; its `launcher` says how processes were started.
    """
    launcher = cfg.get("launcher", "none")
    if launcher == "pytorch" and get_device() == "cpu":
        _join_cpu_processes(cfg)
    elif launcher != "none" and not is_distributed():
        init_dist(launcher, **cfg.env_cfg.get("dist_cfg", dict(backend="nccl")))


def build_tester(cfg: Config, checkpoint: str) -> Runner:
    """Build a runner that tests a checkpoint, and refuses one of another model.

    Args:
        cfg: the complete config.
        checkpoint: file or address.

    Returns:
        The runner.
    """
    cfg.load_from = checkpoint
    runner = build_runner(cfg)
    runner.register_hook(CompleteWeightsHook())
    return runner


def _join_cpu_processes(cfg: Config) -> None:
    """Connect the ranks by gloo and wrap the model for it.

    mmengine selects a CUDA device whatever the backend and passes a device id to
    DistributedDataParallel; both fail on a machine without CUDA.
    """
    if not torch_dist.is_initialized():
        torch_dist.init_process_group("gloo")
    cfg.model_wrapper_cfg = dict(
        type="MMDistributedDataParallel",
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get("find_unused_parameters", False),
    )
