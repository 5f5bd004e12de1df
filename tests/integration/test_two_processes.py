"""Two gloo processes through tools/train.py equal one with the same global batch."""

import json
from functools import partial
from pathlib import Path

import torch
from helpers.tiny_model import build
from helpers.tiny_run import make_sprites, run_cfg
from helpers.two_ranks import run_two_ranks
from mmengine.runner import Runner

ITERS = 2


def _last_scalars(work_dir: Path) -> dict[str, float]:
    path = next(work_dir.glob("*/vis_data/scalars.json"))
    return json.loads(path.read_text().splitlines()[-1])


def test_gradients_and_ap_equal_one_process(tmp_path, load_tool):
    data = make_sprites(tmp_path)
    # From a file, because Runner.train() draws initial weights once more.
    start = build().state_dict()
    torch.save(start, tmp_path / "start.pth")
    configs = {}
    for name, batch_size in (("one", 2), ("two", 1)):
        cfg = run_cfg(data, tmp_path / name, iters=ITERS, batch_size=batch_size)
        cfg.experiment_name = name
        cfg.load_from = str(tmp_path / "start.pth")
        configs[name] = cfg
    Runner.from_cfg(configs["one"]).train()
    configs["two"].dump(tmp_path / "two.json")
    argv = [str(tmp_path / "two.json"), "--launcher", "pytorch"]
    ranks = run_two_ranks(partial(load_tool("train").main, argv))
    assert ranks == ["done", "done"]

    ours = torch.load(tmp_path / "one" / f"iter_{ITERS}.pth", weights_only=True)
    theirs = torch.load(tmp_path / "two" / f"iter_{ITERS}.pth", weights_only=True)
    for key, value in ours["state_dict"].items():
        other = theirs["state_dict"][key]
        # With plain SGD the weights moved by the learning rate times the gradient.
        torch.testing.assert_close(value, other, atol=1e-6, rtol=1e-4, msg=key)
    moved = [k for k, v in ours["state_dict"].items() if not torch.equal(v, start[k])]
    assert len(moved) > 100
    a, b = _last_scalars(tmp_path / "one"), _last_scalars(tmp_path / "two")
    names = {"ytvis19/AP", "ovis/AP", "mean/AP"}
    assert names <= set(a)
    assert {k: a[k] for k in names} == {k: b[k] for k in names}
