"""How a user's own label space joins the bundled ones."""

import json
import logging

import pytest

from tmt_vis.taxonomy import LabelSpace, Taxonomy, TaxonomyError


@pytest.fixture
def mine(tmp_path):
    def write(*rows, name="mine", **top):
        categories = [{"source_id": i, **row} for i, row in enumerate(rows, start=1)]
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"name": name, "categories": categories, **top}))
        return path

    return write


def union_ids(taxonomy, space):
    return dict(
        zip(
            taxonomy.label_spaces[space].names,
            taxonomy.slot_to_union(space).tolist(),
            strict=True,
        )
    )


def test_an_equal_name_alone_does_not_merge(mine, caplog):
    with caplog.at_level(logging.WARNING, logger="tmt_vis"):
        taxonomy = Taxonomy.from_label_spaces(["ytvis19", mine({"name": "dog"})])
    assert taxonomy.num_categories == 41
    assert taxonomy.names[7] == "dog" and taxonomy.names[40] == "dog@mine"
    assert "mine:dog and ytvis19:dog have one name and two union slots" in caplog.text


def test_bundled_unions_warn_about_nothing(caplog):
    # The two kinds of mouse are declared apart, which answers the question.
    with caplog.at_level(logging.WARNING, logger="tmt_vis"):
        Taxonomy.from_label_spaces(["ytvis19", "ytvis21", "ovis", "uvo", "coco"])
    assert not caplog.records


def test_a_declared_same_merges_with_all_that_is_the_same(mine):
    path = mine({"name": "car", "same": {"ytvis19": "sedan"}}, {"name": "tractor"})
    taxonomy = Taxonomy.from_label_spaces(["uvo", path])
    assert taxonomy.num_categories == 82
    ids = union_ids(taxonomy, "mine")
    assert taxonomy.names[ids["car"]] == "car"
    assert taxonomy.source_ids(ids["car"]) == {"uvo": 3, "mine": 1}
    assert taxonomy.names[80] == "tractor" and taxonomy.names[81] == "other"


def test_a_users_prompt_override_is_used_for_the_shared_slot(mine):
    row = {"name": "hound", "same": {"ytvis19": "dog"}, "prompt": "hunting dog"}
    taxonomy = Taxonomy.from_label_spaces(["ytvis19", mine(row)])
    assert taxonomy.names[7] == "dog"
    assert taxonomy.prompts()[7] == "a photo of a hunting dog."


def test_a_category_without_text_gets_it_from_what_it_is_the_same_as(mine):
    row = {"name": "c17", "same": {"ytvis19": "dog"}, "has_text": False}
    taxonomy = Taxonomy.from_label_spaces([mine(row, {"name": "cat"}), "ytvis19"])
    assert taxonomy.has_text.all()
    assert taxonomy.names[0] == "c17"
    assert taxonomy.prompts()[0] == "a photo of a dog."


def test_near_links_stay_apart_and_are_pooled(mine):
    path = mine({"name": "gorilla", "near": {"ytvis19": ["ape", "monkey"]}})
    taxonomy = Taxonomy.from_label_spaces(["ytvis19", path])
    assert taxonomy.num_categories == 41
    assert [taxonomy.names[i] for i in taxonomy.near(40)] == ["ape", "monkey"]
    assert [taxonomy.names[i] for i in taxonomy.near_slots("mine")[0]] == [
        "gorilla",
        "ape",
        "monkey",
    ]


def test_link_by_name_true_links_every_equal_name(mine):
    path = mine({"name": "Dog"}, {"name": "yak"}, link_by_name=True)
    taxonomy = Taxonomy.from_label_spaces(["ytvis19", "coco", path])
    ids = union_ids(taxonomy, "mine")
    assert ids["Dog"] == 7
    assert taxonomy.names[ids["yak"]] == "yak"


def test_link_by_name_may_be_limited(mine):
    path = mine({"name": "mouse"}, link_by_name=["ytvis19"])
    taxonomy = Taxonomy.from_label_spaces(["uvo", "ytvis19", path])
    assert taxonomy.source_ids(union_ids(taxonomy, "mine")["mouse"]) == {
        "ytvis19": 36,
        "mine": 1,
    }


def test_a_same_of_its_own_leaves_a_category_out_of_link_by_name(mine):
    path = mine(
        {"name": "dog", "same": {}, "union_name": "toy dog"},
        {"name": "mouse", "same": {"coco": "mouse"}},
        link_by_name=True,
    )
    taxonomy = Taxonomy.from_label_spaces(["ytvis19", "uvo", path])
    ids = union_ids(taxonomy, "mine")
    assert taxonomy.names[ids["dog"]] == "toy_dog"
    assert taxonomy.names[ids["mouse"]] == "computer_mouse"


def test_false_friends_are_never_merged_by_name(mine):
    with pytest.raises(TaxonomyError, match="declared apart.*'same' of its own"):
        Taxonomy.from_label_spaces([mine({"name": "mouse"}, link_by_name=True)])


def test_near_categories_are_never_merged_by_a_third_party(mine):
    row = {"name": "car", "same": {"ytvis19": "sedan", "ovis": "Vehical"}}
    with pytest.raises(TaxonomyError, match="declared near, but links make them"):
        Taxonomy.from_label_spaces([mine(row)])


def test_two_categories_of_one_label_space_never_share_a_slot(mine):
    rows = [{"name": n, "same": {"ytvis19": "dog"}} for n in ("collie", "poodle")]
    with pytest.raises(TaxonomyError, match="mine:collie and mine:poodle into one"):
        Taxonomy.from_label_spaces([mine(*rows)])
    row = {"name": "pet", "same": {"ytvis19": "dog", "coco": "cat"}}
    with pytest.raises(TaxonomyError, match="could not tell them apart.*mine:pet"):
        Taxonomy.from_label_spaces([mine(row)])


def test_users_files_may_link_to_each_other(mine):
    a = mine({"name": "yak"}, name="a")
    b = mine({"name": "bos", "same": {"a": "yak"}}, name="b")
    assert Taxonomy.from_label_spaces([a, b]).names == ("yak",)
    with pytest.raises(TaxonomyError, match="unknown label space 'a'.*JSON file as"):
        Taxonomy.from_label_spaces([b])
    by_name = mine({"name": "yak"}, name="c", link_by_name=["aa"])
    with pytest.raises(TaxonomyError, match="unknown label space 'aa'"):
        Taxonomy.from_label_spaces([a, by_name])


def test_one_file_carries_everything(mine):
    path = mine(
        {"name": "collie", "same": {"ytvis19": "dog"}, "prompt": "collie dog"},
        {"name": "hen", "near": {"ovis": ["Poultry"]}, "aliases": ["chicken"]},
        {"name": "thing", "has_text": False},
    )
    taxonomy = Taxonomy.from_label_spaces([path])
    assert taxonomy.prompts("{}") == ("collie dog", "hen", None)
    assert LabelSpace.load(path).check_categories([{"id": 9, "name": "Chicken"}]) == {
        9: 1
    }
    again = Taxonomy.from_dict(taxonomy.to_dict())
    # Links travel along: the copy can be joined with other label spaces.
    space = again.label_spaces["mine"]
    assert Taxonomy.from_label_spaces(["ytvis19", space]).num_categories == 42
