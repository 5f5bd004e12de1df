"""A training checkpoint without the training: weights and what they mean."""

import hashlib
import io
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from tmt_vis.checkpoints import as_checkpoint, load_checkpoint, load_file
from tmt_vis.files import write_atomically

from .plain_data import to_plain

_HASH_LENGTH = 8
_TIMESTAMP = re.compile(r"_?\d{8}_\d{6}$")
# An absolute path: /..., ~/... or C:\..., not the //host part of an address.
_LOCAL_PATH = re.compile(r"(?<![\w.:/~])(?:~?/|[A-Za-z]:[\\/])[^\s'\",:;]+")


def select_weights(
    checkpoint: dict[str, Any], *, averaged: bool = True
) -> OrderedDict[str, torch.Tensor]:
    """Take the averaged or the raw weights out of a checkpoint.

    mmengine's `EMAHook` swaps the two when it saves: `state_dict` holds the averaged
    weights, `ema_state_dict` the raw ones under `module.`.

    Args:
        checkpoint: with `state_dict` and, after training with EMA, `ema_state_dict`.
        averaged: the averaged weights if there are any, else the raw ones.

    Returns:
        Name -> tensor on the CPU; `_metadata` (module versions) is kept.
    """
    state = checkpoint["state_dict"]
    raw = {} if averaged else checkpoint.get("ema_state_dict", {})
    weights = OrderedDict(
        (name, raw.get(f"module.{name}", tensor).detach().cpu())
        for name, tensor in state.items()
        if isinstance(tensor, torch.Tensor)
    )
    weights._metadata = getattr(state, "_metadata", OrderedDict())
    return weights


def halved(weights: OrderedDict[str, torch.Tensor]) -> OrderedDict[str, torch.Tensor]:
    """Round float32 weights to float16.

    Text embeddings stay as they are: a model compares them with those of its config.

    Args:
        weights: Name -> tensor.

    Returns:
        The same names.

    Raises:
        ValueError: if a weight is too large for float16.
    """
    out = weights.copy()
    for name, tensor in weights.items():
        if tensor.dtype != torch.float32 or name.endswith("text_embeddings"):
            continue
        out[name] = tensor.half()
        if not torch.isfinite(out[name]).all():
            raise ValueError(
                f"float16 holds numbers up to 65504, got {tensor.abs().max():.6g} in "
                f"{name}; publish without --half"
            )
    out._metadata = getattr(weights, "_metadata", OrderedDict())
    return out


def hide_local_paths(value: Any) -> Any:
    """Shorten absolute paths in every string to their last component.

    Args:
        value: plain data; the text of a config is a string like any other.

    Returns:
        The same structure without names of local folders.
    """
    if isinstance(value, str):
        return _LOCAL_PATH.sub(_last_component, value)
    if isinstance(value, dict):
        return {
            hide_local_paths(key): hide_local_paths(item) for key, item in value.items()
        }
    if type(value) in (list, tuple):
        return type(value)(hide_local_paths(item) for item in value)
    return value


def _last_component(match: re.Match) -> str:
    return re.split(r"[\\/]", match.group().rstrip("\\/"))[-1]


def publish_checkpoint(
    source: str | Path,
    *,
    out_dir: str | Path,
    name: str | None = None,
    averaged: bool = True,
    half: bool = False,
    trust_local: bool = False,
) -> Path:
    """Write the weights and the meta information of a checkpoint to a new file.

    Args:
        source: a training checkpoint.
        out_dir: folder of the new file.
        name: start of its name, by convention that of the config; by default that of
            the experiment.
        averaged: publish EMA weights if there are any.
        half: as float16, half the size; a model that loads them computes in its own
            type.
        trust_local: unpickle everything in `source`. This executes code from the file.

    Returns:
        `<name>_<YYYYMMDD_HHMMSS>-<first 8 digits of its sha256>.pth` in `out_dir`; the
        time is when the checkpoint was saved.

    Raises:
        UnsafeCheckpointError: if `source` holds pickled classes and is not trusted.
        CheckpointError: if it is damaged, or holds no weights, or NaN.
        ValueError: if no name can be derived, or `meta` has no plain form.
    """
    checkpoint = _load(source, trust_local=trust_local)
    meta = to_plain(checkpoint.get("meta", {}), "meta")
    weights = select_weights(checkpoint, averaged=averaged)
    published = {
        "meta": hide_local_paths(meta),
        "state_dict": halved(weights) if half else weights,
    }
    buffer = io.BytesIO()
    torch.save(published, buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:_HASH_LENGTH]
    path = Path(out_dir) / f"{_base_name(meta, name)}-{digest}.pth"
    write_atomically(path, buffer.getvalue())
    _verify(path, published["state_dict"])
    return path


def _load(source: str | Path, *, trust_local: bool) -> dict[str, Any]:
    if trust_local:
        content = load_file(source, trusted=True)
        size = Path(source).stat().st_size
        return as_checkpoint(content, str(source), file_bytes=size)
    return load_checkpoint(source)


def _base_name(meta: dict[str, Any], name: str | None) -> str:
    # mmengine's default experiment name is the config's plus the time of the start.
    name = name or _TIMESTAMP.sub("", meta.get("experiment_name") or "")
    if not name or not meta.get("time"):
        raise ValueError(
            "the published name is made of the config's name and meta['time'], got "
            f"name={name!r} and time={meta.get('time')!r}; give --name, and publish a "
            "checkpoint written by Runner.save_checkpoint"
        )
    return f"{name}_{meta['time']}"


def _verify(path: Path, weights: OrderedDict[str, torch.Tensor]) -> None:
    """Read the file back as a user will."""
    loaded = load_file(path)["state_dict"]
    same = list(loaded) == list(weights) and all(
        torch.equal(loaded[name], weights[name]) for name in weights
    )
    if not same:
        path.unlink()
        raise OSError(f"{path} did not read back as written; check the storage")
