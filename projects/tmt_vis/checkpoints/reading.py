"""From a file to named tensors, without running what the file says."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from .digests import hash_of
from .errors import UnreadableCheckpointError
from .file_loading import MapLocation, load_file
from .weight_files import category_names, weight_files
from .weights import as_checkpoint


@dataclass(frozen=True)
class SourceCheckpoint:
    """What a file holds.

    Args:
        weights: Tensors by name, on the CPU.
        classes: Category names in the order of the classifier, if the file or the
            folder says so (mmdet's and transformers' do).
        file_name: Name of the file, without folders.
        sha256: Of the file, in hex.
        other_entries: What the file holds besides weights, e.g. the optimiser.
    """

    weights: dict[str, Tensor]
    classes: tuple[str, ...] = ()
    file_name: str = ""
    sha256: str = ""
    other_entries: tuple[str, ...] = ()


def load_checkpoint(
    path: str | PathLike[str],
    map_location: MapLocation = "cpu",
    *,
    source: str | None = None,
) -> dict[str, Any]:
    """Read any checkpoint; every tool and every ``load_from`` comes through here.

    Args:
        path: The file; the index of its shards, or a folder with ``config.json``, as
            Hugging Face has them.
        map_location: As for ``torch.load``.
        source: What messages call it; the path by default.

    Returns:
        Its entries, with the weights under ``state_dict``.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableCheckpointError: If it is damaged, no checkpoint, too large for its
            size, or holds pickled classes.
        NonFiniteWeightsError: If weights are NaN or infinite.
    """
    path = Path(path).expanduser()
    files = weight_files(path)
    parts = [_part(file, map_location, source) for file in files]
    weights = {name: w for part in parts for name, w in part["state_dict"].items()}
    if len(weights) != sum(len(part["state_dict"]) for part in parts):
        raise UnreadableCheckpointError(
            f"{path}: a tensor is in two of {', '.join(f.name for f in files)}; "
            "download it again"
        )
    return parts[0] if len(parts) == 1 else {**parts[0], "state_dict": weights}


def _part(file: Path, map_location: MapLocation, source: str | None) -> dict[str, Any]:
    content = load_file(file, map_location)
    size = file.stat().st_size
    return as_checkpoint(content, source or str(file), file_bytes=size)


def read_checkpoint(path: str | PathLike[str]) -> SourceCheckpoint:
    """Read a checkpoint for the converter.

    Args:
        path: As for `load_checkpoint`.

    Returns:
        Its weights.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: As `load_checkpoint`.
    """
    path = Path(path).expanduser()
    content = load_checkpoint(path)
    weights = content.pop("state_dict")
    return SourceCheckpoint(
        weights={k: v for k, v in weights.items() if isinstance(v, Tensor)},
        classes=_classes(content.get("meta")) or category_names(path),
        file_name=path.name,
        sha256=hash_of(*weight_files(path)),
        other_entries=tuple(map(str, content)),
    )


def _classes(meta: Any) -> tuple[str, ...]:
    """Find the category names: mmengine's dataset_meta, or CLASSES of mmdet 2."""
    if not isinstance(meta, Mapping):
        return ()
    described = meta.get("dataset_meta")
    found = described if isinstance(described, Mapping) else {}
    names = found.get("classes") or found.get("CLASSES") or meta.get("CLASSES") or ()
    return tuple(str(name) for name in names)
