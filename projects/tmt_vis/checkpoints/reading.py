"""From a file to named tensors, without running what the file says."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .digests import hash_of
from .errors import UnreadableCheckpointError
from .restricted_pickle import NUMPY_DTYPES, NUMPY_GLOBALS, load_restricted

_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
# The first object in a file of torch.save before 1.6: a magic number, as an int.
_LEGACY_TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# Where detectron2 and mmengine keep the weights.
_WEIGHT_KEYS = ("model", "state_dict")


@dataclass(frozen=True)
class SourceCheckpoint:
    """What a file holds.

    Args:
        weights: Tensors by name, on the CPU.
        classes: Category names in the order of the classifier, if the file says so
            (mmdet's do).
        file_name: Name of the file, without folders.
        sha256: Of the file, in hex.
        other_entries: What the file holds besides weights, e.g. the optimiser.
    """

    weights: dict[str, Tensor]
    classes: tuple[str, ...] = ()
    file_name: str = ""
    sha256: str = ""
    other_entries: tuple[str, ...] = ()


def read_checkpoint(path: str | PathLike[str]) -> SourceCheckpoint:
    """Read a ``.pth`` of torch or a ``.pkl`` of detectron2.

    The content decides how it is read, not the name.

    Args:
        path: The file.

    Returns:
        Its weights.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: If it is damaged, no checkpoint, or holds pickled
            classes.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    content = _load(path)
    if not isinstance(content, Mapping):
        raise UnreadableCheckpointError(
            f"{path.name} holds a {type(content).__name__}, not a dict of weights"
        )
    found = [key for key in _WEIGHT_KEYS if isinstance(content.get(key), Mapping)]
    weights = content[found[0]] if found else content
    return SourceCheckpoint(
        weights=_tensors(weights, path.name),
        classes=_classes(content.get("meta")),
        file_name=path.name,
        sha256=hash_of(path),
        other_entries=tuple(str(k) for k in content if found and k != found[0]),
    )


def _load(path: Path) -> Any:
    with open(path, "rb") as file:
        head = file.read(64)
    is_torch = head.startswith(_ZIP) or _LEGACY_TORCH in head[:16]
    if not is_torch and not head.startswith(_PICKLE):
        raise UnreadableCheckpointError(
            f"{path.name} is neither a .pth of torch nor a pickle: it starts with "
            f"{head[:24]!r}, {_guess(head)}"
        )
    try:
        if is_torch:
            return _load_torch(path)
        with open(path, "rb") as file:
            return load_restricted(file)
    except UnreadableCheckpointError:
        raise
    # Damaged bytes make the two loaders stumble in many ways, all of them data errors:
    # the restricted loaders run nothing that could fail for another reason.
    except Exception as error:
        raise UnreadableCheckpointError(
            f"{path.name} ({path.stat().st_size:,} bytes) cannot be read; is the "
            f"download complete? ({type(error).__name__}: {_first_line(error)})"
        ) from error


def _load_torch(path: Path) -> Any:
    allowed = [(item, name) for name, item in NUMPY_GLOBALS.items()]
    try:
        with torch.serialization.safe_globals([*allowed, *NUMPY_DTYPES]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = [line for line in str(error).splitlines() if "GLOBAL" in line]
        if not named:
            raise
        raise UnreadableCheckpointError(
            f"{path.name} holds pickled classes, and loading them would run code of "
            "the file. If you trust who wrote it, extract the weights once: "
            f"tools/publish_checkpoint.py {path.name} --trust-local "
            f"(torch: {named[0].strip()})"
        ) from error


def _guess(head: bytes) -> str:
    text = head.lstrip().lower()
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer; fetch the file itself (git lfs pull)"
    if text.startswith((b"<!doctype", b"<html")):
        return "a web page; the address is not that of the file"
    if not head:
        return "it is empty"
    return "another kind of file"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def _tensors(weights: Mapping[Any, Any], name: str) -> dict[str, Tensor]:
    tensors = {str(key): _tensor(value) for key, value in weights.items()}
    strange = [key for key, value in tensors.items() if value is None]
    if not tensors or strange:
        raise UnreadableCheckpointError(
            f"{name} is no checkpoint of a model: a checkpoint is a dict of arrays, or "
            f"has one under {' or '.join(map(repr, _WEIGHT_KEYS))}; got the entries "
            f"{sorted(map(str, weights))[:5]}, of which {strange[:5]} are no arrays"
        )
    return tensors


def _tensor(value: Any) -> Tensor | None:
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        array = np.asarray(value)
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=True))
    return value.detach() if isinstance(value, Tensor) else None


def _classes(meta: Any) -> tuple[str, ...]:
    """Find the category names: mmengine's dataset_meta, or CLASSES of mmdet 2."""
    if not isinstance(meta, Mapping):
        return ()
    described = meta.get("dataset_meta")
    found = described if isinstance(described, Mapping) else {}
    names = found.get("classes") or found.get("CLASSES") or meta.get("CLASSES") or ()
    return tuple(str(name) for name in names)
