"""Loading checkpoints without executing anything they contain."""

import errno
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, get_rank
from mmengine.runner import CheckpointLoader


class UnsafeCheckpointError(RuntimeError):
    """A checkpoint that can only be read by executing code from it."""


class DamagedCheckpointError(ValueError):
    """A file that is cut off, or no checkpoint at all."""


def load_weights_only(
    filename: str | Path, map_location: str | torch.device | None = None
) -> Any:
    """Read a local checkpoint, whatever the torch version's default is.

    Args:
        filename: the file.
        map_location: as for `torch.load`.

    Returns:
        Content of the file.

    Raises:
        FileNotFoundError: if there is no such file.
        UnsafeCheckpointError: if it holds pickled classes.
        DamagedCheckpointError: if it is cut off, or no checkpoint.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    with _explained(str(path)):
        return torch.load(path, map_location=map_location, weights_only=True)


@contextmanager
def _explained(source: str) -> Iterator[None]:
    try:
        yield
    # Damaged bytes make torch stumble in many ways (RuntimeError, EOFError, KeyError
    # and more), and nothing but the bytes is at work here.
    except Exception as error:
        # EINVAL is how torch puts it that an offset lies behind the end of the file.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        reason = _first_reason(error)
        if not (isinstance(error, pickle.UnpicklingError) and _names_class(reason)):
            raise DamagedCheckpointError(
                f"{source} is damaged or no checkpoint ({type(error).__name__}: "
                f"{reason}); copy or download it again, or take an earlier one"
            ) from error
        raise UnsafeCheckpointError(
            f"{source} holds pickled Python objects, and loading them executes code "
            "from the file; only tensors and plain values are loaded here. If you "
            "wrote it yourself, or trust who did, extract the weights of the local "
            "file once: python tools/publish_checkpoint.py FILE --trust-local. "
            f"(torch: {reason})"
        ) from error


def _first_reason(error: Exception) -> str:
    """The line of torch's page-long message that names the class."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if _names_class(line)]
    return (named or lines or ["the file ends"])[0][:300]


def _names_class(line: str) -> bool:
    return "GLOBAL" in line.upper()


@CheckpointLoader.register_scheme(prefixes="", force=True)
def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Answer mmengine's request for a local file with `load_weights_only`."""
    return load_weights_only(filename, map_location)


@CheckpointLoader.register_scheme(prefixes=("http://", "https://"), force=True)
def load_from_http(
    filename: str, map_location: Any = None, model_dir: str | None = None
) -> Any:
    """Download a checkpoint once and read it, weights only.

    mmengine 0.10.7 unpickles downloads without restriction, under every torch.

    Args:
        filename: address of the file.
        map_location: as for `torch.load`.
        model_dir: cache folder; torch hub's by default.

    Returns:
        Content of the file.
    """
    if get_rank() == 0:
        checkpoint = _load_url(filename, map_location, model_dir)
    barrier()
    if get_rank() != 0:
        checkpoint = _load_url(filename, map_location, model_dir)
    return checkpoint


def _load_url(url: str, map_location: Any, model_dir: str | None) -> Any:
    with _explained(url):
        return torch.hub.load_state_dict_from_url(
            url, model_dir=model_dir, map_location=map_location, weights_only=True
        )
