"""A published file: weights, meaning, hash; no pickles, no local paths."""

import hashlib
import re
from collections import OrderedDict
from datetime import datetime

import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import load_checkpoint
from toy_training import ToyModel, run_training, toy_config

from tmt_vis.engine import UnsafeCheckpointError
from tmt_vis.engine.checkpoint_publishing import hide_local_paths, publish_checkpoint


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with weight averaging."""
    cfg = toy_config(tmp_path_factory.mktemp("home") / "run", max_iters=4)
    cfg.custom_hooks.append(dict(type="EMAHook", momentum=0.1))
    cfg.experiment_name = "tmt-vis_toy"
    runner, _ = run_training(cfg)
    return f"{cfg.work_dir}/iter_4.pth", runner


def load(path):
    return torch.load(path, weights_only=True)


def test_published_file_holds_weights_and_meaning_only(
    trained, tmp_path, load_tool, capsys
):
    source, _ = trained
    load_tool("publish_checkpoint").main([source, "--out-dir", str(tmp_path)])
    (path,) = tmp_path.iterdir()
    assert capsys.readouterr().out.strip() == str(path)
    published, meta = load(path), load(source)["meta"]
    assert set(published) == {"meta", "state_dict"}
    assert published["meta"]["dataset_meta"] == meta["dataset_meta"]
    assert str(tmp_path.parent) in meta["cfg"]  # the toy run's work_dir
    assert str(tmp_path.parent) not in str(published["meta"])
    assert re.search(r"^work_dir ?= ?'run'$", published["meta"]["cfg"], re.M)
    load_checkpoint(ToyModel(), str(path), strict=True)


def test_name_tells_config_time_and_hash(trained, tmp_path):
    path = publish_checkpoint(trained[0], out_dir=tmp_path)
    match = re.fullmatch(r"tmt-vis_toy_(\d{8}_\d{6})-([0-9a-f]{8})\.pth", path.name)
    assert datetime.strptime(match[1], "%Y%m%d_%H%M%S").year >= 2024
    assert match[1] == load(trained[0])["meta"]["time"]
    assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(match[2])
    assert publish_checkpoint(trained[0], out_dir=tmp_path, name="a").name.startswith(
        "a_2"
    )


def test_averaged_weights_are_preferred(trained, tmp_path):
    source, runner = trained
    raw = runner.model.state_dict()
    averaged = next(h for h in runner.hooks if hasattr(h, "ema_model")).ema_model.module
    assert not torch.equal(raw["linear.weight"], averaged.linear.weight)
    for prefer, want in [(True, averaged.state_dict()), (False, raw)]:
        path = publish_checkpoint(source, out_dir=tmp_path, averaged=prefer)
        got = load(path)["state_dict"]
        assert list(got) == list(want)
        assert all(torch.equal(got[name], want[name]) for name in want)
        assert got._metadata == raw._metadata


def foreign_checkpoint(path):
    state = OrderedDict(weight=torch.ones(2))
    meta = dict(experiment_name="other", time="20240102_030405")
    torch.save(dict(state_dict=state, meta=meta, hub=HistoryBuffer([1.0], [1])), path)
    return path


def test_foreign_file_needs_trust(tmp_path):
    source = foreign_checkpoint(tmp_path / "mmdet.pth")
    with pytest.raises(UnsafeCheckpointError):
        publish_checkpoint(source, out_dir=tmp_path)
    path = publish_checkpoint(source, out_dir=tmp_path, trust_local=True)
    assert load(path)["state_dict"]["weight"].tolist() == [1, 1]


def test_nameless_checkpoint_is_explained(tmp_path):
    # With its weights under state_dict, or bare: neither says when it was saved.
    for content in (dict(state_dict=dict(w=torch.ones(1))), dict(w=torch.ones(1))):
        torch.save(content, tmp_path / "bare.pth")
        with pytest.raises(ValueError, match="--name"):
            publish_checkpoint(tmp_path / "bare.pth", out_dir=tmp_path)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("data_root='/home/me/data/ytvis/'", "data_root='ytvis'"),
        ("['/a/b.json', \"~/c/d.json\"]", "['b.json', \"d.json\"]"),
        (r"C:\Users\me\x.pth", "x.pth"),
        ("https://host/a/b.pth", "https://host/a/b.pth"),
        ("s3://bucket/a", "s3://bucket/a"),
        ("data/ytvis/train.json", "data/ytvis/train.json"),
        ("../data/x", "../data/x"),
        ("lr = 1 / 2", "lr = 1 / 2"),
        ("mmdet::_base_/x.py", "mmdet::_base_/x.py"),
    ],
)
def test_only_local_paths_are_shortened(text, want):
    assert hide_local_paths({"k": [text]}) == {"k": [want]}
