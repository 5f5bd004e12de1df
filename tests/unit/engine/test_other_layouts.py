"""Runs that resume on other machines: at the next clip, at the same rate per clip."""

import logging

import pytest
import torch
from toy_training import run_training, toy_config, with_validation

from tmt_vis.engine.launch import build_runner


def config(tmp_path, *, batch=2, **overrides):
    cfg = toy_config(tmp_path, log_level="INFO", **overrides)
    cfg.train_dataloader.batch_size = batch
    cfg.train_dataloader.sampler.batch_size = batch
    return cfg


def videos(log):
    return [video for iteration in sorted(log) for video in log[iteration][0]]


@pytest.fixture
def said():
    """What was logged; mmengine's loggers do not propagate."""

    class Relay(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    lines: list[str] = []
    relay, build = Relay(), build_runner

    def listen(cfg):
        runner = build(cfg)
        runner.logger.addHandler(relay)
        return runner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("toy_training.build_runner", listen)
        yield lines


@pytest.mark.parametrize(("before", "after"), [(2, 1), (2, 4), (4, 2), (2, 3), (2, 2)])
def test_another_batch_size_goes_on_at_the_next_clip(tmp_path, before, after, said):
    _, all_clips = run_training(config(tmp_path / "one", batch=1, max_iters=24))
    run_training(config(tmp_path / "two", batch=before, max_iters=2))
    _, log = run_training(config(tmp_path / "two", batch=after, resume=True))
    drawn = 2 * before
    assert videos(log) == videos(all_clips)[drawn : drawn + 4 * after]
    line = next(line for line in said if line.startswith("data go on"))
    assert f"clip {drawn} ({drawn} clips drawn in 2 iterations" in line
    changed = f"{before} per iteration until now and {after} from now on"
    assert (changed in line) == (before != after)
    assert not [line for line in said if "not those of the checkpoint" in line]


def test_twice_another_batch_size(tmp_path):
    _, all_clips = run_training(config(tmp_path / "one", batch=1, max_iters=24))
    for iters, batch in [(2, 4), (4, 1), (6, 2)]:
        cfg = config(tmp_path / "two", batch=batch, max_iters=iters, resume=True)
        _, log = run_training(cfg)
    assert videos(log) == videos(all_clips)[10:14]


def edited(path, edit):
    content = torch.load(path, weights_only=True)
    info = content["message_hub"]["runtime_info"]
    edit(info)
    torch.save(content, path)


def test_checkpoints_of_older_versions_resume(tmp_path, said):
    _, whole = run_training(config(tmp_path / "one"))
    run_training(config(tmp_path / "two"), die_after=2)
    edited(tmp_path / "two" / "iter_2.pth", lambda info: info.pop("data_position"))
    _, log = run_training(config(tmp_path / "two", resume=True))
    assert log == {i: whole[i] for i in (2, 3, 4, 5)}
    assert any("clip 4" in line and "0.4.2 or older" in line for line in said)


def test_other_datasets_are_said(tmp_path, said):
    run_training(config(tmp_path, max_iters=2))
    mixture = dict(sizes=dict(a=1), ratios=dict(a=1), homogeneous_batch=False)
    edited(
        tmp_path / "iter_2.pth",
        lambda info: info["data_position"].update(mixture=mixture),
    )
    _, log = run_training(config(tmp_path, resume=True))
    assert sorted(log) == [2, 3, 4, 5]
    (line,) = [line for line in said if "not those of the checkpoint" in line]
    assert str(mixture) in line and "goes on at clip 4" in line


@pytest.mark.parametrize(
    ("count", "batch", "rate"), [(1, 2, 0.025), (2, 2, 0.05), (4, 2, 0.1), (8, 1, 0.1)]
)
def test_learning_rates_are_scaled_by_the_clips_of_a_step(tmp_path, count, batch, rate):
    cfg = config(tmp_path, batch=batch, max_iters=1, param_scheduler=None)
    cfg.optim_wrapper.optimizer.lr = 0.1
    cfg.optim_wrapper.accumulative_counts = count
    cfg.auto_scale_lr = dict(enable=True, base_batch_size=8)
    runner, _ = run_training(cfg)
    assert runner.optim_wrapper.get_lr()["lr"] == [pytest.approx(rate)]


@pytest.mark.parametrize("loader", ["train", "val", "test"])
def test_no_workers_need_no_other_option(tmp_path, loader):
    cfg = with_validation(toy_config(tmp_path, max_iters=1), every=1)
    cfg.test_dataloader, cfg.test_cfg = cfg.val_dataloader.copy(), dict()
    cfg.test_evaluator = dict(type="ToyMetric")
    cfg[f"{loader}_dataloader"].update(
        num_workers=0, persistent_workers=True, prefetch_factor=4, timeout=60
    )
    if loader == "test":
        assert build_runner(cfg).test() == dict(score=1000.0)
    else:
        _, log = run_training(cfg)
        assert list(log) == [0]


@pytest.mark.parametrize("value", [-1, 0, 1.5, "6", True])
@pytest.mark.parametrize("option", ["max_iters", "val_interval"])
def test_numbers_of_iterations_are_checked(tmp_path, option, value):
    cfg = with_validation(toy_config(tmp_path), every=1)
    cfg.train_cfg[option] = value
    with pytest.raises(
        ValueError, match=rf"train_cfg.{option} must be an integer >= 1"
    ):
        run_training(cfg)
    assert not list(tmp_path.glob("*.pth"))


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"head.linear": {"lr_mult": 2.0}}, "['head.linear']"),
        ({"linear": {"lr_mult": 2.0}}, None),
        ({"backbone.norm": {"lr_mult": 2.0}}, None),  # of another backbone
    ],
)
def test_rates_that_no_parameter_gets_are_named(tmp_path, said, keys, named):
    cfg = config(tmp_path, max_iters=1)
    cfg.optim_wrapper.paramwise_cfg = dict(custom_keys=keys)
    run_training(cfg)
    warnings = [line for line in said if "match no parameter" in line]
    assert len(warnings) == (named is not None)
    assert named is None or named in warnings[0]
