"""tools/train.py and tools/test.py: options, and two processes without a GPU."""

import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from helpers.two_ranks import reserved_port, run_two_ranks
from mmdet.registry import MODELS
from toy_training import ToyModel, toy_config, with_validation

from tmt_vis.engine import NonFiniteLossError


@pytest.fixture
def config_file(tmp_path):
    cfg = with_validation(toy_config(tmp_path / "run", max_iters=4), every=4)
    cfg.test_dataloader, cfg.test_cfg = cfg.val_dataloader, dict()
    cfg.test_evaluator = cfg.val_evaluator
    cfg.auto_scale_lr = dict(base_batch_size=4)
    cfg.dump(tmp_path / "toy.py")
    return tmp_path / "toy.py"


def test_train_resume_and_test(config_file, load_tool, tmp_path):
    train, test = load_tool("train"), load_tool("test")
    work_dir = tmp_path / "elsewhere"
    options = ["--work-dir", str(work_dir), "--cfg-options", "experiment_name=cli"]
    assert train.main([str(config_file), *options, "train_cfg.max_iters=2"]) == 0
    assert (work_dir / "iter_2.pth").exists() and not (tmp_path / "run").exists()
    options[-1] += "_resumed"
    assert train.main([str(config_file), "--resume", *options]) == 0
    meta = torch.load(work_dir / "iter_4.pth", weights_only=True)["meta"]
    assert meta["iter"] == 4
    options[-1] += "_test"
    args = test.parse_args([str(config_file), str(work_dir / "iter_4.pth"), *options])
    metrics = test.test(args)
    assert metrics == dict(score=1000.0)


def test_options_change_the_config_as_in_mmdet(config_file, load_tool):
    train = load_tool("train")
    args = train.parse_args([str(config_file), "--resume", "a.pth", "--amp"])
    cfg = train.load_config(args)
    train.enable_amp(cfg)
    train.enable_auto_scale_lr(cfg)
    train.request_resume(cfg, args.resume)
    assert (cfg.optim_wrapper.type, cfg.auto_scale_lr.enable) == (
        "AmpOptimWrapper",
        True,
    )
    assert (cfg.resume, cfg.load_from) == (True, "a.pth")


def test_work_dir_defaults_to_the_config_name(config_file, load_tool):
    train = load_tool("train")
    text = config_file.read_text().splitlines()
    text = [line for line in text if not line.startswith("work_dir")]
    config_file.write_text("\n".join(text))
    cfg = train.load_config(train.parse_args([str(config_file)]))
    assert cfg.work_dir == os.path.join("work_dirs", "toy")


def test_auto_scale_lr_without_a_base_is_explained(config_file, load_tool):
    train = load_tool("train")
    cfg = train.load_config(train.parse_args([str(config_file)]))
    cfg.pop("auto_scale_lr")
    with pytest.raises(KeyError, match="base_batch_size"):
        train.enable_auto_scale_lr(cfg)


@MODELS.register_module()
class RankModel(ToyModel):
    """Diverges in the second iteration, on one rank only."""

    calls = 0

    def forward(self, inputs, data_samples=None, mode="tensor"):
        losses = super().forward(inputs, data_samples, mode)
        self.calls += 1
        if self.calls == 2 and os.environ["RANK"] == "1":
            losses["loss_a"] = losses["loss_a"] * float("nan")
        return losses


needs_cpu_only = pytest.mark.skipif(
    torch.cuda.is_available(), reason="with CUDA mmengine starts nccl itself"
)


@needs_cpu_only
def test_two_cpu_processes_train_one_model(config_file, load_tool, tmp_path):
    train = load_tool("train")
    argv = [str(config_file), "--launcher", "pytorch"]
    assert run_two_ranks(partial(train.main, argv)) == ["done", "done"]
    weights = torch.load(tmp_path / "run" / "iter_4.pth", weights_only=True)
    # The checkpoint of a wrapped model has no "module." prefix.
    assert set(weights["state_dict"]) == {"linear.weight", "linear.bias"}
    resumed = [*argv, "--resume", "--cfg-options", "train_cfg.max_iters=6"]
    assert run_two_ranks(partial(train.main, resumed)) == ["done", "done"]
    assert drawn_clips(tmp_path / "run" / "iter_6.pth") == 6 * 4
    # One process goes on behind the clips of both.
    alone = [str(config_file), "--resume", "--cfg-options", "train_cfg.max_iters=8"]
    assert train.main([*alone, "experiment_name=alone"]) == 0
    assert drawn_clips(tmp_path / "run" / "iter_8.pth") == 6 * 4 + 2 * 2


def drawn_clips(path):
    content = torch.load(path, weights_only=True)
    return content["message_hub"]["runtime_info"]["data_position"]["clips"]


@needs_cpu_only
def test_bad_loss_on_one_rank_stops_all_before_a_checkpoint(
    config_file, load_tool, tmp_path
):
    argv = [str(config_file), "--launcher", "pytorch"]
    argv += ["--cfg-options", "model.type=RankModel"]
    tool = load_tool("train")
    outcomes = run_two_ranks(partial(tool.train, tool.parse_args(argv)))
    assert outcomes[0].startswith(f"{NonFiniteLossError.__name__}: another rank")
    assert outcomes[1].startswith(
        f"{NonFiniteLossError.__name__}: losses must be finite"
    )
    assert not list((tmp_path / "run").glob("*.pth"))
    assert list((tmp_path / "run").glob("non_finite_loss_iter2_rank1.json"))


@pytest.mark.slow
@needs_cpu_only
def test_torchrun_starts_the_tool(config_file, repo_root, tmp_path):
    config = config_file.read_text()
    config_file.write_text(
        config + "\ncustom_imports = dict(imports=['toy_training'])\n"
    )
    command = [str(repo_root / "tools" / "dist_train.sh"), str(config_file), "2"]
    folder = os.path.dirname(__file__)
    path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    binaries = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = dict(os.environ, PYTHONPATH=path, PATH=binaries)
    with reserved_port() as port:
        environment["MASTER_PORT"] = str(port)
        subprocess.run(command, env=environment, check=True, timeout=300)
    assert (tmp_path / "run" / "iter_4.pth").exists()
