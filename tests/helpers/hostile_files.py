"""Checkpoints that are damaged, disguised or made to do harm; all of them small."""

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch


class Trap:
    """Unpickled without restriction, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


class Call:
    """Pickled, it is a call of `function`."""

    def __init__(self, function, *args) -> None:
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


def torch_bytes(content, **options) -> bytes:
    """Return what `torch.save` writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def deflated(content: bytes) -> bytes:
    """Compress the entries of a zip."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return buffer.getvalue()


def nested_lists(depth: int) -> list:
    """Return a list of ten times a list of ten times ...: 10**depth entries."""
    inner: list = []
    for _ in range(depth):
        inner = [inner] * 10
    return inner


def safetensors_bytes(header: bytes, data: bytes = b"") -> bytes:
    """Return a safetensors file with any header."""
    return struct.pack("<Q", len(header)) + header + data


WEIGHTS = {"w": torch.arange(6.0).reshape(2, 3)}
PAGE = b"<!DOCTYPE html><html><body>404</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


def bombs() -> dict[str, bytes]:
    """Return small files that claim gigabytes, by what they do."""
    zeros = torch_bytes({"w": torch.zeros(8 << 20)})
    array = Call(np.ndarray, (2**31,))
    started = Call(np.zeros(1).__reduce__()[0], np.ndarray, (2**31,), b"b")
    # The index of a memo entry, for which the unpickler in C reserves a table.
    memo = b"\x80\x02r\xff\xff\xff\x7fN."
    expanded = torch.zeros(1).expand(2**33)
    return {
        "deflated pth": deflated(zeros),
        "pickle calls ndarray": pickle.dumps({"w": array}, protocol=2),
        "pickle starts a large array": pickle.dumps({"w": started}, protocol=2),
        "pickle names a large memo": memo,
        "pth calls ndarray": torch_bytes({"w": array}),
        "pth starts a large array": torch_bytes({"w": started}),
        "pth calls bytearray": torch_bytes({"w": Call(bytearray, 2**33)}),
        "old pth calls bytearray": torch_bytes(
            {"w": Call(bytearray, 2**33)}, _use_new_zipfile_serialization=False
        ),
        "expanded tensor": torch_bytes({"w": expanded}),
        "many tensors of one storage": torch_bytes(
            {f"w{i}": tensor for tensor in [torch.zeros(4 << 20)] for i in range(99)}
        ),
        "nested lists": torch_bytes({"state_dict": WEIGHTS, "m": nested_lists(30)}),
        "nested lists in a pickle": pickle.dumps(
            {"model": {"w": np.ones(2)}, "m": nested_lists(30)}, protocol=2
        ),
        "safetensors header": safetensors_bytes(
            b'{"w":{"dtype":"F32","shape":[8589934592],"data_offsets":[0,34359738368]}}'
        ),
    }
