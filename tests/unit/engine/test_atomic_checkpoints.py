"""A full disk or a kill never costs the last good checkpoint."""

import errno
import os
from pathlib import Path

import pytest
import torch
from mmengine.runner import find_latest_checkpoint
from toy_training import run_training, toy_config, with_validation

from tmt_vis.files import write_atomically


class FullDisk:
    """`os.fsync` that fails from the n-th call on, when half a file is written."""

    def __init__(self, fail_from):
        self.calls, self.fail_from = 0, fail_from

    def __call__(self, descriptor):
        self.calls += 1
        if self.calls >= self.fail_from:
            os.ftruncate(descriptor, 10)
            raise OSError(errno.ENOSPC, "No space left on device")


def files(folder):
    return sorted(path.name for path in Path(folder).iterdir() if path.is_file())


def test_write_replaces_the_whole_file(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two" and files(path.parent) == ["file"]


def test_permissions_follow_the_umask(tmp_path):
    write_atomically(tmp_path / "file", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_full_disk_leaves_the_previous_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"good")
    monkeypatch.setattr(os, "fsync", FullDisk(1))
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"better")
    assert path.read_bytes() == b"good" and files(tmp_path) == ["file"]


def keep_one(tmp_path, **overrides):
    cfg = toy_config(tmp_path, **overrides)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 1
    return cfg


# Per save: fsync of the checkpoint, then of the pointer. 3 = second checkpoint,
# 4 = its pointer.
@pytest.mark.parametrize("fail_from", [3, 4])
def test_full_disk_keeps_a_checkpoint_to_resume_from(tmp_path, monkeypatch, fail_from):
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", FullDisk(fail_from))
        with pytest.raises(OSError, match="No space left"):
            run_training(keep_one(tmp_path))
    latest = find_latest_checkpoint(str(tmp_path))
    assert latest.endswith("iter_2.pth")
    assert torch.load(latest, weights_only=True)["meta"]["iter"] == 2
    _, log = run_training(keep_one(tmp_path, resume=True))
    assert sorted(log) == [2, 3, 4, 5]
    assert [name for name in files(tmp_path) if name.endswith(".pth")] == ["iter_6.pth"]


def test_outdated_checkpoints_are_removed_once_the_new_one_is_there(tmp_path):
    run_training(keep_one(tmp_path, max_iters=4))
    assert not (tmp_path / "iter_2.pth").exists()
    assert (tmp_path / "iter_4.pth").exists()


def test_better_best_checkpoint_replaces_the_previous_one(tmp_path):
    cfg = with_validation(keep_one(tmp_path, max_iters=4), every=2)
    cfg.default_hooks.checkpoint.update(save_best="score", rule="greater")
    cfg.val_evaluator.type = "GrowingMetric"
    run_training(cfg)
    best = [name for name in files(tmp_path) if name.startswith("best")]
    assert best == ["best_score_iter_4.pth"]


def test_full_disk_keeps_the_previous_best_checkpoint(tmp_path, monkeypatch):
    cfg = with_validation(keep_one(tmp_path, max_iters=4), every=2)
    cfg.default_hooks.checkpoint.update(save_best="score", rule="greater")
    cfg.val_evaluator.type = "GrowingMetric"
    # Iteration 2: last, pointer, best, last, pointer. Iteration 4: last, pointer, best.
    monkeypatch.setattr(os, "fsync", FullDisk(8))
    with pytest.raises(OSError, match="No space left"):
        run_training(cfg)
    assert "best_score_iter_2.pth" in files(tmp_path)
    assert find_latest_checkpoint(str(tmp_path)).endswith("iter_4.pth")
