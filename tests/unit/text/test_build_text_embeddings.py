"""build_text_embeddings: the (K, D) matrix, from files or computed on the fly."""

import json

import numpy as np
import pytest
from mmengine import Config

from tmt_vis.taxonomy import (
    Category,
    LabelSpace,
    Taxonomy,
    bundled_names,
    data_root,
)
from tmt_vis.text import (
    HashTextEncoder,
    OpenCLIPTextEncoder,
    TextEmbeddingError,
    TextEmbeddings,
    build_text_embeddings,
    make_text_embeddings,
    nearest_categories,
    prompts_of,
)

HASH = dict(type="HashTextEncoder", dim=32, seed=5)
MINILM = dict(type="SentenceTransformerTextEncoder", model="all-MiniLM-L6-v2")
RN50 = dict(type="OpenCLIPTextEncoder", model="RN50", pretrained="openai")


class PretendRN50(HashTextEncoder):
    """Files as RN50 would make them, without RN50."""

    identity = OpenCLIPTextEncoder().identity


def write_pretend_rn50(folder, names, templates=("a photo of a {}.",), seed=0):
    spaces = [LabelSpace.load(name) for name in names]
    encoder = PretendRN50(dim=64, seed=seed)
    return make_text_embeddings(encoder, spaces, templates, command="x").save(folder)


@pytest.fixture(scope="module")
def union() -> Taxonomy:
    return Taxonomy.from_label_spaces(["ytvis19", "ovis", "uvo"])


def test_on_the_fly(union):
    matrix = build_text_embeddings(dict(encoder=HASH), union)
    assert matrix.shape == (104, 32) and matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix[-1], 0)  # 'other' has no text
    np.testing.assert_allclose(np.linalg.norm(matrix[:-1], axis=1), 1, atol=1e-6)
    expected = HashTextEncoder(dim=32, seed=5).encode(["a photo of a sedan car."])
    np.testing.assert_array_equal(matrix[5], expected[0])


def test_text_less_rows_may_lie_anywhere():
    # A taxonomy out of an old checkpoint may be ordered otherwise than new ones.
    categories = (Category(1, "thing", has_text=False), Category(2, "yak"))
    space = LabelSpace("m", "M", categories)
    taxonomy = Taxonomy(
        label_spaces={"m": space},
        names=space.names,
        nouns=(None, "yak"),
        slots_to_union={"m": (0, 1)},
    )
    matrix = build_text_embeddings(dict(encoder=HASH), taxonomy)
    assert matrix.any(axis=1).tolist() == [False, True]


def test_several_templates_are_averaged_and_normalised_again(union):
    templates = ["a photo of a {}.", "a cropped photo of the {}."]
    cfg = Config(dict(texts=dict(encoder=HASH, template=templates))).texts
    single = [
        build_text_embeddings(dict(encoder=HASH, template=t), union) for t in templates
    ]
    mean = (single[0] + single[1]) / 2
    spoken = union.has_text
    mean[spoken] /= np.linalg.norm(mean[spoken], axis=1, keepdims=True)
    np.testing.assert_allclose(build_text_embeddings(cfg, union), mean, atol=1e-6)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """One file of each bundled label space."""
    folder = tmp_path_factory.mktemp("parts")
    for name in bundled_names():
        write_pretend_rn50(folder, [name])
    return folder


@pytest.mark.parametrize(
    "label_spaces",
    [["uvo"], ["ovis", "ytvis19"], ["ytvis21", "uvo"], ["coco", "ovis", "ytvis21"]],
)
def test_any_union_is_served_from_files_of_its_parts(parts, label_spaces):
    taxonomy = Taxonomy.from_label_spaces(label_spaces)
    matrix = build_text_embeddings(dict(encoder=RN50, cache_dir=parts), taxonomy)
    spoken = [prompt for prompt in taxonomy.prompts() if prompt]
    expected = PretendRN50(dim=64).encode(spoken)
    np.testing.assert_allclose(matrix[taxonomy.has_text], expected, atol=2e-4)


def test_the_file_option_reads_just_that_file(tmp_path):
    ovis = Taxonomy.from_label_spaces(["ovis"])
    wanted = write_pretend_rn50(tmp_path, ["ovis"], seed=1)
    write_pretend_rn50(tmp_path, ["uvo"], seed=2)
    matrix = build_text_embeddings(dict(encoder=RN50, file=str(wanted)), ovis)
    expected = PretendRN50(dim=64, seed=1).encode(ovis.prompts())
    np.testing.assert_allclose(matrix, expected, atol=2e-4)


def test_mixed_weights_are_found_out_even_without_a_common_category(tmp_path):
    # Every file carries one probe prompt, so any two of an encoder can be compared.
    for seed, name in enumerate(["yak", "gnu"]):
        path = tmp_path / f"{name}.json"
        row = {"source_id": 1, "name": name}
        path.write_text(json.dumps({"name": name, "categories": [row]}))
        write_pretend_rn50(tmp_path, [path], seed=seed)
    taxonomy = Taxonomy.from_label_spaces([tmp_path / "yak.json"])
    with pytest.raises(TextEmbeddingError, match="different weights"):
        build_text_embeddings(dict(encoder=RN50, cache_dir=str(tmp_path)), taxonomy)


def test_the_cache_variable_is_searched_by_default(tmp_path, monkeypatch):
    write_pretend_rn50(tmp_path, ["ovis"])
    ovis = Taxonomy.from_label_spaces(["ovis"])
    monkeypatch.setenv("TMT_VIS_CACHE", str(tmp_path))
    assert build_text_embeddings(dict(encoder=RN50), ovis).shape == (25, 64)


def test_missing_prompts_name_the_exact_command(tmp_path):
    path = tmp_path / "my animals.json"
    row = {"source_id": 1, "name": "yak"}
    path.write_text(json.dumps({"name": "mine", "categories": [row]}))
    taxonomy = Taxonomy.from_label_spaces(["ovis", path])
    write_pretend_rn50(tmp_path, ["ovis"])
    cfg = dict(encoder=RN50, cache_dir=tmp_path)
    with pytest.raises(TextEmbeddingError) as error:
        build_text_embeddings(cfg, taxonomy)
    message = str(error.value)
    assert "1 of 26 prompts have no vector of open_clip:RN50:openai" in message
    assert "'a photo of a yak.'" in message
    assert (
        f"python tools/text_embeddings.py --label-spaces ovis '{path}' "
        "--encoder open_clip:RN50:openai --checkpoint FILE"
    ) in message
    cfg["template"] = "the {}"
    with pytest.raises(TextEmbeddingError, match="--template 'the {}' --checkpoint"):
        build_text_embeddings(cfg, taxonomy)


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({}, "need 'encoder'"),
        ({"encoder": HASH, "templates": "{}"}, "may have"),
        ({"encoder": HASH, "template": []}, "one template or a list"),
        ({"encoder": HASH, "template": "{} {}"}, "exactly one '{}'"),
        ({"encoder": MINILM, "file": "none.npz"}, "no such text-embedding file"),
    ],
)
def test_bad_requests_are_errors(union, cfg, message):
    with pytest.raises(ValueError, match=message):
        build_text_embeddings(cfg, union)


def test_a_taxonomy_without_any_text_is_an_error(tmp_path):
    path = tmp_path / "m.json"
    row = {"source_id": 1, "name": "thing", "has_text": False}
    path.write_text(json.dumps({"name": "m", "categories": [row]}))
    with pytest.raises(TextEmbeddingError, match="no category of this taxonomy"):
        build_text_embeddings(dict(encoder=HASH), Taxonomy.from_label_spaces([path]))
    with pytest.raises(TextEmbeddingError, match="none of the categories has text: m"):
        spaces = [LabelSpace.load(path)]
        make_text_embeddings(HashTextEncoder(), spaces, ["{}"], command="x")


@pytest.fixture(scope="module")
def shipped() -> tuple[Taxonomy, np.ndarray]:
    taxonomy = Taxonomy.from_label_spaces(["ytvis19", "ytvis21", "ovis", "uvo"])
    cfg = dict(encoder=MINILM, cache_dir=data_root() / "text_embeddings")
    return taxonomy, build_text_embeddings(cfg, taxonomy)


# The prompts of lvvis and burst would make it ten times as large.
SHIPPED = {"coco", "ovis", "uvo", "ytvis19", "ytvis21"}


def test_the_shipped_file_holds_every_prompt_of_the_small_label_spaces():
    (path,) = (data_root() / "text_embeddings").glob("*.npz")
    held = TextEmbeddings.load(path)
    spaces = [LabelSpace.load(name) for name in bundled_names() if name in SHIPPED]
    assert not set(prompts_of(spaces, ["a photo of a {}.", "{}"])) - set(held.prompts)
    assert {s.name: s.names for s in spaces} == dict(held.label_spaces)
    assert held.dim == 384 and path.stat().st_size < 200_000
    assert held.made_with["weights"].startswith("sha256:53aa51172d142c89")


def test_the_shipped_matrix_has_one_text_less_row(shipped):
    taxonomy, vectors = shipped
    assert vectors.shape == (106, 384)
    np.testing.assert_array_equal(np.abs(vectors).sum(1) > 0, taxonomy.has_text)


@pytest.mark.parametrize(
    ("name", "neighbours"),
    [
        ("ape", {"monkey"}),
        ("truck", {"vehicle"}),
        ("sedan", {"vehicle"}),
        ("tiger", {"leopard"}),
        ("microwave", {"oven"}),
        ("surfboard", {"snowboard", "skateboard"}),
        ("earless_seal", {"whale", "shark"}),
        ("computer_mouse", {"mouse", "laptop", "keyboard"}),
        ("duck", {"bird", "poultry"}),
    ],
)
def test_shipped_meanings_are_where_they_belong(shipped, name, neighbours):
    taxonomy, vectors = shipped
    nearest = nearest_categories(vectors, taxonomy.names, k=len(neighbours))
    assert {other for other, _ in nearest[name]} == neighbours


def test_nearest_categories_skip_zero_rows_and_themselves():
    vectors = np.array([[1, 0], [0, 0], [0.6, 0.8], [0, 1]], np.float32)
    nearest = nearest_categories(vectors, ["a", "none", "b", "c"], k=9)
    assert [name for name, _ in nearest["a"]] == ["b", "c"]
    assert nearest["c"][0] == ("b", pytest.approx(0.8))
    assert set(nearest) == {"a", "b", "c"}
    with pytest.raises(TextEmbeddingError, match="4 rows, 1 names"):
        nearest_categories(vectors, ["a"])
