"""From a file to named tensors, without running what the file says."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor

from .digests import hash_of
from .file_loading import MapLocation, load_file
from .weights import as_checkpoint


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


def load_checkpoint(
    path: str | PathLike[str],
    map_location: MapLocation = "cpu",
    *,
    source: str | None = None,
) -> dict[str, Any]:
    """Read any checkpoint; every tool and every ``load_from`` comes through here.

    Args:
        path: The file.
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
    content = load_file(path, map_location)
    size = path.stat().st_size
    return as_checkpoint(content, source or str(path), file_bytes=size)


def read_checkpoint(path: str | PathLike[str]) -> SourceCheckpoint:
    """Read a checkpoint for the converter.

    Args:
        path: The file.

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
        classes=_classes(content.get("meta")),
        file_name=path.name,
        sha256=hash_of(path),
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
