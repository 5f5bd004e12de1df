"""mmengine's addresses of checkpoints, all through one guarded door.

mmengine 0.10.7 unpickles downloads without restriction, under every torch; so do its
names of published models, which end in the same downloads. Whatever it is asked for
(`load_from`, `init_cfg`, a test) is read by `tmt_vis.checkpoints.load_checkpoint`.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine.dist import broadcast_object_list, get_rank
from mmengine.fileio import get_file_backend
from mmengine.logging import MMLogger
from mmengine.runner import CheckpointLoader
from mmengine.runner import checkpoint as mmengine_checkpoint

from tmt_vis.checkpoints import (
    CheckpointError,
    DamagedCheckpointError,
    UnreadableCheckpointError,
    UnsafeCheckpointError,
    load_checkpoint,
)

__all__ = [
    "DamagedCheckpointError",
    "UnsafeCheckpointError",
    "load_from_http",
    "load_from_local",
    "load_from_model_name",
    "load_from_storage",
]


@CheckpointLoader.register_scheme(prefixes="", force=True)
def load_from_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a local checkpoint.

    Args:
        filename: the file.
        map_location: as for `torch.load`.

    Returns:
        Its entries, with the weights under `state_dict`.

    Raises:
        FileNotFoundError: if there is no such file.
        CheckpointError: if it cannot be read without executing code, is damaged, no
            checkpoint, or holds NaN.
    """
    return load_checkpoint(filename, map_location)


@CheckpointLoader.register_scheme(prefixes=("http://", "https://"), force=True)
def load_from_http(
    filename: str, map_location: Any = None, model_dir: str | None = None
) -> dict[str, Any]:
    """Download a checkpoint once and read it.

    A download that is refused is removed: its name is all that torch's cache knows of
    it, so the next model of that name would be this file.

    Args:
        filename: address of the file.
        map_location: as for `torch.load`.
        model_dir: cache folder; torch hub's by default.

    Returns:
        As `load_from_local`.

    Raises:
        CheckpointError: likewise, on every rank.
    """
    folder = Path(model_dir or Path(torch.hub.get_dir()) / "checkpoints")
    path = folder / os.path.basename(urlparse(filename).path)
    return _first_on_one_rank(lambda: _download(filename, path, map_location))


def _download(url: str, path: Path, map_location: Any) -> dict[str, Any]:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        MMLogger.get_current_instance().info(f"downloading {url} to {path}")
        try:
            torch.hub.download_url_to_file(url, str(path), progress=os.isatty(0))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"cannot download {url} ({type(error).__name__}: {error}); get the "
                "file in another way and give its path"
            ) from error
    try:
        return load_checkpoint(path, map_location)
    except UnreadableCheckpointError as error:
        path.unlink(missing_ok=True)
        raise type(error)(f"{url}: {error}. The download was removed") from error


def _first_on_one_rank(load: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Let rank 0 download; the others then find the file, or learn of its error."""
    outcome: list[Any] = [None]
    loaded = None
    if get_rank() == 0:
        try:
            loaded = load()
        except (CheckpointError, OSError) as error:
            outcome = [error]
    broadcast_object_list(outcome)
    if outcome[0] is not None:
        raise outcome[0]
    return load() if loaded is None else loaded


@CheckpointLoader.register_scheme(
    prefixes=(
        *("torchvision://", "modelzoo://", "mmcls://"),
        *("open-mmlab://", "openmmlab://"),
    ),
    force=True,
)
def load_from_model_name(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a published model that is given by its name.

    Args:
        filename: such as `torchvision://resnet50`.
        map_location: as for `torch.load`.

    Returns:
        As `load_from_local`; of `mmcls://` models the backbone only.

    Raises:
        CheckpointError: if there is no such name, or as `load_from_http`.
    """
    scheme, _, name = filename.partition("://")
    if scheme in ("torchvision", "modelzoo"):
        table = mmengine_checkpoint.get_torchvision_models()
    elif scheme == "mmcls":
        table = mmengine_checkpoint.get_mmcls_models()
    else:
        table = mmengine_checkpoint.get_external_models()
        name = mmengine_checkpoint.get_deprecated_model_names().get(name, name)
    address = _find(table, name, filename)
    if not address.startswith(("http://", "https://")):
        home = mmengine_checkpoint._get_mmengine_home()
        return load_from_local(os.path.join(home, address), map_location)
    checkpoint = load_from_http(address, map_location)
    if scheme == "mmcls":
        return mmengine_checkpoint._process_mmcls_checkpoint(checkpoint)
    return checkpoint


def _find(table: Mapping[str, str], name: str, filename: str) -> str:
    if name in table:
        return table[name]
    similar = [known for known in table if known.startswith(name[:6])][:5]
    raise CheckpointError(
        f"no published model has the name {filename}; similar ones: "
        f"{', '.join(similar) or 'none'}"
    )


@CheckpointLoader.register_scheme(
    prefixes=(r"(\S+\:)?s3://", r"(\S+\:)?petrel://", "pavi://"), force=True
)
def load_from_storage(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a checkpoint from a storage that mmengine has a client of.

    Args:
        filename: such as `s3://bucket/model.pth`.
        map_location: as for `torch.load`.

    Returns:
        As `load_from_local`.

    Raises:
        CheckpointError: as `load_from_local`, or if the client is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="tmt_vis_") as folder:
        path = Path(folder) / os.path.basename(filename)
        try:
            path.write_bytes(_stored_bytes(filename))
        except ImportError as error:
            raise CheckpointError(
                f"{filename} needs a storage client that is not installed ({error}); "
                "copy the file here and give its path"
            ) from error
        return load_checkpoint(path, map_location, source=filename)


def _stored_bytes(filename: str) -> bytes:
    if filename.startswith("pavi://"):
        raise ImportError("pavi is not available outside of its company")
    backend = get_file_backend(filename, backend_args={"backend": "petrel"})
    return backend.get(filename)
