"""Load, change, compare and build the configs of the repository, each once."""

import argparse
import contextlib
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import yaml
from mmdet.registry import MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import DefaultScope

from tmt_vis.taxonomy import Taxonomy

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
MAIN = "tmt_vis/tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo"
ABLATIONS = "tmt_vis/ablations/"

FOLDERS = ("tmt_vis", "mask2former_vis", "minvis", "idol", "vita", "genvis", "vmt")
SHARED = ("ResNet", "SwinTransformer", "ClipPixelDecoder", "MSDeformAttnPixelDecoder")

_models: dict[str, torch.nn.Module] = {}


def family() -> list[str]:
    """Name every config of the paper's family, without the demo."""
    folders = (CONFIGS / name for name in FOLDERS)
    files = [file for folder in folders for file in folder.rglob("*.py")]
    return sorted(str(file.relative_to(CONFIGS).with_suffix("")) for file in files)


def everything() -> list[str]:
    """Name every config a user can run."""
    demos = (CONFIGS / "demo").glob("*.py")
    return family() + sorted(f"demo/{file.stem}" for file in demos)


def metafile_models() -> list[dict]:
    """Read what the metafiles say of every config."""
    index = yaml.safe_load((ROOT / "model-index.yml").read_text())
    models, collections = [], set()
    for path in index["Import"]:
        content = yaml.safe_load((ROOT / path).read_text())
        models += content["Models"]
        for collection in content["Collections"]:
            collections.add(collection["Name"])
            assert (ROOT / collection["README"]).is_file()
    assert {model["In Collection"] for model in models} == collections
    return models


_parse = cache(Config._file2dict)


def _parsed_once(*args: Any, **named: Any) -> tuple[Any, ...]:
    """Parse a file with its bases, as ``Config._file2dict``, once."""
    return copy.deepcopy(_parse(*args, **named))


@cache
def load(name: str) -> Config:
    """Parse a config by its path below configs/; the result is shared, not yours.

    Sixty configs have a few bases in common, which are parsed once.
    """
    with mock.patch.object(Config, "_file2dict", _parsed_once):
        return Config.fromfile(CONFIGS / f"{name}.py")


def with_options(cfg: Config, options: Sequence[str]) -> Config:
    """Apply ``--cfg-options`` as MMEngine's command lines do; every key must exist.

    MMEngine itself adds a mistyped key and trains without a word.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    changes = parser.parse_args(["--cfg-options", *options]).cfg_options
    known = flatten(cfg.to_dict())
    for key in changes:
        if not any(k == key or k.startswith(f"{key}.") for k in known):
            raise KeyError(f"--cfg-options {key}: the config has no such key")
    changed = Config(cfg.to_dict())
    changed.merge_from_dict(changes)
    return changed


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Turn nested dicts and lists of dicts into ``{dotted key: value}``."""
    if isinstance(value, Mapping):
        items = [(str(k), v) for k, v in value.items()]
    elif isinstance(value, (list, tuple)) and any(
        isinstance(v, (Mapping, list, tuple)) for v in value
    ):
        items = [(str(i), v) for i, v in enumerate(value)]
    else:
        return {prefix[:-1]: value}
    out: dict[str, Any] = {} if items else {prefix[:-1]: value}
    for key, item in items:
        out |= flatten(item, f"{prefix}{key}.")
    return out


def differences(ours: Config, theirs: Config) -> dict[str, tuple[Any, Any]]:
    """Return ``{dotted key: (ours, theirs)}`` where two configs differ."""
    a, b = flatten(ours.to_dict()), flatten(theirs.to_dict())
    absent = "<absent>"
    return {
        key: (a.get(key, absent), b.get(key, absent))
        for key in sorted(a.keys() | b.keys())
        if a.get(key, absent) != b.get(key, absent)
    }


def present(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what a child config took out by setting it to None."""
    return {name: entry for name, entry in entries.items() if entry is not None}


def _as_it_is(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
    return tensor


@contextlib.contextmanager
def shapes_only() -> Iterator[None]:
    """Build models without memory, initialisation or text embeddings.

    The embeddings of OpenCLIP RN50 are made by the user (tools/text_embeddings.py) and
    are not part of the repository; their width, 1024, is all a model's shape needs.
    """

    def width_only(cfg: Mapping[str, Any], taxonomy: Taxonomy) -> np.ndarray:
        return np.zeros((taxonomy.num_categories, 1024), np.float32)

    linspace = torch.linspace

    def linspace_with_values(*args: Any, **kwargs: Any) -> torch.Tensor:
        # Swin reads its drop-path rates out of a tensor.
        return linspace(*args, **kwargs, device="cpu")

    # On the meta device initialisation does nothing, at half the cost of a build.
    skipped = {
        n: _as_it_is for n in dir(torch.nn.init) if re.fullmatch(r"[a-z]\w*_", n)
    }
    with (
        mock.patch.multiple("torch.nn.init", **skipped),
        mock.patch(
            "tmt_vis.models.taxonomy.vocabulary.build_text_embeddings", width_only
        ),
        mock.patch("torch.linspace", linspace_with_values),
        DefaultScope.overwrite_default_scope("mmdet"),
        torch.device("meta"),
    ):
        yield


def build_model(model_cfg: Mapping[str, Any]) -> torch.nn.Module:
    """Build a model without memory; equal models and equal backbones are built once.

    The result is shared, not yours.
    """
    key = repr(model_cfg)
    if key not in _models:
        # A model that freezes its parts must not freeze those of others.
        build = _build if model_cfg.get("frozen") else _built_once
        with shapes_only(), mock.patch.object(MODELS, "build", build):
            _models[key] = MODELS.build(model_cfg)
    return _models[key]


_build = MODELS.build


def _built_once(cfg: Mapping[str, Any], *args: Any, **named: Any) -> torch.nn.Module:
    """Build as MODELS does, but the large parts that most configs have in common."""
    if cfg["type"] not in SHARED or args or named:
        return _build(cfg, *args, **named)
    key = repr(cfg)
    if key not in _models:
        _models[key] = _build(cfg)
    return _models[key]
