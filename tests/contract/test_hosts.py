"""What every host answers, whoever wrote it; a new one adds an entry to HOSTS."""

import ast
import copy
import importlib
import io
from functools import cache
from pathlib import Path

import pytest
import torch
from helpers.tiny_hosts import HOSTS
from helpers.tiny_model import samples
from mmdet.registry import MODELS

import tmt_vis.models.heads
from tmt_vis.models import VideoHead

SPACES = ("ytvis19", "ovis")
CASES = [(name, frames) for name, host in HOSTS.items() for frames in host.train_frames]


@cache
def _built(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(HOSTS[name].model())
    model.init_weights()
    return model


@pytest.fixture(params=HOSTS)
def name(request) -> str:
    return request.param


@pytest.fixture
def model(name) -> torch.nn.Module:
    return copy.deepcopy(_built(name)).eval()


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_predicts_tracks(model, frames, dtype):
    model.predict_dtype = dtype
    inputs, data = samples(SPACES, frames=frames)
    for sample in model.predict(inputs, data):
        tracks, space = sample.pred_tracks, model.head.label_spaces[sample.label_space]
        assert 0 < len(tracks) <= model.head.limit(sample.label_space)
        scores = tracks.scores
        assert scores.dtype == torch.float32 and ((scores >= 0) & (scores <= 1)).all()
        assert torch.equal(scores, scores.sort(descending=True).values)
        assert ((tracks.labels >= 0) & (tracks.labels < len(space))).all()
        sizes = {(t.height, t.width, t.num_frames) for t in tracks.tubes}
        assert sizes == {(*sample.ori_shape, frames)}


@pytest.mark.parametrize("name, frames", CASES)
def test_every_parameter_learns(name, frames):
    model = copy.deepcopy(_built(name)).train()
    losses = _train(model, frames=frames)
    assert all(loss.dim() == 0 and loss.isfinite() for loss in losses.values())
    _check_gradients(model)


def test_a_clip_without_objects_trains(name):
    frames = HOSTS[name].train_frames[-1]
    model = copy.deepcopy(_built(name)).train()
    losses = _train(model, frames=frames, instances=0)
    assert sum(losses.values()) > 0, "queries still learn that there is nothing"
    _check_gradients(model)


def test_its_state_survives_a_file(name, model):
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    torch.manual_seed(1)
    other = MODELS.build(HOSTS[name].model()).eval()
    other.load_state_dict(torch.load(buffer, weights_only=True), strict=True)
    first, second = (
        [s.pred_tracks for s in m.predict(*samples(SPACES, frames=2))]
        for m in (model, other)
    )
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.scores, b.scores) and torch.equal(a.labels, b.labels)
        assert a.tubes == b.tubes


def test_every_registered_host_is_asked():
    registered = {cls for cls in MODELS.module_dict.values() if _is_host(cls)}
    asked = {type(_built(name).head) for name in HOSTS}
    assert registered == asked, "a new host adds an entry to helpers.tiny_hosts.HOSTS"


def test_no_host_knows_another():
    package = tmt_vis.models.heads.__name__
    folder = Path(tmt_vis.models.heads.__file__).parent
    hosts = {
        path.stem
        for path in folder.glob("[!_]*.py")
        if any(map(_is_host, _own_classes(f"{package}.{path.stem}")))
    }
    assert "tmt_vis_head" in hosts
    for host in hosts:
        tree = ast.parse((folder / f"{host}.py").read_text())
        modules = {
            (node.module or "").rsplit(".", 1)[-1]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
        }
        assert not modules & (hosts - {host}), host


def _train(model: torch.nn.Module, **clips: int) -> dict[str, torch.Tensor]:
    losses = model.loss(*samples(SPACES, **clips))
    sum(losses.values()).backward()
    return losses


def _check_gradients(model: torch.nn.Module) -> None:
    for key, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, key
            assert parameter.grad.isfinite().all(), key


def _own_classes(module: str) -> list[type]:
    members = vars(importlib.import_module(module)).values()
    return [m for m in members if isinstance(m, type) and m.__module__ == module]


def _is_host(cls: type) -> bool:
    own = cls.__module__.startswith("tmt_vis.")
    is_head = isinstance(cls, type) and issubclass(cls, VideoHead)
    return own and is_head and not cls.__abstractmethods__
