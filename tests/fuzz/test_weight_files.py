"""Weights and embeddings: read, or refused in a line; nothing runs, nothing bursts."""

import io
import pickle
import struct
from functools import partial

import numpy as np
import pytest
import torch
from helpers.fuzzing import (
    damaged,
    damaged_members,
    examples,
    little_memory,
    succeeds_or_explains,
)
from helpers.hostile_files import bombs, safetensors_bytes, torch_bytes
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor

from tmt_vis.checkpoints import CheckpointError, load_checkpoint, read_checkpoint
from tmt_vis.text import TextEmbeddingError, TextEmbeddings

SPRUNG: list[str] = []


def spring(*_args: object) -> str:
    """Tell that a file has run code."""
    SPRUNG.append("sprung")
    return "sprung"


WEIGHTS = {"a.weight": torch.ones(2, 3), "a.steps": torch.tensor(7)}
CONTENT = {
    "state_dict": WEIGHTS,
    "meta": {"classes": ("cat", "dog"), "iter": 3, "cfg": "x = 1"},
    "optimizer": {"state": [1.5, None, {"step": 4}]},
}
ARRAYS = {"model": {key: value.numpy() for key, value in WEIGHTS.items()}}
PTH = torch_bytes(CONTENT)
PLAIN_FILES = [
    PTH,
    torch_bytes(CONTENT, _use_new_zipfile_serialization=False),
    torch_bytes(ARRAYS),
    *(pickle.dumps(ARRAYS, protocol=protocol) for protocol in (2, 4, 5)),
    save(WEIGHTS, metadata={"a": "b"}),
    b"version https://git-lfs.github.com/spec/v1\n",
    b"<!doctype html>",
]
# Small pieces of pickles, of which programs are put together.
_GLOBALS = [
    *(b"numpy._core.multiarray\n_reconstruct", b"numpy._core.multiarray\nscalar"),
    *(b"numpy\nndarray", b"numpy\ndtype", b"numpy._core.numeric\n_frombuffer"),
    *(b"collections\nOrderedDict", b"_codecs\nencode", b"builtins\nbytearray"),
    *(b"torch._utils\n_rebuild_tensor_v2", b"torch\nFloatStorage"),
    *(b"torch._utils\n_rebuild_tensor", b"torch\nSize", b"builtins\ncomplex"),
    *(b"torch._tensor\n_rebuild_from_type_v2", b"torch\nTensor", b"builtins\nset"),
    *(b"test_weight_files\nspring", b"builtins\neval", b"os\nsystem"),
    *(b"torch.nn.parameter\nParameter", b"torch\nfloat32", b"torch\nUntypedStorage"),
]
_PIECES = st.one_of(
    st.sampled_from(_GLOBALS).map(lambda name: b"c" + name + b"\n"),
    st.sampled_from([b"R", b"b", b"(", b"t", b"l", b"d", b"}", b"]", b")", b"N"]),
    st.sampled_from([b"\x85", b"\x86", b"\x87", b"\x81", b"s", b"u", b"a", b"e"]),
    st.sampled_from([b"\x88", b"\x89", b"0", b"2", b"Q", b"q\x00", b"h\x00"]),
    st.integers(-(2**31), 2**31 - 1).map(lambda n: b"J" + struct.pack("<i", n)),
    st.integers(0, 2**32 - 1).map(lambda n: b"r" + struct.pack("<I", n)),
    st.sampled_from(["w", "state_dict", "model", "f4", "O", "latin1", "cpu", "0"]).map(
        lambda text: b"X" + struct.pack("<I", len(text)) + text.encode()
    ),
    st.integers(1, 2**40).map(
        lambda n: b"\x8a\x06" + n.to_bytes(6, "little", signed=True)
    ),
)


@st.composite
def programs(draw: st.DrawFn) -> bytes:
    """Put a pickle together at random, plain or as the data.pkl of a .pth."""
    program = b"\x80\x02" + b"".join(draw(st.lists(_PIECES, max_size=14))) + b"."
    if draw(st.booleans()):
        return program
    reader, buffer = torch._C.PyTorchFileReader(io.BytesIO(PTH)), io.BytesIO()
    writer = torch._C.PyTorchFileWriter(buffer)
    for name in reader.get_all_records():
        if not name.startswith(".") and name != "version":
            record = program if name == "data.pkl" else reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return buffer.getvalue()


_KINDS = ["F32", "F16", "BF16", "I64", "F8_E4M3", "BOOL", "X"]
_NUMBERS = st.one_of(st.integers(-2, 40), st.integers(0, 2**50))


@st.composite
def tensor_headers(draw: st.DrawFn) -> bytes:
    """Make up the header of a safetensors file."""
    tensors = {
        name: {
            "dtype": draw(st.sampled_from(_KINDS)),
            "shape": draw(st.lists(_NUMBERS, max_size=3)),
            "data_offsets": draw(st.lists(_NUMBERS, min_size=1, max_size=3)),
        }
        for name in draw(st.lists(st.sampled_from("abc"), max_size=3))
    }
    text = repr(tensors).replace("'", '"').encode()
    return safetensors_bytes(text, draw(st.binary(max_size=40)))


FILES = st.one_of(
    st.sampled_from(PLAIN_FILES).flatmap(damaged),
    st.sampled_from([PTH, torch_bytes(ARRAYS)]).flatmap(damaged_members),
    st.sampled_from(sorted(bombs().values())).flatmap(damaged),
    programs(),
    tensor_headers(),
    st.binary(max_size=80),
)


def check_checkpoint(folder, content):
    path = folder / "c.pth"
    path.write_bytes(content)
    SPRUNG.clear()
    with little_memory(megabytes=400):
        loaded = succeeds_or_explains(partial(load_checkpoint, path), CheckpointError)
        succeeds_or_explains(partial(read_checkpoint, path), CheckpointError)
    assert not SPRUNG
    if loaded is not None:
        assert all(isinstance(value, Tensor) for value in loaded["state_dict"].values())


def embedding_file(folder):
    vectors = np.eye(3, 4, dtype=np.float32)
    embeddings = TextEmbeddings(
        encoder="test:one",
        templates=("a {}.",),
        label_spaces={"x": ("cat", "dog", "hen")},
        prompts=("a cat.", "a dog.", "a hen."),
        vectors=vectors,
        made_with={"command": "none"},
    )
    path = embeddings.save(folder)
    content = path.read_bytes()
    assert TextEmbeddings.load(path).dim == 4
    return path, content


def check_embeddings(path, content):
    path.write_bytes(content)
    with little_memory(megabytes=400):
        load = partial(TextEmbeddings.load, path)
        loaded = succeeds_or_explains(load, TextEmbeddingError)
    assert loaded is None or loaded.prompts == ("a cat.", "a dog.", "a hen.")


@pytest.mark.parametrize(
    "number", [300, pytest.param(6000, marks=pytest.mark.slow)], ids=str
)
def test_checkpoints(number, tmp_path):
    @examples(number)
    @given(FILES)
    def check(content):
        check_checkpoint(tmp_path, content)

    check()


@pytest.mark.parametrize(
    "number", [150, pytest.param(3000, marks=pytest.mark.slow)], ids=str
)
def test_text_embeddings(number, tmp_path):
    path, content = embedding_file(tmp_path)
    files = st.one_of(damaged(content), damaged_members(content))

    @examples(number)
    @given(files)
    def check(changed):
        check_embeddings(path, changed)

    check()
