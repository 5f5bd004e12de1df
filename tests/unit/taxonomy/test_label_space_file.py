"""A user's taxonomy file: what it may say and how it fails."""

import json

import pytest

from tmt_vis.taxonomy import LabelSpace, TaxonomyError

DOG = {"source_id": 1, "name": "dog"}


@pytest.fixture
def write(tmp_path):
    def write_json(content, name="mine.json"):
        path = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return write_json


def test_a_minimal_file_is_enough(write):
    path = write({"name": "mine", "categories": [DOG]})
    space = LabelSpace.load(path)
    assert (space.name, space.title, space.names) == ("mine", "mine", ("dog",))
    assert space.categories[0].noun == "dog" and space.links == ()
    assert LabelSpace.load(str(path)) == space


def test_a_full_file_is_read_completely(write):
    row = {
        "source_id": 4,
        "name": "T-shirt_rack",
        "aliases": ["rack"],
        "prompt": "rack of shirts",
        "has_text": True,
        "union_name": "shirt rack",
        "same": {"coco": "tie"},
        "near": {"coco": ["chair", "bench"], "ytvis19": "person"},
    }
    content = {"name": "m", "title": "M", "notes": "n", "categories": [row]}
    space = LabelSpace.load(write(content))
    category = space.categories[0]
    assert (category.aliases, category.noun) == (("rack",), "rack of shirts")
    assert category.union_name == "shirt rack"
    assert [(link.kind, link.space, link.target) for link in space.links] == [
        ("same", "coco", "tie"),
        ("near", "coco", "chair"),
        ("near", "coco", "bench"),
        ("near", "ytvis19", "person"),
    ]


def test_names_are_spoken_as_words(write):
    rows = [
        {"source_id": 1, "name": "Giant_Panda"},
        {"source_id": 2, "name": "T-shirt"},
    ]
    space = LabelSpace.load(write({"name": "m", "categories": rows}))
    assert [c.noun for c in space.categories] == ["giant panda", "t-shirt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"name": "m",\n  "categories": [}', r"mine\.json:2:18: not valid JSON"),
        ('{"name": "m", "name": "n"}', "the key 'name' is given twice"),
        ([], "must be an object, got"),
        ({"name": "m"}, "lacks 'categories'"),
        ({"name": "My Space", "categories": [DOG]}, "'name' must be lower-case"),
        ({"name": "m", "categories": {}}, "'categories' must be a list"),
        ({"name": "m", "categories": []}, "has no categories"),
        ({"name": "m", "categories": [{"id": 1, "name": "x"}]}, "lacks 'source_id'"),
        (
            {"name": "m", "categories": [DOG, {"source_id": True, "name": "x"}]},
            r"categories\[1\]: 'source_id' must be an integer, got True",
        ),
        ({"name": "m", "categories": [{**DOG, "alias": []}]}, "nearest: 'aliases'"),
        ({"name": "m", "categories": [{**DOG, "prompt": " "}]}, "must not be empty"),
        ({"name": "m", "categories": [{**DOG, "aliases": [3]}]}, "must be a string"),
        ({"name": "m", "categories": [DOG, DOG]}, "source_id 1 means 'dog' and 'dog'"),
        ({"name": "m", "link_by_name": "coco", "categories": [DOG]}, "'link_by_name'"),
        ({"name": "ovis", "categories": [DOG]}, "belongs to a bundled label space"),
        (
            {"name": "m", "categories": [{**DOG, "same": {"coco": "dgo"}}]},
            "'same' link of 'dog': label space 'coco' has no category 'dgo'.*'dog'",
        ),
        (
            {"name": "m", "categories": [{**DOG, "near": {"ovis": ["Hors"]}}]},
            "'near' link of 'dog'.*nearest: 'Horse'",
        ),
    ],
)
def test_bad_files_are_errors_that_say_what_and_where(write, content, message):
    path = write(content)
    with pytest.raises(TaxonomyError, match=message) as error:
        LabelSpace.load(path)
    assert "mine.json" in str(error.value)


def test_a_wrong_big_file_gives_a_short_message(write):
    with pytest.raises(TaxonomyError) as error:
        LabelSpace.load(
            write({"name": [{"id": i} for i in range(9999)]} | {"categories": []})
        )
    assert len(str(error.value)) < 500


def test_unknown_names_and_missing_files_are_errors(tmp_path):
    with pytest.raises(TaxonomyError, match="unknown label space 'ytvis2019'.*bundled"):
        LabelSpace.load("ytvis2019")
    with pytest.raises(TaxonomyError, match="cannot read .*none.json"):
        LabelSpace.load(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe9"}')
    with pytest.raises(TaxonomyError, match="not UTF-8"):
        LabelSpace.load(tmp_path / "latin.json")


def test_saved_taxonomy_keeps_no_folder(write):
    """It travels in published checkpoints."""
    path = write({"name": "m", "categories": [DOG]})
    state = LabelSpace.load(path).to_dict()
    assert state["origin"] == "mine.json"
    assert LabelSpace.from_dict(state).to_dict() == state
