"""What goes wrong around training stops it with a reason, and costs no checkpoint."""

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.full_disk import full_disk
from mmdet.models.backbones.swin import WindowMSA
from mmdet.registry import DATASETS
from torch import nn
from toy_training import ToyDataset, ToyModel, run_training, toy_config

from tmt_vis.checkpoints import load_file
from tmt_vis.engine import (
    DamagedCheckpointError,
    DataWorkerError,
    IncompleteWeightsError,
    NonFiniteLossError,
    NonFiniteLossHook,
    load_complete_weights,
)
from tmt_vis.engine.launch import build_tester

# ------------------------------------------------------------------------------ NaN


def test_nan_on_a_full_disk_is_still_reported_as_nan(tmp_path):
    runner = SimpleNamespace(iter=4, seed=3, work_dir=str(tmp_path))
    outputs, hook = dict(loss=torch.tensor(float("nan"))), NonFiniteLossHook()
    with full_disk(0), pytest.raises(NonFiniteLossError, match="could not be written"):
        hook.after_train_iter(runner, 4, None, outputs)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NonFiniteLossError, match=r"iteration 5 .* are listed in"):
        hook.after_train_iter(runner, 4, None, outputs)
    report = json.loads((tmp_path / "non_finite_loss_iter5_rank0.json").read_text())
    assert (report["iteration"], report["rank"], report["seed"]) == (5, 0, 3)


# ------------------------------------------------------------------- killed workers


@DATASETS.register_module()
class DeadlyDataset(ToyDataset):
    """Kills the process that loads a clip, once, if the file says so."""

    def __init__(self, bomb):
        self.bomb = Path(bomb)

    def __getitem__(self, index):
        if index == 255 and self.bomb.exists():  # position 6 of the sampler, seed 3
            self.bomb.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def test_killed_data_worker(tmp_path):
    bomb = tmp_path / "bomb"
    bomb.touch()

    def config(**overrides):
        cfg = toy_config(tmp_path / "run", **overrides)
        cfg.train_dataloader.dataset = dict(type="DeadlyDataset", bomb=str(bomb))
        # Prefetching less, so that two iterations are done before the bomb.
        cfg.train_dataloader.update(num_workers=1, prefetch_factor=1)
        return cfg

    # The worker loads the clips of iteration 4 during iteration 3, in which its end may
    # already be noticed.
    with pytest.raises(
        DataWorkerError, match=r"(?s)iteration [34];.*--resume.*num_workers"
    ):
        run_training(config())
    saved = load_file(tmp_path / "run" / "iter_2.pth")
    assert saved["meta"]["iter"] == 2
    _, log = run_training(config(resume=True))
    _, unbroken = run_training(toy_config(tmp_path / "unbroken"))
    assert log == {i: unbroken[i] for i in (2, 3, 4, 5)}


# ------------------------------------------------------------------------- settings


def test_batch_sizes_must_agree(tmp_path):
    cfg = toy_config(tmp_path)
    cfg.train_dataloader.batch_size = 4
    with pytest.raises(
        ValueError, match=r"sampler.batch_size must be equal, got 4 and 2"
    ):
        run_training(cfg)


# ---------------------------------------------------------------------- checkpoints


def damaged(kind):
    path = Path(f"{kind}.pth")
    torch.save(dict(state_dict={"w": torch.zeros(1000)}), path)
    whole = path.read_bytes()
    return {
        "half": whole[: len(whole) // 2],
        "all but the end": whole[:-1],
        "empty": b"",
        "text": b"hello world",
        "web page": b"<!doctype html>",
        "pointer": b"version https://git-lfs.github.com/spec/v1",
        "pickle": b"\x80\x02garbage",
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["half", "all but the end", "empty", "text", "web page", "pointer", "pickle"],
)
def test_damaged_checkpoint(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.pth").write_bytes(damaged(kind))
    with pytest.raises(DamagedCheckpointError, match=r"c\.pth is damaged or no checkp"):
        load_file("c.pth")


def make_tester(tmp_path, weights):
    path = tmp_path / "c.pth"
    torch.save(dict(state_dict=weights), path)
    cfg = toy_config(tmp_path / "run", launcher="none")
    for key in ("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler"):
        cfg.pop(key)
    cfg.test_dataloader = dict(
        batch_size=100,
        num_workers=0,
        dataset=dict(type="ToyDataset"),
        sampler=dict(type="DefaultSampler", shuffle=False),
    )
    cfg.test_cfg, cfg.test_evaluator = dict(), dict(type="ToyMetric")
    return build_tester(cfg, str(path))


def test_testing_a_checkpoint_of_another_model(tmp_path):
    weights = ToyModel().state_dict()
    wrapped = {f"module._orig_mod.{key}": value for key, value in weights.items()}
    for right in (weights, wrapped):
        assert make_tester(tmp_path, right).test() == dict(score=1000.0)
    for wrong, message in (
        ({"backbone.weight": torch.zeros(1)}, r"c\.pth lacks 2 of the 2 tensors"),
        ({**weights, "linear.bias": torch.zeros(7)}, "(?s)does not fit.*size mismatch"),
    ):
        with pytest.raises(IncompleteWeightsError, match=message):
            make_tester(tmp_path, wrong).test()


def test_an_index_that_follows_from_the_sizes_may_be_missing():
    model = nn.Sequential(WindowMSA(32, 1, (7, 7)))
    weights, key = model.state_dict(), "0.relative_position_index"
    index = weights.pop(key).clone()
    load_complete_weights(model, weights, source="c.pth")
    assert torch.equal(model.state_dict()[key], index)
    del weights["0.relative_position_bias_table"]
    with pytest.raises(IncompleteWeightsError, match="lacks 1 of the 6 tensors"):
        load_complete_weights(model, weights, source="c.pth")
