"""Every address of a checkpoint leads through one door, and only weights pass it."""

import pickle
import resource
from collections import OrderedDict

import numpy as np
import pytest
import torch
from helpers.hostile_files import (
    PAGE,
    POINTER,
    WEIGHTS,
    Trap,
    bombs,
    torch_bytes,
)
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint
from safetensors.torch import save_file
from torch import nn

import tmt_vis.engine  # noqa: F401  (puts the door in)
from tmt_vis.checkpoints import read_checkpoint
from tmt_vis.engine import IncompleteWeightsError, load_complete_weights


def load(path):
    return CheckpointLoader.load_checkpoint(str(path), map_location="cpu")


# ---------------------------------------------------------------------- addresses

URL = "https://example.invalid/models/model-0a1b2c3d.pth"
NAMES = {
    "torchvision://resnet18": "get_torchvision_models",
    "modelzoo://resnet18": "get_torchvision_models",
    "open-mmlab://resnet18": "get_external_models",
    "openmmlab://resnet18": "get_external_models",
    "mmcls://resnet18": "get_mmcls_models",
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A torch hub whose cache holds what would be downloaded."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for table in set(NAMES.values()):
        monkeypatch.setattr(mmengine_checkpoint, table, lambda: {"resnet18": URL})
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder / "model-0a1b2c3d.pth"


@pytest.mark.parametrize("address", [URL, *NAMES])
def test_no_scheme_executes_code_and_the_refused_file_goes(address, cache, tmp_path):
    sprung = tmp_path / "sprung"
    cache.write_bytes(torch_bytes({"state_dict": WEIGHTS, "x": Trap(sprung)}))
    with pytest.raises(ValueError, match="executes code.*download was removed"):
        load(address)
    assert not sprung.exists() and not cache.exists()


@pytest.mark.parametrize("address", [URL, *NAMES])
def test_every_scheme_loads_weights(address, cache):
    cache.write_bytes(torch_bytes({"model": {"module.backbone.w": WEIGHTS["w"]}}))
    name = "w" if address.startswith("mmcls") else "backbone.w"
    assert torch.equal(load(address)["state_dict"][name], WEIGHTS["w"])
    assert cache.exists()


def test_mmengine_keeps_no_scheme_of_its_own():
    loaders = {f.__module__ for f in CheckpointLoader._schemes.values()}
    assert loaders == {"tmt_vis.engine.checkpoint_loading"}


@pytest.mark.parametrize(
    "address, message",
    [
        ("torchvision://resnet1", "no published model .* similar ones: resnet18"),
        ("openmmlab://nothing", "no published model"),
        ("pavi://a/b.pth", "copy the file here"),
        ("s3://bucket/b.pth", "copy the file here"),
        ("ftp://host/b.pth", "no checkpoint at"),
    ],
)
def test_addresses_that_lead_nowhere(address, message, cache):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load(address)


# ----------------------------------------------------------- names and containers

PLAIN = {"a.weight": torch.ones(2, 2), "a.bias": torch.zeros(2)}


def renamed(prefix, **extra):
    return {f"{prefix}{key}": value for key, value in PLAIN.items()} | extra


FORMS = {
    "bare": PLAIN,
    "state_dict": {"state_dict": PLAIN, "meta": {}},
    "model": {"model": PLAIN, "optimizer": {}},
    "DeepSpeed": {"module": PLAIN},
    "DDP": {"state_dict": renamed("module.")},
    "DDP, bare": renamed("module."),
    "DDP twice": {"model": renamed("module.module.")},
    "torch.compile": {"state_dict": renamed("_orig_mod.")},
    "torch.compile in DDP": {"model": renamed("module._orig_mod.")},
    "DDP in torch.compile": renamed("_orig_mod.module."),
    "compiled part": {
        "a._orig_mod.weight": PLAIN["a.weight"],
        "a.bias": PLAIN["a.bias"],
    },
    "FSDP": renamed("_fsdp_wrapped_module."),
    "averages only": {
        "ema_state_dict": renamed("module.", steps=torch.tensor(9)),
        "state_dict": None,
    },
    "torch's averages": {"model_ema": renamed("module.", n_averaged=torch.tensor(9))},
    "arrays": {"model": {key: value.numpy() for key, value in PLAIN.items()}},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("read", [load, read_checkpoint], ids=["mmengine", "converter"])
def test_weights_are_found_under_plain_names(form, read, tmp_path):
    path = tmp_path / "c.pth"
    torch.save(FORMS[form], path)
    found = read(path)
    found = found["state_dict"] if read is load else found.weights
    assert set(found) == set(PLAIN)
    assert all(torch.equal(found[key], PLAIN[key]) for key in PLAIN)


def test_versions_of_wrapped_modules_keep_their_modules(tmp_path):
    model = nn.Sequential(nn.BatchNorm1d(2))
    wrapped = nn.DataParallel(model)
    torch.save({"state_dict": wrapped.state_dict()}, tmp_path / "c.pth")
    found = load(tmp_path / "c.pth")["state_dict"]
    assert isinstance(found, OrderedDict)
    assert found._metadata == model.state_dict()._metadata
    load_complete_weights(model, found, source="c.pth")


def test_a_module_called_module_keeps_its_name(tmp_path):
    state = {"module.weight": torch.ones(1), "weight": torch.zeros(1)}
    torch.save(state, tmp_path / "c.pth")
    assert list(load(tmp_path / "c.pth")["state_dict"]) == list(state)


@pytest.mark.parametrize("name", ["c.safetensors", "c.pth"])
def test_safetensors_is_known_by_its_content(name, tmp_path):
    save_file(renamed("module."), tmp_path / name, metadata={"epoch": "3"})
    found = load(tmp_path / name)
    assert set(found["state_dict"]) == set(PLAIN) and found["meta"] == {"epoch": "3"}
    assert set(read_checkpoint(tmp_path / name).weights) == set(PLAIN)


@pytest.mark.parametrize(
    "content, message",
    [
        ([1, 2], "holds a list, not a dict"),
        (torch.ones(2), "holds a Tensor, not a dict"),
        ("text", "holds a str, not a dict"),
        ({"state_dict": None}, "under 'state_dict', got None"),
        ({"state_dict": [torch.ones(2)]}, "under 'state_dict', got a list"),
        ({"state_dict": {}}, "under 'state_dict', got nothing"),
        ({"model": 3}, "under 'model', got a int"),
        ({"epoch": 3}, "no checkpoint of a model"),
        ({"state_dict": {"w": "text"}}, "are no arrays"),
        ({"w": torch.ones(2).to_sparse()}, "are no arrays"),
        ({"w": torch.ones(2, device="meta")}, "are no arrays"),
        ({"state_dict": {"w": torch.tensor([1.0, float("nan")])}}, "must be finite"),
        ({"w": torch.tensor([float("inf")])}, "must be finite"),
    ],
)
def test_content_without_weights(content, message, tmp_path):
    torch.save(content, tmp_path / "c.pth")
    for read in (load, read_checkpoint):
        with pytest.raises(ValueError, match=message):
            read(tmp_path / "c.pth")


@pytest.mark.parametrize(
    "names, message",
    [
        (["model.a.weight", "model.a.bias"], "names start with 'model.'"),
        (["b.weight"], "Use the config"),
        (
            ["sem_seg_head.predictor.transformer_cross_attention_layers.0.norm.weight"],
            "convert_checkpoint",
        ),
    ],
)
def test_the_remedy_fits_the_names(names, message):
    model = nn.ModuleDict({"a": nn.Linear(2, 2)})
    weights = {name: torch.ones(1) for name in names}
    with pytest.raises(IncompleteWeightsError, match=message):
        load_complete_weights(model, weights, source="c.pth")


# --------------------------------------------------------------------- other files


@pytest.mark.parametrize(
    "content, message",
    [
        (PAGE, "a web page"),
        (b"\n  <html>", "a web page"),
        (POINTER, "git lfs pull"),
        (b"", "it is empty"),
        (b"PK\x03\x04 and no more", "download complete"),
        (pickle.dumps({"w": np.array([None, "x"])}), "must hold numbers"),
        (torch_bytes({"w": np.array([None, "x"])}), "must hold numbers"),
    ],
)
@pytest.mark.parametrize("door", ["file", "download"])
def test_other_files_are_named_and_nothing_is_advised(content, message, door, cache):
    cache.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load(cache if door == "file" else URL)
    said = str(error.value)
    assert "weights_only" not in said and "\n" not in said and len(said) < 700
    assert cache.exists() == (door == "file")


@pytest.mark.parametrize("kind", bombs())
def test_bombs_do_not_go_off(kind, tmp_path):
    path = tmp_path / "c.pth"
    path.write_bytes(bombs()[kind])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (load, read_checkpoint):
        with pytest.raises(ValueError, match=str(path)):
            read(path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300_000  # kilobytes
