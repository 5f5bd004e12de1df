"""Unpickling that can build arrays, tensors and plain containers, nothing else.

A pickle is a program: it may call whatever it names. Here it may name only the
functions below, which build arrays and tensors out of bytes.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import torch

from .errors import UnreadableCheckpointError

_ARRAY = np.zeros(1, np.float32)
# numpy moved these functions from numpy.core to numpy._core in 2.0; files of both
# kinds are read under both.
_NUMPY_FUNCTIONS = {
    ("multiarray", "_reconstruct"): _ARRAY.__reduce__()[0],
    ("multiarray", "scalar"): _ARRAY[0].__reduce__()[0],
    ("numeric", "_frombuffer"): _ARRAY.__reduce_ex__(5)[0],
}
NUMPY_GLOBALS: dict[str, Any] = {
    f"numpy.{core}.{module}.{name}": function
    for (module, name), function in _NUMPY_FUNCTIONS.items()
    for core in ("core", "_core")
} | {"numpy.ndarray": np.ndarray, "numpy.dtype": np.dtype}
# Protocol 2 rebuilds a dtype and then sets the state of an instance of these classes,
# which torch's weights-only loader wants to see listed.
NUMPY_DTYPES = tuple({type(np.dtype(code)) for code in "?bBhHiIlLqQefd"})


def _encode(text: str, encoding: str) -> bytes:
    # How protocol 2 writes bytes. The real function would take any codec by name.
    if encoding not in ("latin1", "latin-1"):
        raise UnreadableCheckpointError(f"bytes are latin1 in a pickle, not {encoding}")
    return text.encode("latin1")


def _load_storage(content: bytes) -> Any:
    # torch's own function of this role unpickles without restriction.
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


_GLOBALS: dict[str, Callable[..., Any]] = NUMPY_GLOBALS | {
    "collections.OrderedDict": OrderedDict,
    "_codecs.encode": _encode,
    "torch._utils._rebuild_tensor_v2": torch._utils._rebuild_tensor_v2,
    "torch._utils._rebuild_parameter": torch._utils._rebuild_parameter,
    "torch.storage._load_from_bytes": _load_storage,
}


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that refuses every name that is not listed above."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what the pickle may use.

        Raises:
            UnreadableCheckpointError: For anything but arrays, tensors and numbers.
        """
        try:
            return _GLOBALS[f"{module}.{name}"]
        except KeyError:
            raise UnreadableCheckpointError(
                f"the file wants to use {module}.{name}; only arrays, tensors, numbers "
                "and plain containers are read, because anything else can run code"
            ) from None


def load_restricted(file: BinaryIO) -> Any:
    """Unpickle arrays, tensors, numbers and plain containers.

    Args:
        file: Open pickle; strings of Python 2 are read as latin1, as detectron2 does.

    Returns:
        Its content.

    Raises:
        UnreadableCheckpointError: If it names anything else.
    """
    return RestrictedUnpickler(file, encoding="latin1").load()
