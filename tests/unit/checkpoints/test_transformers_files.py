"""Mask2Former of Hugging Face transformers: names, attentions, folders, shards."""

import json

import pytest
import torch
from helpers.foreign_checkpoints import shapes_of, tiny
from helpers.transformers_names import as_transformers
from safetensors.torch import save_file

from tmt_vis.checkpoints import (
    KeyMapError,
    SourceCheckpoint,
    UnknownArchitectureError,
    UnreadableCheckpointError,
    convert,
    read_checkpoint,
)
from tmt_vis.taxonomy import LabelSpace

KIT = "m2fvis_swint"
LAYOUTS = ["disk 4", "disk 5", "memory 5"]


def small():
    weights = tiny(KIT)
    for key, value in weights.items():  # queries, keys and values are thirds of rows
        if ".in_proj_" in key or ".qkv." in key:
            weights[key] = torch.randn(6, *value.shape[1:])
    return weights


def state(weights, **options):
    return convert(SourceCheckpoint(weights), **options).state_dict


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_numbers_are_those_of_detectron2(layout):
    weights = small()
    theirs = as_transformers(weights, layout)
    expected, got = state(weights), state(theirs)
    missing = expected.keys() - got.keys()
    assert got.keys() <= expected.keys()
    assert all(key.endswith("relative_position_index") for key in missing)
    assert len(missing) == (0 if layout == "disk 4" else 12)
    for key, value in got.items():
        assert torch.equal(value, expected[key]), key
    result = convert(SourceCheckpoint(theirs), source_labels="ytvis21")
    name = "transformers-mask2former-vis"
    assert result.meta["source"]["architecture"] == name
    assert result.rows.label_space == "ytvis21"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_shape(layout):
    theirs = as_transformers(shapes_of(KIT), layout)
    assert len(theirs) == (566 if layout == "disk 4" else 556)
    expected = {k: v.shape for k, v in state(shapes_of(KIT)).items()}
    got = {k: v.shape for k, v in state(theirs).items()}
    assert got.items() <= expected.items()


def test_what_cannot_be_converted():
    theirs = as_transformers(small(), "disk 4")
    lost = "model.transformer_module.decoder.layers.0.self_attn.k_proj.bias"
    without = {k: v for k, v in theirs.items() if k != lost}
    with pytest.raises(KeyMapError, match=r"self_attn\.in_proj_bias, got q, v only"):
        state(without)
    resnet = {
        k.replace("encoder.encoder.", "encoder.resnet."): v
        for k, v in theirs.items()
        if ".attention." not in k
    }
    with pytest.raises(UnknownArchitectureError, match="those with a Swin backbone"):
        state(resnet)


def write_folder(folder, weights, *, files=1, binary=False, labels=None):
    folder.mkdir()
    labels = labels or [f"LABEL_{i}" for i in range(40)]
    config = dict(model_type="mask2former", id2label=dict(enumerate(labels)))
    (folder / "config.json").write_text(json.dumps(config))
    weights = {k: v.clone().contiguous() for k, v in weights.items()}
    stem, end = ("pytorch_model", "bin") if binary else ("model", "safetensors")
    save = torch.save if binary else save_file
    if files == 1:
        save(weights, folder / f"{stem}.{end}")
        return folder
    keys, index = list(weights), {}
    for part in range(files):
        name = f"{stem}-{part + 1:05}-of-{files:05}.{end}"
        save({k: weights[k] for k in keys[part::files]}, folder / name)
        index |= dict.fromkeys(keys[part::files], name)
    text = json.dumps(dict(metadata={}, weight_map=index))
    (folder / f"{stem}.{end}.index.json").write_text(text)
    return folder


@pytest.mark.parametrize("binary", [False, True], ids=["safetensors", "bin"])
@pytest.mark.parametrize("files", [1, 3])
def test_a_folder(tmp_path, files, binary):
    weights = as_transformers(small(), "disk 4")
    names = LabelSpace.load("ytvis21").names
    folder = write_folder(
        tmp_path / "m", weights, files=files, binary=binary, labels=names
    )
    source = read_checkpoint(folder)
    assert source.weights.keys() == weights.keys()
    assert all(torch.equal(source.weights[k], v) for k, v in weights.items())
    assert source.classes == tuple(names) and len(source.sha256) == 64
    result = convert(source, label_spaces=["ytvis21"])
    assert result.rows.label_space == "ytvis21" and not result.rows.missing
    if files > 1:
        (index,) = folder.glob("*.index.json")
        assert read_checkpoint(index).sha256 == source.sha256


def test_numbered_labels_are_no_names(tmp_path, load_tool, capsys):
    folder = write_folder(tmp_path / "m", as_transformers(small(), "disk 5"))
    assert read_checkpoint(folder).classes == ()
    out = tmp_path / "out.pth"
    words = [str(folder), str(out), "--source-labels", "ytvis19"]
    assert not load_tool("convert_checkpoint").main(words)
    assert "m: transformers-mask2former-vis, sha256" in capsys.readouterr().out
    assert "head.query_decoder.cls_embed.bias" in torch.load(out)["state_dict"]


def test_broken_folders(tmp_path):
    weights = as_transformers(small(), "disk 4")
    folder = write_folder(tmp_path / "m", weights, files=2)
    (index,) = folder.glob("*.index.json")
    shard = next(iter(sorted(folder.glob("*.safetensors"))))
    content = shard.read_bytes()
    shard.unlink()
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at .*00001-of-00002"):
        read_checkpoint(folder)
    twin = sorted(folder.glob("*.safetensors"))[0]
    shard.write_bytes(twin.read_bytes())
    with pytest.raises(UnreadableCheckpointError, match="a tensor is in two of"):
        read_checkpoint(folder)
    shard.write_bytes(content)
    for text, said in (
        ('{"weight_map": {"a": "../../secret.bin"}}', "files beside it"),
        ("{}", "must have a weight_map"),
        ("[]", "must hold a JSON object"),
        ("<html>", "is no JSON"),
    ):
        index.write_text(text)
        with pytest.raises(UnreadableCheckpointError, match=said):
            read_checkpoint(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableCheckpointError, match="folder with config.json and"):
        read_checkpoint(tmp_path / "empty")
