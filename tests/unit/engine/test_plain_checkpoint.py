"""Every checkpoint loads weights-only and brings the training state back."""

import shutil
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from mmdet.registry import HOOKS
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner, find_latest_checkpoint, load_checkpoint
from toy_training import ToyModel, run_training, toy_config, with_validation

from tmt_vis.checkpoints import load_file
from tmt_vis.engine import (
    PlainDataError,
    UnsafeCheckpointError,
    from_plain,
    to_plain,
)


def round_trip(value, tmp_path):
    path = tmp_path / "value.pt"
    torch.save(to_plain(value, "value"), path)
    return from_plain(torch.load(path, weights_only=True))


@pytest.mark.parametrize(
    "value",
    [
        None,
        (1, 2.5, True, "a", b"b"),
        {"a": [1, (2,)], 3: {}},
        Counter({4: 1}),
        {1, 2},
        torch.float16,
        torch.Size([1, 2]),
    ],
    ids=repr,
)
def test_plain_values_survive(value, tmp_path):
    restored = round_trip(value, tmp_path)
    assert restored == value and type(restored) is type(value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3)[:, ::-1],
        np.array(2.5),
        np.array([1, 2], dtype=np.int16),
        np.array(["a", "bcd"]),
        np.zeros((0, 3), dtype=bool),
    ],
    ids=lambda a: a.dtype.str,
)
def test_arrays_survive(array, tmp_path):
    restored = round_trip(array, tmp_path)
    assert restored.dtype == array.dtype and restored.shape == array.shape
    assert (restored == array).all()


def test_numpy_numbers_become_python_numbers():
    numbers = to_plain(
        [np.float32(0.1), np.int64(3), np.bool_(True), np.str_("a")], "x"
    )
    assert numbers == [float(np.float32(0.1)), 3, True, "a"]
    assert [type(number) for number in numbers] == [float, int, bool, str]


def test_config_dict_becomes_a_dict():
    assert type(to_plain(ConfigDict(a=1), "cfg")) is dict


def test_history_buffer_survives(tmp_path):
    history = HistoryBuffer([0.5, 1.5], [1, 2], max_length=7)
    restored = round_trip(dict(loss=history), tmp_path)["loss"]
    assert isinstance(restored, HistoryBuffer) and restored.max_length == 7
    for got, want in zip(restored.data, history.data, strict=True):
        assert got.dtype == want.dtype and (got == want).all()


def test_state_dict_keeps_its_module_versions(tmp_path):
    state = torch.nn.BatchNorm1d(2).state_dict()
    restored = round_trip(state, tmp_path)
    assert type(restored) is OrderedDict
    assert restored._metadata == state._metadata and "version" in state._metadata[""]


class Custom:
    pass


@pytest.mark.parametrize("value", [Custom(), np.array([Custom()]), np.longdouble(1)])
def test_unknown_types_are_named_with_their_key(value):
    with pytest.raises(PlainDataError, match=r"got .* at 'hub.info\[1\].x'"):
        to_plain({"info": [0, {"x": value}]}, "hub")


def test_unknown_type_stops_the_run_before_it_starts(tmp_path):
    cfg = toy_config(tmp_path)
    runner = Runner.from_cfg(cfg)
    runner.message_hub.update_info("extra", Custom())
    with pytest.raises(PlainDataError, match="message_hub.runtime_info.extra"):
        runner.train()
    assert runner.iter == 0


@HOOKS.register_module()
class ExtraStateHook(Hook):
    """Adds to the checkpoint what cannot be loaded weights-only."""

    def before_save_checkpoint(self, runner, checkpoint):
        checkpoint["extra"] = HistoryBuffer([1.0], [1])


EMA = dict(type="EMAHook", momentum=0.1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with everything that ends up in a checkpoint."""
    cfg = with_validation(toy_config(tmp_path_factory.mktemp("run")), every=4)
    cfg.custom_hooks += [EMA, dict(type="ExtraStateHook")]
    cfg.default_hooks.checkpoint.update(save_best="score", rule="greater")
    runner, log = run_training(cfg, die_after=5)
    return cfg, runner, log


def test_training_checkpoint_loads_weights_only(trained):
    cfg, runner, _ = trained
    path = find_latest_checkpoint(cfg.work_dir)
    assert path.endswith("iter_4.pth")
    checkpoint = torch.load(path, weights_only=True)
    assert {"meta", "state_dict", "message_hub", "optimizer"} < set(checkpoint)
    assert {"param_schedulers", "ema_state_dict"} < set(checkpoint)
    best = torch.load(f"{cfg.work_dir}/best_score_iter_4.pth", weights_only=True)
    assert best["message_hub"]["runtime_info"]["best_score"] == 1000.0


def test_resumed_state_is_the_saved_state(trained, tmp_path, monkeypatch):
    cfg, first, first_log = trained
    # In a copy of the folder, which other tests expect as the first run has left it.
    work_dir = shutil.copytree(cfg.work_dir, tmp_path / "run")
    cfg = cfg.copy()
    cfg.work_dir = str(work_dir)
    cfg.resume, cfg.experiment_name = True, "toy_resumed_state"
    warnings = []
    monkeypatch.setattr(
        "mmengine.logging.MMLogger.warning", lambda s, m: warnings.append(m)
    )
    second, log = run_training(cfg)
    assert sorted(log) == [4, 5]
    assert log[4] == first_log[4]  # computed by both runs
    assert not [m for m in warnings if "metainfo" in m]
    # One value per iteration, those before the restart included.
    losses = second.message_hub.get_scalar("train/loss").data[0]
    assert losses[:5].tolist() == [first_log[i][1]["loss"] for i in range(5)]
    assert second.message_hub.get_info("best_score") == 1000.0


def test_checkpoint_is_tested_by_a_runner_without_training(trained):
    cfg, _, _ = trained
    test_cfg = toy_config(cfg.work_dir, load_from=f"{cfg.work_dir}/iter_4.pth")
    for key in ("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler"):
        test_cfg.pop(key)
    test_cfg.test_dataloader = cfg.val_dataloader
    test_cfg.test_cfg, test_cfg.test_evaluator = dict(), cfg.val_evaluator
    assert Runner.from_cfg(test_cfg).test() == dict(score=1000.0)


def test_foreign_checkpoint_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "foreign.pth"
    torch.save(dict(state_dict={}, message_hub=HistoryBuffer([1.0], [1])), path)
    with pytest.raises(UnsafeCheckpointError, match="--trust-local") as error:
        load_checkpoint(ToyModel(), str(path))  # mmengine's own entry point
    assert "mmengine.logging.history_buffer.HistoryBuffer" in str(error.value)


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        load_file(tmp_path / "none.pth")


def test_downloads_are_loaded_weights_only(tmp_path, monkeypatch):
    torch.save(dict(state_dict={}, evil=Custom()), tmp_path / "cached.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    hub = tmp_path / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    (tmp_path / "cached.pth").rename(hub / "cached.pth")
    with pytest.raises(UnsafeCheckpointError, match="example.invalid.*--trust-local"):
        load_checkpoint(ToyModel(), "https://example.invalid/cached.pth")
