"""Files of detectron2 and torch are read; code inside them never runs."""

import os
import pickle

import numpy as np
import pytest
import torch

from tmt_vis.checkpoints import UnreadableCheckpointError, read_checkpoint

ARRAYS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a.bias": np.array([1.5, -2.0], np.float64),
    "a.count": np.int64(7),
    "a.index": np.array([[1, 2]], ">i8"),
}


def expect_arrays(found):
    assert list(found) == list(ARRAYS)
    for key, value in ARRAYS.items():
        assert np.array_equal(found[key].numpy(), value)


@pytest.fixture(params=[0, 1, 2, 3, 4, 5])
def protocol(request):
    return request.param


def test_pickles_of_arrays(tmp_path, protocol):
    path = tmp_path / "model.pkl"
    content = {"model": ARRAYS, "__author__": "x", "matching_heuristics": True}
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    if protocol < 2:  # text, which detectron2 does not write
        with pytest.raises(UnreadableCheckpointError, match="neither a .pth"):
            read_checkpoint(path)
        return
    source = read_checkpoint(path)
    expect_arrays(source.weights)
    assert source.other_entries == ("__author__", "matching_heuristics")
    assert source.file_name == "model.pkl" and len(source.sha256) == 64


def test_pickles_of_older_numpy(tmp_path):
    content = pickle.dumps({"model": ARRAYS}, protocol=2)
    assert b"numpy._core.multiarray" in content
    path = tmp_path / "model.pkl"
    path.write_bytes(content.replace(b"numpy._core.", b"numpy.core."))
    expect_arrays(read_checkpoint(path).weights)


def test_pickles_of_tensors(tmp_path):
    path = tmp_path / "model.pkl"
    tensors = {"w": torch.eye(2), "p": torch.nn.Parameter(torch.ones(3))}
    path.write_bytes(pickle.dumps(tensors))
    found = read_checkpoint(path).weights
    assert torch.equal(found["w"], torch.eye(2))
    assert torch.equal(found["p"], torch.ones(3)) and not found["p"].requires_grad


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files(tmp_path, zipped):
    path = tmp_path / "model.pth"
    names = ("person", "sedan")
    content = {
        "state_dict": {"w": torch.ones(2)},
        "meta": {"dataset_meta": {"classes": names}},
        "optimizer": {"state": {}},
    }
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    source = read_checkpoint(path)
    assert torch.equal(source.weights["w"], torch.ones(2))
    assert source.classes == names
    assert source.other_entries == ("meta", "optimizer")


def test_torch_files_with_arrays(tmp_path):
    path = tmp_path / "model.pth"
    torch.save({"model": ARRAYS, "iteration": np.int64(9)}, path)
    expect_arrays(read_checkpoint(path).weights)


def test_categories_as_mmdet_2_wrote_them(tmp_path):
    path = tmp_path / "model.pth"
    meta = {"CLASSES": ("person", "sedan"), "PALETTE": [(1, 2, 3)]}
    torch.save({"state_dict": {"w": torch.ones(2)}, "meta": meta}, path)
    assert read_checkpoint(path).classes == ("person", "sedan")


class Trap:
    """Unpickled without restriction, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", ["pickle", "torch", "nested"])
def test_code_in_a_file_does_not_run(tmp_path, save):
    path, sprung = tmp_path / "model.pkl", tmp_path / "sprung"
    if save == "torch":
        torch.save({"model": ARRAYS, "x": Trap(sprung)}, path)
    else:
        content = pickle.dumps({"model": ARRAYS, "x": Trap(sprung)}, protocol=2)
        if save == "nested":  # inside the bytes of a tensor's storage
            content = pickle.dumps({"model": {"w": StorageTrap(content)}})
        path.write_bytes(content)
    with pytest.raises(UnreadableCheckpointError, match="run code|executes code"):
        read_checkpoint(path)
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists()


class StorageTrap:
    """A tensor storage whose bytes are a pickle."""

    def __init__(self, content):
        self.content = content

    def __reduce__(self):
        return torch.storage._load_from_bytes, (self.content,)


@pytest.mark.parametrize("kind", ["pickle", "torch", "legacy"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_truncated_files(tmp_path, kind, share):
    path = tmp_path / "model.pth"
    content = {"model": {f"w{i}": torch.ones(50) for i in range(20)}}
    if kind == "pickle":
        arrays = {key: value.numpy() for key, value in content["model"].items()}
        path.write_bytes(pickle.dumps({"model": arrays}))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == "torch")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UnreadableCheckpointError, match="download"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html><html>404", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
        (b"\x89PNG\r\n", "another kind of file"),
    ],
)
def test_other_files(tmp_path, content, reason):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(UnreadableCheckpointError, match=reason):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [[1, 2], {"model": {"w": "text"}}, {}, {"w": None}])
def test_pickles_without_weights(tmp_path, content):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(
        UnreadableCheckpointError, match="not a dict|no checkpoint|dict of"
    ):
        read_checkpoint(path)


def test_arrays_of_objects_are_no_weights(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"model": {"w": np.array([None, "x"])}}))
    with pytest.raises(UnreadableCheckpointError, match="must hold numbers"):
        read_checkpoint(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        read_checkpoint(tmp_path / "none.pth")
