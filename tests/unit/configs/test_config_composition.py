"""Every backbone goes with every host, with and without the taxonomy modules.

The lines that put them together are those of the host's docstring.
"""

import ast
import re
import textwrap
from pathlib import Path

import pytest
import torch
from helpers.config_family import CONFIGS, build_model, everything, load
from mmengine.config import Config
from torch import nn

BASE = CONFIGS / "_base_"
BACKBONES = sorted(file.stem for file in (BASE / "backbones").glob("*.py"))
UNGUIDED = {"vmt"}  # takes no taxonomy modules
HOSTS = sorted(file.stem for file in (BASE / "hosts").glob("*.py"))


def _lines_of_a_leaf(host: Path) -> str:
    """Return the example in a host's docstring, or in that of the host it changes."""
    code = host.read_text()
    example = re.search(
        r"::\n\n((?:    .*\n|\n)+)", ast.get_docstring(ast.parse(code)) + "\n"
    )
    if example:
        return textwrap.dedent(example[1])
    return _lines_of_a_leaf(
        host.parent / re.search(r'^_base_ = "(.+)"$', code, re.M)[1]
    )


def _compose(folder: Path, backbone: str, host: str) -> Config:
    host = BASE / "hosts" / f"{host}.py"
    bases = [BASE / "backbones" / f"{backbone}.py", host]
    leaf = folder / "leaf.py"
    leaf.write_text(f"_base_ = {[str(b) for b in bases]}\n\n{_lines_of_a_leaf(host)}")
    return Config.fromfile(leaf)


def _guided(folder: Path, host: str) -> Config:
    own = BASE / f"taxonomy_modules_{host}.py"
    modules = own if own.is_file() else BASE / "taxonomy_modules.py"
    child = folder / "guided.py"
    child.write_text(
        f"_base_ = ['./leaf.py', {str(modules)!r}]\n\n"
        "model = dict(head=dict(**_base_.taxonomy_modules))\n"
    )
    return Config.fromfile(child)


def _build(cfg: Config) -> nn.Module:
    cfg.merge_from_dict({"model.head.taxonomy": dict(label_spaces=["ovis"])})
    return build_model(cfg.model)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_backbone_and_a_host_make_a_model(tmp_path, backbone, host):
    plain = _build(_compose(tmp_path, backbone, host)).state_dict()
    if host in UNGUIDED:
        return
    guided = _build(_guided(tmp_path, host)).state_dict()
    assert not plain.keys() - guided.keys()
    added = {key.split(".")[1] for key in guided.keys() - plain.keys()}
    added = {name.removeprefix("video_") for name in added}  # GenVIS guides there
    assert added == {"guidance", "vocabulary"}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_head_is_as_wide_as_the_backbone(tmp_path, backbone):
    cfg = _compose(tmp_path, backbone, "mask2former-vis")
    levels = _build(cfg).backbone(torch.empty(1, 3, 64, 64, device="meta"))
    assert [level.shape[1] for level in levels] == cfg.feature_channels
    assert [64 // level.shape[-1] for level in levels] == [4, 8, 16, 32]


@pytest.mark.parametrize("name", everything())
def test_a_leaf_has_the_queries_of_the_weights_it_starts_from(name):
    cfg = load(name)
    if cfg.load_from is not None and "mask2former" in cfg.load_from:
        assert cfg.model.head.type != "IDOLHead"
        assert cfg.model.head.num_queries == cfg.num_queries
        assert cfg.model.head.pixel_decoder.in_channels == cfg.feature_channels
