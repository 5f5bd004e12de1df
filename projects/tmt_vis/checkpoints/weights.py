"""Where the weights are in what a checkpoint holds, and under which names."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tmt_vis.archives import justified_bytes

from .errors import (
    NonFiniteWeightsError,
    OversizedCheckpointError,
    UnreadableCheckpointError,
)

# Where mmengine and Lightning, detectron2, other training scripts and DeepSpeed keep
# the weights; averages (EMA) only where there is nothing else.
_CONTAINERS = (
    *("state_dict", "model", "model_state_dict", "model_state", "weights", "module"),
    *("ema_state_dict", "model_ema", "ema", "params_ema", "params"),
)
# Names that wrappers put around a model: in front of all names (DataParallel, DDP,
# averaged models), or in front of any module (torch.compile, FSDP, checkpointing).
_OUTER = "module."
_INNER = re.compile(
    r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
)
# Counters of averaged models, beside the names under `module.`.
_COUNTERS = ("steps", "n_averaged")


def as_checkpoint(content: Any, source: str, *, file_bytes: int) -> dict[str, Any]:
    """Bring the content of a file into mmengine's form, with plain names.

    Args:
        content: What `load_file` returned.
        source: The file, for messages.
        file_bytes: Its size; the weights may not be much larger.

    Returns:
        All entries of the file, with the weights under ``state_dict``: names without
        the prefixes of wrappers, and tensors.

    Raises:
        UnreadableCheckpointError: If there are no weights in it.
        OversizedCheckpointError: If they are larger than the file can hold.
        NonFiniteWeightsError: If some are NaN or infinite.
    """
    if not isinstance(content, Mapping):
        raise UnreadableCheckpointError(
            f"{source} holds a {type(content).__name__}, not a dict of weights; save "
            "model.state_dict(), or a dict with it under 'state_dict'"
        )
    key = _container(content, source)
    found = content if key is None else content[key]
    weights = _without_wrappers(_tensors(found, source))
    _check_size(weights, source, file_bytes)
    check_finite(weights, source)
    others = {} if key is None else {k: v for k, v in content.items() if k != key}
    if key is not None and key.startswith("ema"):
        others[key] = found  # mmengine's EMAHook wants it, to go on averaging
    return {**others, "state_dict": weights}


def check_finite(weights: Mapping[str, Any], source: str) -> None:
    """Refuse weights that are NaN or infinite: every prediction would be empty.

    Args:
        weights: Name -> tensor; other values are passed over.
        source: The file, for messages.

    Raises:
        NonFiniteWeightsError: If some are.
    """
    bad = [
        name
        for name, tensor in weights.items()
        if isinstance(tensor, Tensor)
        and (tensor.is_floating_point() or tensor.is_complex())
        and not _finite(tensor)
    ]
    if bad:
        raise NonFiniteWeightsError(
            f"{source}: weights must be finite, got NaN or infinity in {len(bad)} of "
            f"{len(weights)} tensors, e.g. {bad[0]}; the training diverged, or the "
            "file is damaged: take an earlier checkpoint"
        )


def _finite(tensor: Tensor) -> bool:
    if not tensor.numel():
        return True
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    if tensor.itemsize == 1:  # float8 has no such kernels
        tensor = tensor.float()
    # NaN and infinity both show in the extremes. On one core of a busy Xeon this took
    # 0.34 s per GB, isfinite().all() 3.5 s.
    return all(map(torch.isfinite, torch.aminmax(tensor)))


def _container(content: Mapping[str, Any], source: str) -> str | None:
    """Return the entry that holds the weights; None if the content itself does."""
    for key in _CONTAINERS:
        if isinstance(content.get(key), Mapping) and content[key]:
            return key
    present = [key for key in _CONTAINERS if key in content]
    if present and not isinstance(content[present[0]], Tensor | np.ndarray):
        value = content[present[0]]
        held = "nothing" if isinstance(value, Mapping) else _type_name(value)
        raise UnreadableCheckpointError(
            f"{source}: the weights must be a dict of tensors under {present[0]!r}, "
            f"got {held}; save the model again, with model.state_dict()"
        )
    return None


def _type_name(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _tensors(found: Mapping[Any, Any], source: str) -> "OrderedDict[str, Any]":
    tensors = OrderedDict((str(key), _tensor(value)) for key, value in found.items())
    strange = [
        key
        for key, value in tensors.items()
        # What modules store for themselves can be anything; torch hands it to them.
        if not isinstance(value, Tensor) and not key.endswith("_extra_state")
    ]
    if not tensors or strange:
        raise UnreadableCheckpointError(
            f"{source} is no checkpoint of a model: a checkpoint is a dict of arrays, "
            "or has one under 'state_dict' or 'model'; got the entries "
            f"{sorted(map(str, found))[:5]}, of which {strange[:5]} are no arrays"
        )
    tensors.__dict__.update(getattr(found, "__dict__", {}))
    return tensors


def _tensor(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        array = np.asarray(value)
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=True))
    if isinstance(value, Tensor):
        usual = type(value) in (Tensor, torch.nn.Parameter)
        plain = value.layout is torch.strided and not value.is_quantized
        return value.detach() if usual and plain and not value.is_meta else None
    return value if not isinstance(value, np.ndarray | np.generic) else None


def _without_wrappers(weights: "OrderedDict[str, Any]") -> "OrderedDict[str, Any]":
    names = {key: _INNER.sub("", key) for key in weights}
    layers = 0
    while _is_wrapped(names.values()):
        layers += 1
        names = {k: n.removeprefix(_OUTER) for k, n in names.items() if "." in n}
    plain = OrderedDict((name, weights[key]) for key, name in names.items())
    if len(plain) != len(names):  # two names became one: they are no wrappers
        return weights
    plain.__dict__.update(weights.__dict__)
    metadata = getattr(weights, "_metadata", None)
    if isinstance(metadata, Mapping):
        plain._metadata = OrderedDict(
            (_plain_module(str(key), layers), value) for key, value in metadata.items()
        )
    return plain


def _is_wrapped(names: Iterable[str]) -> bool:
    inner = [name for name in names if name not in _COUNTERS]
    return bool(inner) and all(name.startswith(_OUTER) for name in inner)


def _plain_module(path: str, layers: int) -> str:
    """Name the version of a module as its parameters are named now."""
    path = _INNER.sub("", f"{path}.")
    for _ in range(layers):
        path = path.removeprefix(_OUTER)
    return path.rstrip(".")


def _check_size(weights: Mapping[str, Any], source: str, file_bytes: int) -> None:
    """Refuse views that repeat a few bytes of the file into gigabytes."""
    total = sum(w.nbytes for w in weights.values() if isinstance(w, Tensor))
    if total > justified_bytes(file_bytes):
        raise OversizedCheckpointError(
            f"{source} has {file_bytes:,} bytes, but its tensors claim {total:,}; "
            "expanded tensors are saved whole: tensor.contiguous()"
        )


def common_prefix(names: Sequence[str], wanted: Sequence[str]) -> str:
    """Find what stands in front of the names of a checkpoint but not of a model.

    Args:
        names: Those of the checkpoint.
        wanted: Those of the model.

    Returns:
        The shortest prefix under which the checkpoint holds the first name of the
        model; empty without one.
    """
    first = wanted[0] if wanted else ""
    longer = [name for name in names if first and name.endswith(f".{first}")]
    return min(longer, key=len, default="").removesuffix(first)
