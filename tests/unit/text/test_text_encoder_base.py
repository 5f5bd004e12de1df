"""What every encoder guarantees, and the one-word form of encoders."""

import logging

import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from tmt_vis.text import (
    TEXT_ENCODERS,
    HashTextEncoder,
    TextEmbeddingError,
    TextEncoder,
    encoder_cfg_from_spec,
)


class FixedEncoder(TextEncoder):
    """Returns what it was given."""

    identity = "fixed"

    def __init__(self, vectors):
        self.vectors = np.asarray(vectors)

    def provenance(self):
        return {}

    def _encode(self, prompts):
        return self.vectors


def test_rows_are_normalised_and_progress_is_reported():
    calls = []
    vectors = FixedEncoder([[3.0, 4.0], [0.0, 2.0]]).encode(
        list("abcd"), batch_size=2, progress=lambda *done: calls.append(done)
    )
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0, 1]] * 2, rtol=1e-6)
    assert calls == [(2, 4), (4, 4)]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1.0, 0.0]], r"must return \(2, D\) for 2 prompts, got \(1, 2\)"),
        ([1.0, 0.0], "must return"),
        ([[1.0, 0.0], [0.0, 0.0]], "zero or non-finite vector for 'b'"),
        ([[np.nan, 0.0], [1.0, 0.0]], "zero or non-finite vector for 'a'"),
    ],
)
def test_what_an_encoder_may_not_return(vectors, message):
    with pytest.raises(TextEmbeddingError, match=message):
        FixedEncoder(vectors).encode(["a", "b"])


@pytest.mark.parametrize(
    "spec",
    [
        "open_clip:RN50:openai",
        "open_clip:ViT-H-14:laion2b_s32b_b79k",
        "sentence_transformers:all-MiniLM-L6-v2",
        "hash:64:3",
    ],
)
def test_the_one_word_form_is_the_identity(spec):
    # Error messages print the identity as the --encoder of the remedy.
    assert TEXT_ENCODERS.build(encoder_cfg_from_spec(spec)).identity == spec


@pytest.mark.parametrize(
    "spec", ["clip:RN50:openai", "open_clip:RN50", "hash:64:x", "hash:64:", "", "hash"]
)
def test_other_words_are_errors(spec):
    with pytest.raises(TextEmbeddingError, match="open_clip:MODEL:PRETRAINED"):
        encoder_cfg_from_spec(spec)


def test_building_inside_an_mmdet_run_does_not_warn(caplog):
    # MMEngine's logger does not propagate, so caplog must listen at its door.
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    with DefaultScope.overwrite_default_scope("mmdet"):
        encoder = TEXT_ENCODERS.build(dict(type="HashTextEncoder", dim=8))
    logger.removeHandler(caplog.handler)
    assert isinstance(encoder, HashTextEncoder)
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == []
