"""A run that was killed and resumed equals the one that was not, bit by bit."""

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from toy_training import run_training, toy_config, with_validation

from tmt_vis.engine import DeterministicRNGHook, seed_everything


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    runner, log = run_training(toy_config(tmp_path_factory.mktemp("unbroken")))
    return log, runner.model.state_dict()


# Checkpoints are written after iterations 2, 4 and 6.
@pytest.mark.parametrize("die_after", [1, 2, 3, 4, 5])
def test_killed_and_resumed_equals_unbroken(unbroken, tmp_path, die_after):
    _, before = run_training(toy_config(tmp_path), die_after=die_after)
    runner, after = run_training(toy_config(tmp_path, resume=True))
    want_log, want_state = unbroken
    assert min(after) == die_after // 2 * 2
    assert {**before, **after} == want_log
    for name, tensor in runner.model.state_dict().items():
        assert torch.equal(tensor, want_state[name])


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_and_validation_do_not_change_the_run(unbroken, tmp_path, persistent):
    def config(**overrides):
        cfg = with_validation(toy_config(tmp_path, **overrides), every=3)
        cfg.train_dataloader.update(num_workers=1, persistent_workers=persistent)
        return cfg

    _, before = run_training(config(), die_after=3)
    _, after = run_training(config(resume=True))
    assert {**before, **after} == unbroken[0]


def test_resume_without_a_configured_seed(tmp_path):
    cfg = toy_config(tmp_path, seed=None)
    _, whole = run_training(cfg)  # saves iterations 2, 4 and 6
    resumed = toy_config(tmp_path, seed=None, load_from=str(tmp_path / "iter_2.pth"))
    resumed.resume = True
    _, after = run_training(resumed)
    assert after == {i: whole[i] for i in (2, 3, 4, 5)}


def test_one_cycle_resumes(tmp_path):
    """Its state holds a function, which no weights-only checkpoint can."""
    one_cycle = dict(type="OneCycleLR", eta_max=0.1, total_steps=6, by_epoch=False)
    overrides = dict(param_scheduler=[one_cycle])
    _, whole = run_training(toy_config(tmp_path / "a", **overrides))
    run_training(toy_config(tmp_path / "b", **overrides), die_after=3)
    resumed = toy_config(tmp_path / "b", **overrides)
    resumed.resume = True
    _, after = run_training(resumed)
    assert after == {i: whole[i] for i in (2, 3, 4, 5)}


def test_losses_depend_on_the_seed(unbroken, tmp_path):
    _, log = run_training(toy_config(tmp_path, seed=4, max_iters=1))
    assert log[0] != unbroken[0][0]


def test_sampler_that_cannot_continue_is_refused_at_the_start(tmp_path):
    cfg = toy_config(tmp_path)
    cfg.train_dataloader.sampler = dict(type="InfiniteSampler")
    with pytest.raises(TypeError, match=r"set_position.*InfiniteSampler"):
        run_training(cfg)


def draw():
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_random_numbers_are_a_function_of_seed_iteration_and_rank():
    draws = {}
    for seed, iteration, rank in [
        (0, 0, 0),
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
        (0, 0, 0),
    ]:
        seed_everything(seed=seed, iteration=iteration, rank=rank)
        draws.setdefault((seed, iteration, rank), set()).add(draw())
    assert all(len(values) == 1 for values in draws.values())
    columns = zip(*(values.pop() for values in draws.values()), strict=True)
    assert all(len(set(column)) == 4 for column in columns)


def test_hook_seeds_by_the_iteration_of_the_runner():
    draws = []
    for iteration in (0, 1, 0):
        runner = SimpleNamespace(seed=0, iter=iteration)
        DeterministicRNGHook().before_train_iter(runner, batch_idx=5)
        draws.append(draw())
    assert draws[0] == draws[2] != draws[1]
