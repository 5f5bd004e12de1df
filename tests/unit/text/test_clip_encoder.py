"""OpenCLIPTextEncoder with tiny untrained models, and its refusal to download."""

import json
import zipfile

import numpy as np
import pytest
import torch
from helpers.hostile_files import PAGE, POINTER, Trap, torch_bytes

from tmt_vis.text import OpenCLIPTextEncoder, TextEmbeddingError

open_clip = pytest.importorskip("open_clip")

MODEL = "tmt-vis-test-tiny"
PROMPTS = ["a photo of a dog.", "a photo of a giant panda."]
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 8, "layers": 1, "width": 64, "patch_size": 8},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 1,
    },
}


@pytest.fixture(scope="module", autouse=True)
def tiny_architecture(tmp_path_factory):
    path = tmp_path_factory.mktemp("open_clip") / f"{MODEL}.json"
    path.write_text(json.dumps(TINY))
    open_clip.add_model_config(path)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = open_clip.create_model(MODEL).eval()
    # At the default scale the residual drowns the activation, and GELU and QuickGELU
    # agree to 1e-5.
    for block in model.transformer.resblocks:
        block.mlp.c_proj.weight.data.mul_(20)
    return model


@pytest.fixture(scope="module")
def checkpoint(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    torch.save(model.state_dict(), path)
    return path


def reference(model) -> np.ndarray:
    with torch.no_grad():
        vectors = model.encode_text(open_clip.get_tokenizer(MODEL)(PROMPTS))
    return torch.nn.functional.normalize(vectors, dim=1).numpy()


def encoder(**options) -> OpenCLIPTextEncoder:
    return OpenCLIPTextEncoder(**{"model": MODEL, "pretrained": "mine", **options})


def test_a_local_checkpoint_is_encoded_as_open_clip_does(model, checkpoint):
    tiny = encoder(checkpoint=str(checkpoint))
    vectors = tiny.encode(PROMPTS, batch_size=1)
    assert vectors.shape == (2, 16) and vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, reference(model), atol=1e-6)
    assert abs(float(vectors[0] @ vectors[1])) < 0.999
    assert tiny.identity == f"open_clip:{MODEL}:mine"
    made_with = tiny.provenance()
    assert made_with["weights"].startswith("sha256:") and "open_clip" in made_with


def test_torchscript_archives_as_openai_publishes_are_read(model, tmp_path):
    class Holder(torch.nn.Module):
        def __init__(self, state):
            super().__init__()
            for name, value in state.items():
                parent, module = name.rpartition(".")[::2], self
                for part in filter(None, parent[0].split(".")):
                    if not hasattr(module, part):
                        setattr(module, part, torch.nn.Module())
                    module = getattr(module, part)
                module.register_buffer(parent[1], value)

        def forward(self, x):
            return x

    path = tmp_path / "tiny_script.pt"
    torch.jit.script(Holder(model.state_dict())).save(str(path))
    vectors = encoder(checkpoint=str(path)).encode(PROMPTS)
    np.testing.assert_allclose(vectors, reference(model), atol=1e-6)


def test_openai_weights_get_the_activation_they_were_trained_with(
    model, checkpoint, monkeypatch
):
    # open_clip 3 only warns when RN50 (GELU) gets OpenAI's weights (QuickGELU).
    tags = {"openai": {"url": "", "quick_gelu": True}}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, MODEL, tags)
    vectors = encoder(pretrained="openai", checkpoint=str(checkpoint)).encode(PROMPTS)
    quick = open_clip.create_model(MODEL, force_quick_gelu=True).eval()
    quick.load_state_dict(model.state_dict())
    np.testing.assert_allclose(vectors, reference(quick), atol=1e-6)
    assert np.abs(vectors - reference(model)).max() > 1e-3


def test_the_paper_weights_are_known_to_need_it():
    assert open_clip.get_pretrained_cfg("RN50", "openai")["quick_gelu"]
    assert not open_clip.get_model_config("RN50").get("quick_gelu", False)


def test_wrong_weights_are_not_loaded_silently(model, tmp_path):
    state = model.state_dict()
    del state["token_embedding.weight"]
    torch.save(state, tmp_path / "part.pt")
    with pytest.raises(RuntimeError, match="token_embedding"):
        encoder(checkpoint=str(tmp_path / "part.pt")).encode(PROMPTS)


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("something tried to download")

    monkeypatch.setattr(open_clip.factory, "download_pretrained", refuse)
    monkeypatch.setattr(open_clip.factory, "create_model", refuse)
    monkeypatch.setattr(open_clip, "create_model", refuse)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            dict(model="RN50", pretrained="openai"),
            "text_embeddings.py --encoder open_clip:RN50:openai with --checkpoint FILE"
            ".*--download",
        ),
        (dict(model="RN51", pretrained="openai"), "no architecture 'RN51'.*RN50"),
        (dict(model="RN50", pretrained="opnai"), "no weights 'opnai'; tags: openai"),
        (dict(checkpoint="none.pt"), "no such weights file: none.pt"),
    ],
)
def test_nothing_is_downloaded_unasked(no_network, options, message):
    with pytest.raises(TextEmbeddingError, match=message):
        encoder(**options).encode(PROMPTS)


def test_a_tokenizer_from_the_hub_counts_as_a_download(no_network, checkpoint):
    needs_hub = dict(model="roberta-ViT-B-32", checkpoint=str(checkpoint))
    with pytest.raises(TextEmbeddingError, match="the tokenizer of .* be fetched"):
        encoder(**needs_hub).encode(PROMPTS)


def test_download_is_passed_on_only_when_allowed(monkeypatch):
    seen = {}

    def create_model(name, **options):
        seen.update(options, name=name)
        raise KeyboardInterrupt

    monkeypatch.setattr(open_clip, "create_model", create_model)
    with pytest.raises(KeyboardInterrupt):
        encoder(model="RN50", pretrained="openai", allow_download=True).encode(PROMPTS)
    assert seen["name"] == "RN50" and seen["pretrained"] == "openai"
    assert seen["force_quick_gelu"] is True and seen["weights_only"] is True
    assert seen["require_pretrained"] is True


def test_constructing_an_encoder_needs_no_open_clip(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "open_clip", None)
    lazy = OpenCLIPTextEncoder()
    assert lazy.identity == "open_clip:RN50:openai"
    with pytest.raises(TextEmbeddingError, match="pip install open_clip_torch"):
        lazy.encode(PROMPTS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PAGE, "a web page"),
        (POINTER, "git lfs pull"),
        (torch_bytes({"w": torch.ones(2)})[:-200], "damaged or no checkpoint"),
    ],
)
def test_other_files_are_named(content, message, tmp_path):
    path = tmp_path / "RN50.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        encoder(checkpoint=str(path)).encode(PROMPTS)
    assert "weights_only" not in str(error.value)


def test_an_archive_that_pretends_to_be_torchscript_runs_nothing(tmp_path):
    path, sprung = tmp_path / "RN50.pt", tmp_path / "sprung"
    path.write_bytes(torch_bytes({"state_dict": {"w": Trap(sprung)}}))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/other/constants.pkl", b"")
    with pytest.raises(ValueError, match="executes code"):
        encoder(checkpoint=str(path)).encode(PROMPTS)
    assert not sprung.exists()
