"""Embedding files: addresses, precision, and everything that can be wrong with one."""

import io
import json
import resource
import struct
import zipfile

import numpy as np
import pytest

from tmt_vis.text import EmbeddingStore, TextEmbeddingError, TextEmbeddings
from tmt_vis.text.base import unit_rows

PROMPTS = ("a dog.", "a cat.", "größer: ü")


def embeddings(prompts=PROMPTS, *, dim=384, seed=0, encoder="test:one", **options):
    rng = np.random.default_rng(seed)
    fields = dict(
        templates=("a {}.",),
        label_spaces={"mine": ("dog", "cat")},
        made_with={"torch": "2", "command": "python tools/text_embeddings.py"},
    )
    return TextEmbeddings(
        encoder=encoder,
        prompts=tuple(prompts),
        vectors=unit_rows(rng.normal(size=(len(prompts), dim))),
        **{**fields, **options},
    )


def rewrite(path, *, target=None, **changes):
    """Write a file again with changed arrays or header fields."""
    with np.load(path) as arrays:
        header = json.loads(arrays["header"].tobytes().decode())
        vectors = arrays["vectors"]
    vectors = changes.pop("vectors", vectors)
    header.update(changes)
    header = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(target or path, header=header, vectors=vectors)


def test_half_precision_costs_less_than_announced(tmp_path):
    made = embeddings()
    loaded = TextEmbeddings.load(made.save(tmp_path))
    assert loaded.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(loaded.vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(loaded.vectors, made.vectors, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose((loaded.vectors * made.vectors).sum(1), 1, atol=1e-6)


def test_single_precision_is_kept(tmp_path):
    made = embeddings()
    loaded = TextEmbeddings.load(made.save(tmp_path, dtype="float32"))
    np.testing.assert_allclose(loaded.vectors, made.vectors, atol=1e-7)


def test_everything_but_the_last_bits_survives_a_file(tmp_path):
    made = embeddings()
    loaded = TextEmbeddings.load(made.save(tmp_path / "new" / "folder"))
    for field in ("encoder", "templates", "label_spaces", "prompts", "made_with"):
        assert getattr(loaded, field) == getattr(made, field), field
    assert loaded.address == made.address and loaded.dim == 384


def test_the_file_is_bit_identical_when_made_again(tmp_path):
    first = embeddings().save(tmp_path / "a").read_bytes()
    assert embeddings().save(tmp_path / "b").read_bytes() == first
    assert [p.suffix for p in (tmp_path / "a").iterdir()] == [".npz"]


def test_the_name_is_addressed_by_what_went_in():
    made = embeddings()
    assert made.file_name == f"test-one-{made.address}.npz"
    variants = [
        embeddings(encoder="test:two"),
        embeddings(prompts=PROMPTS[::-1]),
        embeddings(templates=("the {}.",)),
        embeddings(label_spaces={"mine": ("dog", "wolf")}),
    ]
    assert len({made.address, *(v.address for v in variants)}) == 5
    assert embeddings(seed=9, made_with={}).address == made.address


def test_the_file_holds_no_pickle(tmp_path):
    with np.load(embeddings().save(tmp_path), allow_pickle=False) as arrays:
        assert {k: arrays[k].dtype.name for k in arrays} == {
            "header": "uint8",
            "vectors": "float16",
        }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": 512}, "announces width 512, the vectors are"),
        ({"format": 9}, "format must be 1, got 9"),
        ({"prompts": ["a dog."]}, "one row per prompt"),
        ({"prompts": ["a dog.", "a dog.", "x"]}, "must be distinct"),
        ({"prompts": ["a dog.", "a cat.", "x"]}, "was altered or renamed"),
        ({"encoder": "test:other"}, "was altered or renamed"),
        ({"label_spaces": None}, "incomplete header"),
        ({"vectors": np.zeros((3, 384), np.float16)}, "of length one"),
        ({"vectors": np.full((3, 384), np.nan, np.float16)}, "of length one"),
        ({"vectors": np.array([[1], [2], [3]], object)}, "not a readable"),
        ({"vectors": np.array([["a"] * 384] * 3)}, "must be floating-point numbers"),
        ({"vectors": np.ones((3, 384), bool)}, "must be floating-point numbers"),
        ({"vectors": np.full((3, 384), 1e300)}, "of length one"),
        ({"vectors": np.ones((), np.float16)}, "announces width"),
        ({"prompts": 3}, "incomplete header"),
        ({"prompts": [["a"], ["b"], ["c"]]}, "incomplete header"),
        ({"prompts": ["a", "b", {}]}, "incomplete header"),
        ({"encoder": {"a": 1}}, "was altered or renamed"),
        ({"label_spaces": [1]}, "incomplete header"),
    ],
)
def test_inconsistent_files_are_errors(tmp_path, changes, message):
    path = embeddings().save(tmp_path)
    rewrite(path, **changes)
    with pytest.raises(TextEmbeddingError, match=message) as error:
        TextEmbeddings.load(path)
    assert str(path) in str(error.value)


def test_a_missing_header_field_is_named(tmp_path):
    path = embeddings().save(tmp_path)
    with np.load(path) as arrays:
        header = json.loads(arrays["header"].tobytes())
        del header["made_with"]
        coded = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        np.savez(path, header=coded, vectors=arrays["vectors"])
    with pytest.raises(TextEmbeddingError, match="incomplete header.*made_with"):
        TextEmbeddings.load(path)


@pytest.mark.parametrize("kind", ["truncated", "flipped", "text", "npy", "pickle"])
def test_corrupt_files_are_errors_with_a_remedy(tmp_path, kind):
    path = embeddings().save(tmp_path)
    content = bytearray(path.read_bytes())
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "flipped":
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    elif kind == "text":
        path.write_text("version https://git-lfs.github.com/spec/v1")
    else:
        payload = np.zeros(3) if kind == "npy" else np.array([{}], object)
        with path.open("wb") as stream:
            np.save(stream, payload, allow_pickle=True)
    with pytest.raises(TextEmbeddingError, match="not a readable text-embedding file"):
        TextEmbeddings.load(path)


def npz(path, header, vectors_member, *, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, member in [("header", header), ("vectors", vectors_member)]:
            archive.writestr(f"{name}.npy", member)
    return path


def member(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_bombs_do_not_go_off(tmp_path):
    text = member(np.frombuffer(b"{}", np.uint8))
    header = b"{'descr': '<f2', 'fortran_order': False, 'shape': (3, 35184372088832)}"
    huge = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n"
    nested = member(np.frombuffer(b"[" * 100_000, np.uint8))
    files = [
        npz(tmp_path / "a.npz", text, huge),
        npz(
            tmp_path / "b.npz",
            text,
            member(np.zeros(1 << 24, np.float16)),
            compression=zipfile.ZIP_DEFLATED,
        ),
        npz(tmp_path / "c.npz", nested, text),
    ]
    for path, message in zip(
        files, ["does not justify", "claim to hold", "recursion"], strict=True
    ):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(TextEmbeddingError, match=message) as error:
            TextEmbeddings.load(path)
        assert str(path) in str(error.value)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 100_000  # kilobytes


def test_a_store_joins_files_and_serves_any_order(tmp_path):
    one = embeddings(["a", "b"], seed=1)
    two = embeddings(["c", "d"], seed=2)
    files = [one.save(tmp_path), two.save(tmp_path)]
    store = EmbeddingStore("test:one", files)
    wanted = np.stack([two.vectors[1], one.vectors[0]])
    np.testing.assert_allclose(store.vectors(["d", "a"]), wanted, rtol=2e-3, atol=1e-6)
    assert store.missing(["a", "x", "d", "y"]) == ["x", "y"] and store.dim == 384
    with pytest.raises(TextEmbeddingError, match="1 prompts have no vector"):
        store.vectors(["a", "x"])


def test_a_store_searches_folders_for_its_encoder_only(tmp_path):
    embeddings().save(tmp_path)
    embeddings(encoder="test:one-b", dim=8).save(tmp_path)
    folders = [tmp_path, tmp_path / "missing"]
    store = EmbeddingStore.in_folders("test:one", folders)
    assert len(store.files) == 1 and store.dim == 384
    assert EmbeddingStore.in_folders("test:two", folders).dim is None


def test_files_of_different_weights_contradict_each_other(tmp_path):
    one = embeddings(["probe", "a"], seed=1).save(tmp_path)
    two = embeddings(["probe", "b"], seed=2).save(tmp_path)
    with pytest.raises(TextEmbeddingError, match="different vectors for 'probe'"):
        EmbeddingStore("test:one", [one, two])


def test_files_of_another_encoder_or_width_are_errors(tmp_path):
    narrow = embeddings(["x"], dim=16).save(tmp_path)
    other = embeddings(encoder="test:two").save(tmp_path)
    wide = embeddings().save(tmp_path)
    with pytest.raises(TextEmbeddingError, match="of test:two, not of test:one"):
        EmbeddingStore("test:one", [other])
    with pytest.raises(TextEmbeddingError, match="is 16 wide, .* is 384"):
        EmbeddingStore("test:one", [wide, narrow])
    with pytest.raises(TextEmbeddingError, match="no such text-embedding file"):
        EmbeddingStore("test:one", [tmp_path / "none.npz"])
