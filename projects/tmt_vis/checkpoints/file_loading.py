"""The one way into a checkpoint file: nothing in it runs, nothing in it inflates."""

import errno
import mmap
import pickle
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from tmt_vis.archives import InflatingArchiveError, check_inflation

from .errors import (
    DamagedCheckpointError,
    OversizedCheckpointError,
    UnreadableCheckpointError,
    UnsafeCheckpointError,
)
from .restricted_pickle import NUMPY_GLOBALS, load_restricted

MapLocation = str | torch.device | Callable | dict | None

_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
# The first object in a file of torch.save before 1.6: a magic number, as an int.
_LEGACY_TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# torch lets a pickle call bytearray(N), which takes N bytes; torch.save never does.
_ALLOCATORS = (b"builtins\nbytearray\n", b"__builtin__\nbytearray\n")
_ALLOWED = [(item, name) for name, item in NUMPY_GLOBALS.items()]


def load_file(
    path: str | PathLike[str],
    map_location: MapLocation = "cpu",
    *,
    trusted: bool = False,
) -> Any:
    """Read a ``.pth`` of torch, a ``.pkl`` of detectron2 or a ``.safetensors``.

    The first bytes decide how it is read, not the name.

    Args:
        path: The file.
        map_location: As for ``torch.load``.
        trusted: Unpickle everything, which executes code from the file.

    Returns:
        Its content: tensors, arrays, numbers, text and plain containers of them. A
        safetensors file gives ``{"state_dict": ..., "meta": ...}``.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedCheckpointError: If it is cut off, or no checkpoint.
        UnsafeCheckpointError: If it holds pickled classes.
        OversizedCheckpointError: If it claims more memory than its size can justify.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    with open(path, "rb") as file:
        head = file.read(64)
    size = path.stat().st_size
    read = _reader(head, size)
    if read is None:
        raise DamagedCheckpointError(
            f"{path} is damaged or no checkpoint: it is neither a .pth of torch nor a "
            f"pickle nor safetensors. It starts with {head[:24]!r}: {_guess(head)}"
        )
    with _explained(path):
        if trusted and read is not _load_safetensors:
            return _load_trusted(path, map_location)
        return _plain_arrays(read(path, map_location), 4 * size + 100_000)


def _reader(head: bytes, size: int) -> Callable[[Path, MapLocation], Any] | None:
    if head.startswith(_ZIP):
        return _load_zip
    if _LEGACY_TORCH in head[:16]:
        return _load_legacy
    if head.startswith(_PICKLE):
        return _load_pickle
    # A length in eight bytes, then a JSON object of that length.
    length = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and length <= size - 8:
        return _load_safetensors
    return None


def _guess(head: bytes) -> str:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer; fetch the file itself (git lfs pull)"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page; the address is not that of the file"
    if not head:
        return "it is empty; download or copy it again"
    return "another kind of file, or damaged; download or copy it again"


def _load_zip(path: Path, map_location: MapLocation) -> Any:
    check_inflation(path, path.stat().st_size)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.rpartition("/")[2] == "data.pkl"]
        if not pickles:
            raise DamagedCheckpointError(
                f"{path} is a zip without data.pkl, no checkpoint of torch: it holds "
                f"{names[:3]}; unpack it if the checkpoint is in it"
            )
        for name in pickles:
            _refuse_allocators(path, archive.read(name))
    return _load_torch(path, map_location)


def _load_legacy(path: Path, map_location: MapLocation) -> Any:
    with _mapped(path) as content:
        _refuse_allocators(path, content)
    return _load_torch(path, map_location)


def _load_torch(path: Path, map_location: MapLocation) -> Any:
    allowed = torch.serialization.safe_globals(_ALLOWED)
    with allowed, warnings.catch_warnings():
        # It warns of pickle protocols it reads all the same.
        warnings.simplefilter("ignore")
        return torch.load(path, map_location=map_location, weights_only=True)


def _load_pickle(path: Path, map_location: MapLocation) -> Any:
    with _mapped(path) as content:  # of a map, no read is longer than the file
        return load_restricted(content)


def _load_trusted(path: Path, map_location: MapLocation) -> Any:
    with open(path, "rb") as file:
        is_torch = _reader(file.read(64), path.stat().st_size) is not _load_pickle
        if is_torch:
            return torch.load(path, map_location=map_location, weights_only=False)
        file.seek(0)
        return pickle.load(file, encoding="latin1")


def _load_safetensors(path: Path, map_location: MapLocation) -> Any:
    device = map_location if isinstance(map_location, str | torch.device) else "cpu"
    with safe_open(path, framework="pt", device="cpu") as file:
        weights = OrderedDict(
            (name, file.get_tensor(name).to(device))
            for name in file.keys()  # noqa: SIM118
        )
        return {"state_dict": weights, "meta": dict(file.metadata() or {})}


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        yield content


def _refuse_allocators(path: Path, content: bytes | mmap.mmap) -> None:
    if any(content.find(name) >= 0 for name in _ALLOCATORS):
        raise UnsafeCheckpointError(
            f"{path} calls bytearray, which reserves memory of any size; only tensors "
            "and plain values are read"
        )


def _plain_arrays(value: Any, budget: int) -> Any:
    """Rebuild containers with plain arrays; each object takes a byte of the file.

    Without the budget, a list of ten times a list of ten times a list ... is a file of
    a kilobyte that no loop over its content ends for.
    """
    left = budget

    def rebuild(item: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise OversizedCheckpointError(
                f"it nests containers into more than {budget:,} objects, which its "
                "size does not justify"
            )
        if isinstance(item, np.ndarray):
            return np.asarray(item)
        if isinstance(item, dict):
            pairs = [(rebuild(key), rebuild(entry)) for key, entry in item.items()]
            if type(item) is not OrderedDict:
                # A Counter counts what it is given; its pairs are taken as they are.
                return dict(pairs) if type(item) is dict else item
            ordered = OrderedDict(pairs)
            ordered.__dict__.update(item.__dict__)  # _metadata of a state dict
            return ordered
        if type(item) in (list, tuple):
            return type(item)(map(rebuild, item))
        return item

    return rebuild(value)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever a reader stumbles over into one sentence with a remedy."""
    try:
        yield
    except UnreadableCheckpointError as error:
        if str(error).startswith(str(path)):
            raise
        raise type(error)(f"{path}: {error}{_remedy(error, path)}") from error
    except (InflatingArchiveError, MemoryError) as error:
        raise OversizedCheckpointError(f"{path}: {error or 'out of memory'}") from error
    # Damaged bytes make the readers stumble in many ways (RuntimeError, EOFError,
    # KeyError and more), and nothing but the bytes is at work here.
    except Exception as error:
        # EINVAL is how torch puts it that an offset lies behind the end of the file.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        named = _named_class(error)
        if named is not None:
            unsafe = UnsafeCheckpointError(
                f"{path} holds pickled Python objects ({named}), and loading them "
                "executes code from the file; only tensors and plain values are loaded"
            )
            raise type(unsafe)(f"{unsafe}{_remedy(unsafe, path)}") from error
        raise DamagedCheckpointError(
            f"{path} is damaged or no checkpoint ({path.stat().st_size:,} bytes; "
            f"{type(error).__name__}{_reason(error)}); is the download complete? "
            "Copy or download it again, or take an earlier one"
        ) from error


def _remedy(error: UnreadableCheckpointError, path: Path) -> str:
    if not isinstance(error, UnsafeCheckpointError):
        return ""
    return (
        ". If you wrote it yourself, or trust who did, extract the weights of the "
        f"local file once: python tools/publish_checkpoint.py {path.name} --trust-local"
    )


def _named_class(error: Exception) -> str | None:
    """Find the class that torch refuses in its page-long message.

    The page also tells how to switch the protection off, which nobody should follow
    for a web page or half a file; no more of it than the name is repeated.
    """
    if not isinstance(error, pickle.UnpicklingError):
        return None
    for line in str(error).splitlines():
        _, found, rest = line.partition("GLOBAL ")
        if found and rest.split():
            return rest.split()[0].strip("`'\"")[:100]
    if "Trying to call reduce" in str(error) or "Can only" in str(error):
        return "a call that torch does not allow"
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, pickle.UnpicklingError) and "weights" in str(error).lower():
        return ": no pickle of tensors"
    lines = str(error).strip().splitlines()
    return f": {lines[0].strip()[:160]}" if lines else ""
