"""A checkpoint in several files, or in a folder, as Hugging Face keeps them."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from .errors import UnreadableCheckpointError

# What a folder is read from, the first that is there.
_NAMES = (
    *("model.safetensors.index.json", "model.safetensors"),
    *("pytorch_model.bin.index.json", "pytorch_model.bin"),
)
_INDEX = ".index.json"
_CONFIG = "config.json"


def weight_files(path: Path) -> list[Path]:
    """List the files that hold the weights of a checkpoint.

    Args:
        path: A file, the index of its shards, or a folder with ``config.json``.

    Returns:
        Files, of which the last component of the name is theirs alone.

    Raises:
        UnreadableCheckpointError: If a folder or an index holds no weights.
    """
    if path.is_dir():
        found = [path / name for name in _NAMES if (path / name).is_file()]
        if not (path / _CONFIG).is_file() or not found:
            raise UnreadableCheckpointError(
                f"{path} is a folder; a checkpoint is a file, or a folder with "
                f"{_CONFIG} and one of {', '.join(_NAMES)}"
            )
        path = found[0]
    if not (path.name.endswith(_INDEX) and path.is_file()):
        return [path]
    entries = _read_json(path).get("weight_map")
    shards = sorted({*entries.values()}) if isinstance(entries, Mapping) else []
    if not shards or not all(_is_plain(name) for name in shards):
        raise UnreadableCheckpointError(
            f"{path} must have a weight_map from names of tensors to files beside it, "
            f"got {shards[:3]}; download it again"
        )
    return [path.with_name(name) for name in shards]


def category_names(path: Path) -> tuple[str, ...]:
    """Read the categories of a folder's ``config.json``, in the classifier's order.

    Args:
        path: A folder; anything else has no names.

    Returns:
        Names; empty if they are only numbered (``LABEL_0``).
    """
    config = path / _CONFIG
    if not config.is_file():
        return ()
    labels = _read_json(config).get("id2label")
    if not isinstance(labels, Mapping):
        return ()
    names = tuple(str(labels.get(str(i), "")) for i in range(len(labels)))
    numbered = all(name == f"LABEL_{i}" for i, name in enumerate(names))
    return () if numbered or not all(names) else names


def _is_plain(name: Any) -> bool:
    return isinstance(name, str) and name != "" and PurePath(name).name == name


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableCheckpointError(
            f"{path} is no JSON ({error}); download it again"
        ) from error
    if not isinstance(content, Mapping):
        raise UnreadableCheckpointError(
            f"{path} must hold a JSON object, got {type(content).__name__}"
        )
    return content
