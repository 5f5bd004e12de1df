"""What every text encoder answers; a new one adds an entry to ENCODERS."""

import sys

import numpy as np
import pytest

from tmt_vis.text import (
    TEXT_ENCODERS,
    TextEmbeddingError,
    TextEncoder,
    encoder_cfg_from_spec,
)

# Arguments with which nothing is fetched and nothing is installed. Of those without
# weights, encoding is checked with stand-in vectors.
ENCODERS = {
    "HashTextEncoder": dict(dim=12),
    "OpenCLIPTextEncoder": dict(model="RN50", pretrained="openai"),
    "SentenceTransformerTextEncoder": dict(model="no-such-model"),
}
NEED_WEIGHTS = {"OpenCLIPTextEncoder", "SentenceTransformerTextEncoder"}
PROMPTS = ["a dog.", "a giant panda.", "a dog."]


@pytest.fixture(params=ENCODERS)
def name(request) -> str:
    return request.param


@pytest.fixture
def encoder(name) -> TextEncoder:
    return TEXT_ENCODERS.build(dict(type=name, **ENCODERS[name]))


def test_every_registered_one_is_asked():
    assert set(TEXT_ENCODERS.module_dict) == set(ENCODERS)


def test_constructing_one_loads_nothing(name, monkeypatch):
    for package in ("open_clip", "sentence_transformers"):
        monkeypatch.setitem(sys.modules, package, None)  # an import would fail
    encoder = TEXT_ENCODERS.build(dict(type=name, **ENCODERS[name]))
    assert encoder.identity and ":" in encoder.identity


def test_its_identity_names_the_same_encoder(encoder):
    again = TEXT_ENCODERS.build(encoder_cfg_from_spec(encoder.identity))
    assert type(again) is type(encoder) and again.identity == encoder.identity


def test_nothing_is_downloaded_unasked(name, encoder):
    if name in NEED_WEIGHTS:
        with pytest.raises(TextEmbeddingError):
            encoder.encode(PROMPTS)
    else:
        assert len(encoder.encode(PROMPTS)) == 3


def test_vectors_have_length_one_whatever_the_batch(name, encoder, monkeypatch):
    if name in NEED_WEIGHTS:
        stand_in = [[3.0, 4.0 + len(prompt)] for prompt in PROMPTS]
        rows = dict(zip(PROMPTS, stand_in, strict=True))
        monkeypatch.setattr(encoder, "_encode", lambda batch: [rows[p] for p in batch])
    whole, single = (encoder.encode(PROMPTS, batch_size=n) for n in (32, 1))
    assert whole.dtype == np.float32 and len(whole) == 3
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(whole, single, atol=1e-6)
    assert (whole[0] == whole[2]).all() and (whole[0] != whole[1]).any()


def test_no_prompt_is_an_error(encoder):
    with pytest.raises(TextEmbeddingError, match="at least one prompt"):
        encoder.encode([])
