"""Unpickling that can build arrays, tensors and plain containers, nothing else.

A pickle is a program: it may call whatever it names. Here it may name only the
functions below, which build arrays and tensors out of bytes that are in the file:
`numpy.ndarray` by itself would allocate any shape it is given.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import torch

from .errors import UnreadableCheckpointError, UnsafeCheckpointError

# Booleans, integers, floats, complex numbers; bytes and text occur beside weights.
_DTYPE_KINDS = "biufcSU"


class PickledDtype:
    """A numpy dtype of numbers or text while it is unpickled."""

    def __init__(self, code: Any, *flags: Any) -> None:
        try:
            self.dtype = np.dtype(code)
        except TypeError as error:
            raise UnreadableCheckpointError(f"no dtype: {str(code)[:40]}") from error
        if self.dtype.kind not in _DTYPE_KINDS:
            raise UnreadableCheckpointError(
                f"arrays must hold numbers, got dtype {self.dtype}; arrays of Python "
                "objects are no weights, and reading them can run code"
            )

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise UnreadableCheckpointError(f"no state of a dtype: {str(state)[:40]}")
        if order in "<>":
            self.dtype = self.dtype.newbyteorder(order)


class PickledArray(np.ndarray):
    """An array while it is unpickled: empty until its bytes arrive."""

    def __new__(cls, *args: Any) -> "PickledArray":
        raise UnreadableCheckpointError(
            "the file calls numpy.ndarray, which reserves memory of any size; arrays "
            "are rebuilt from their bytes"
        )

    def __setstate__(self, state: Any) -> None:
        version, shape, dtype, *rest = state
        if not isinstance(dtype, PickledDtype) or not isinstance(rest[-1], bytes | str):
            raise UnreadableCheckpointError("an array needs a dtype and its bytes")
        super().__setstate__((version, shape, dtype.dtype, *rest))


def _reconstruct(kind: Any, shape: Any, code: Any) -> PickledArray:
    if kind is not PickledArray or shape != (0,):
        raise UnreadableCheckpointError(
            f"an array starts empty in a pickle, got shape {str(shape)[:40]}"
        )
    return np.ndarray.__new__(PickledArray, (0,), np.int8)


def _scalar(dtype: PickledDtype, content: Any) -> np.generic:
    content = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(content, dtype.dtype, count=1)[0]


def _from_buffer(
    content: Any, dtype: PickledDtype, shape: Any, order: str
) -> np.ndarray:
    return np.frombuffer(content, dtype.dtype).reshape(shape, order=order)


# numpy moved these functions from numpy.core to numpy._core in 2.0; files of both
# kinds are read under both.
NUMPY_GLOBALS: dict[str, Any] = {
    f"numpy.{core}.{name}": function
    for name, function in {
        "multiarray._reconstruct": _reconstruct,
        "multiarray.scalar": _scalar,
        "numeric._frombuffer": _from_buffer,
    }.items()
    for core in ("core", "_core")
} | {"numpy.ndarray": PickledArray, "numpy.dtype": PickledDtype}


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


# The one in Python: that in C makes its memo as large as the largest index that the
# file names, so that a few bytes can ask for gigabytes.
class RestrictedUnpickler(pickle._Unpickler):
    """An unpickler that refuses every name that is not listed above."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what the pickle may use.

        Raises:
            UnsafeCheckpointError: For anything but arrays, tensors and numbers.
        """
        try:
            return _GLOBALS[f"{module}.{name}"]
        except KeyError:
            raise UnsafeCheckpointError(
                f"the file wants to use {module}.{name}; only arrays, tensors, numbers "
                "and plain containers are read, because anything else can run code"
            ) from None


def load_restricted(file: BinaryIO) -> Any:
    """Unpickle arrays, tensors, numbers and plain containers.

    Args:
        file: Open pickle; strings of Python 2 are read as latin1, as detectron2 does.

    Returns:
        Its content; arrays may be of a subclass of `numpy.ndarray`.

    Raises:
        UnreadableCheckpointError: If it names anything else.
    """
    return RestrictedUnpickler(file, encoding="latin1").load()
