"""HashTextEncoder: deterministic everywhere, distinct, a little similar."""

import numpy as np
import pytest

from tmt_vis.taxonomy import Taxonomy
from tmt_vis.text import HashTextEncoder, TextEmbeddingError


def test_vectors_are_the_same_on_every_machine():
    # Signs frozen from the first implementation; nothing but hashing and integer sums
    # stands between the text and them.
    vector = HashTextEncoder(dim=16, seed=0).encode(["a photo of a dog."])[0]
    assert "".join("+" if x > 0 else "-" for x in vector) == FROZEN_SIGNS
    np.testing.assert_allclose(np.abs(vector).max(), FROZEN_MAXIMUM, rtol=1e-6)


FROZEN_SIGNS = "---+-+++++++-+++"
FROZEN_MAXIMUM = 0.54458117


@pytest.mark.parametrize("dim", [8, 13, 64, 1000])
def test_rows_have_the_asked_width_and_length_one(dim):
    vectors = HashTextEncoder(dim=dim).encode(["dog", "cat", "a photo of a"])
    assert vectors.shape == (3, dim) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


def test_a_prompt_does_not_depend_on_its_neighbours():
    encoder = HashTextEncoder()
    alone = encoder.encode(["a photo of a zebra."])
    among = encoder.encode(["x", "a photo of a zebra.", "y"], batch_size=2)
    np.testing.assert_array_equal(alone[0], among[1])


def test_seed_and_dim_change_vectors_and_identity():
    a, b = HashTextEncoder(dim=32, seed=0), HashTextEncoder(dim=32, seed=1)
    assert a.identity == "hash:32:0" and b.identity == "hash:32:1"
    assert abs(float(a.encode(["dog"])[0] @ b.encode(["dog"])[0])) < 0.6


def test_common_word_parts_make_vectors_similar_and_templates_do_not():
    encoder = HashTextEncoder(dim=1024)
    prompts = [f"a photo of a {n}." for n in ("skateboard", "snowboard", "giraffe")]
    skateboard, snowboard, giraffe = encoder.encode(prompts)
    assert skateboard @ snowboard > 0.2
    assert abs(skateboard @ giraffe) < 0.15


def test_all_categories_of_the_union_stay_distinct():
    taxonomy = Taxonomy.from_label_spaces(["ytvis19", "ytvis21", "ovis", "uvo"])
    prompts = [prompt for prompt in taxonomy.prompts() if prompt]
    vectors = HashTextEncoder(dim=64).encode(prompts)
    cosines = vectors @ vectors.T - np.eye(len(prompts))
    assert cosines.max() < 0.9


def test_bad_requests_are_errors():
    with pytest.raises(TextEmbeddingError, match="dim must be at least 8, got 4"):
        HashTextEncoder(dim=4)
    with pytest.raises(TextEmbeddingError, match="at least one prompt"):
        HashTextEncoder().encode([])
