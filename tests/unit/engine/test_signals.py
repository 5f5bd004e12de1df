"""SIGTERM writes a checkpoint before training ends; nobody outlives the launcher."""

import multiprocessing
import os
import select
import signal
import subprocess
import time
from functools import partial

import pytest
import torch
from helpers.two_ranks import run_two_ranks
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from toy_training import run_training, toy_config, with_validation

from tmt_vis.command_line import Terminated
from tmt_vis.engine.stop_requests import SignalProofWorkers, end_with_parent


@HOOKS.register_module()
class TerminateHook(Hook):
    """Send SIGTERM as Slurm does: to this process and its data workers."""

    def __init__(self, at, where="train", rank="0"):
        self.at, self.where, self.rank = at, where, rank

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if self.where == "train" and runner.iter + 1 == self.at:
            self._send()

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        if self.where == "val" and runner.iter == self.at:
            self._send()

    def _send(self):
        if os.environ.get("RANK", "0") != self.rank:
            return
        for worker in multiprocessing.active_children():
            # From elsewhere: workers take it from their parent for an ordinary end.
            subprocess.run(["kill", str(worker.pid)], check=True)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)


EMA = dict(type="EMAHook", momentum=0.1)


def config(work_dir, *, workers=0, **terminate):
    # Saved every 4 iterations, validated every 3.
    cfg = with_validation(toy_config(work_dir, save_every=4), every=3)
    cfg.custom_hooks.append(EMA)
    cfg.train_dataloader.num_workers = workers
    if terminate:
        cfg.custom_hooks.append(dict(type="TerminateHook", **terminate))
    return cfg


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    runner, log = run_training(config(tmp_path_factory.mktemp("unbroken")))
    return log, runner.model.state_dict()


@pytest.mark.parametrize(
    ("at", "where", "workers"),
    [(1, "train", 0), (2, "train", 1), (4, "train", 0), (3, "val", 0), (6, "train", 0)],
)
def test_a_terminated_run_goes_on_where_it_stopped(
    unbroken, tmp_path, at, where, workers
):
    path = tmp_path / f"iter_{at}.pth"
    with pytest.raises(Terminated, match=rf"by SIGTERM at iteration {at}: .*{path}"):
        run_training(config(tmp_path, at=at, where=where, workers=workers))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert torch.load(path, weights_only=True)["meta"]["iter"] == at
    cfg = config(tmp_path)
    cfg.resume = True
    runner, log = run_training(cfg)
    want, state = unbroken
    assert log == {i: want[i] for i in range(at, 6)}
    for name, tensor in runner.model.state_dict().items():
        assert torch.equal(tensor, state[name])


def wait_for_ever(_worker):
    time.sleep(60)


def test_workers_end_for_their_parent_only():
    process = multiprocessing.get_context("fork").Process(
        target=SignalProofWorkers(wait_for_ever), args=(0,)
    )
    process.start()
    time.sleep(0.2)
    subprocess.run(["kill", str(process.pid)], check=True)
    process.join(0.2)
    assert process.is_alive()
    process.terminate()
    process.join(20)
    assert process.exitcode == 0


def test_the_tool_says_so_in_one_line(tmp_path, load_tool, capsys):
    config(tmp_path / "run", at=2).dump(tmp_path / "toy.py")
    assert load_tool("train").main([str(tmp_path / "toy.py")]) == 143
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("error: ended by SIGTERM at iteration 2: checkpoint")
    assert line.endswith("--resume goes on")


@pytest.mark.skipif(torch.cuda.is_available(), reason="the ranks of this test use gloo")
def test_a_signal_to_one_rank_ends_both_at_one_iteration(tmp_path, load_tool):
    cfg = config(tmp_path / "run", at=2, rank="1")
    cfg.dump(tmp_path / "toy.py")
    argv = [str(tmp_path / "toy.py"), "--launcher", "pytorch"]

    def main():
        status = load_tool("train").main(argv)
        raise RuntimeError(f"status {status}")

    outcomes = run_two_ranks(partial(main))
    assert outcomes == ["RuntimeError: status 143"] * 2
    saved = torch.load(tmp_path / "run" / "iter_2.pth", weights_only=True)
    position = saved["message_hub"]["runtime_info"]["data_position"]
    assert (position["clips"], position["clips_per_iteration"]) == (8, 4)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_rank_ends_with_its_launcher():
    reader, writer = os.pipe()
    launcher = os.fork()
    if launcher == 0:
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            end_with_parent()
            os.write(writer, b"ready")
            time.sleep(60)
            os._exit(0)
        time.sleep(60)
        os._exit(0)
    os.close(writer)
    assert os.read(reader, 5) == b"ready"
    os.kill(launcher, signal.SIGKILL)
    os.waitpid(launcher, 0)
    closed, _, _ = select.select([reader], [], [], 20)
    assert closed and os.read(reader, 1) == b""  # the rank is gone
    os.close(reader)
