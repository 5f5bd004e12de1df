"""The union: sizes, order, maps between the three id spaces."""

import json

import numpy as np
import pytest

from tmt_vis.taxonomy import Taxonomy, TaxonomyError

FOUR = ["ytvis19", "ytvis21", "ovis", "uvo"]

# Canonical order of the four video datasets; written out, not computed.
CANONICAL_TEXT = """
person giant_panda lizard parrot skateboard sedan ape dog snake monkey hand rabbit duck
cat cow fish train horse turtle bear motorbike giraffe leopard fox deer owl surfboard
airplane truck zebra tiger elephant snowboard boat shark mouse frog eagle earless_seal
tennis_racket bird flying_disc squirrel whale sheep poultry bicycle vehicle bus
traffic_light fire_hydrant stop_sign parking_meter bench backpack umbrella handbag tie
suitcase skis sports_ball kite baseball_bat baseball_glove bottle wine_glass cup fork
knife spoon bowl banana apple sandwich orange broccoli carrot hot_dog pizza donut cake
chair couch potted_plant bed dining_table toilet tv laptop computer_mouse remote
keyboard cell_phone microwave oven toaster sink refrigerator book clock vase scissors
teddy_bear hair_drier toothbrush other
"""
CANONICAL = CANONICAL_TEXT.split()


@pytest.fixture(scope="module")
def union() -> Taxonomy:
    return Taxonomy.from_label_spaces(FOUR)


@pytest.mark.parametrize(
    ("label_spaces", "size", "with_text"),
    [
        (["ytvis19"], 40, 40),
        (["ytvis19", "ovis"], 45, 45),
        (["ytvis19", "uvo"], 102, 101),
        (["ovis", "uvo"], 91, 90),
        (["ytvis19", "ovis", "uvo"], 104, 103),
        (["ytvis21", "ovis", "uvo"], 102, 101),
        (["ytvis19", "ytvis21"], 44, 44),
        (FOUR, 106, 105),
        ([*FOUR, "coco"], 106, 105),
        (["coco"], 80, 80),
        (["coco", "uvo"], 81, 80),
    ],
)
def test_union_sizes(label_spaces, size, with_text):
    taxonomy = Taxonomy.from_label_spaces(label_spaces)
    assert taxonomy.num_categories == size
    assert int(taxonomy.has_text.sum()) == with_text


def test_canonical_order_of_the_four_datasets(union):
    assert len(CANONICAL) == 106
    assert list(union.names) == CANONICAL


def test_text_less_categories_come_last_in_any_order():
    taxonomy = Taxonomy.from_label_spaces(["uvo", "ovis", "ytvis19"])
    assert taxonomy.names[:3] == ("person", "bicycle", "car")
    assert taxonomy.names[-1] == "other"
    assert taxonomy.has_text.tolist() == [True] * 103 + [False]
    assert taxonomy.prompts()[-1] is None
    assert taxonomy.names.index("vehicle") > taxonomy.names.index("toothbrush")


@pytest.mark.parametrize("name", FOUR)
def test_maps_are_injective_and_round_trip(union, name):
    to_union, to_slot = union.slot_to_union(name), union.union_to_slot(name)
    space = union.label_spaces[name]
    assert to_union.dtype == to_slot.dtype == np.int64
    assert len(np.unique(to_union)) == len(space)
    np.testing.assert_array_equal(to_slot[to_union], np.arange(len(space)))
    assert int((to_slot >= 0).sum()) == len(space)
    absent = np.setdiff1d(np.arange(union.num_categories), to_union)
    assert (to_slot[absent] == -1).all()


def test_returned_maps_are_copies(union):
    union.slot_to_union("ovis")[:] = 0
    assert union.slot_to_union("ovis")[1] == CANONICAL.index("bird")


def test_every_source_id_has_its_slot_and_union_id(union):
    counted = 0
    for union_id in range(union.num_categories):
        for name, source_id in union.source_ids(union_id).items():
            slot = union.label_spaces[name].slot_of_source(source_id)
            assert union.slot_to_union(name)[slot] == union_id
            counted += 1
    assert counted == 40 + 40 + 25 + 81


@pytest.mark.parametrize(
    ("name", "source_ids"),
    [
        ("person", {"ytvis19": 1, "ytvis21": 26, "ovis": 1, "uvo": 1}),
        ("sedan", {"ytvis19": 6, "ytvis21": 5, "uvo": 3}),
        ("motorbike", {"ytvis19": 21, "ytvis21": 23, "ovis": 22, "uvo": 4}),
        ("mouse", {"ytvis19": 36, "ytvis21": 24}),
        ("computer_mouse", {"uvo": 74}),
        ("flying_disc", {"ytvis21": 14, "uvo": 34}),
        ("bird", {"ytvis21": 3, "ovis": 2, "uvo": 16}),
        ("ape", {"ytvis19": 7}),
        ("vehicle", {"ovis": 25}),
        ("truck", {"ytvis19": 29, "ytvis21": 37, "uvo": 8}),
        ("poultry", {"ovis": 12}),
    ],
)
def test_who_shares_a_slot(union, name, source_ids):
    assert union.source_ids(union.names.index(name)) == source_ids


def test_same_is_closed_over_label_spaces_outside_the_union():
    # ovis and uvo have no link of their own for motorcycle: ytvis19 and coco carry it.
    taxonomy = Taxonomy.from_label_spaces(["ovis", "uvo"])
    assert taxonomy.source_ids(taxonomy.names.index("motorcycle")) == {
        "ovis": 22,
        "uvo": 4,
    }


def test_prompts_use_overrides_and_templates(union):
    prompts = union.prompts("a video of a {}!")
    assert prompts[0] == "a video of a person!"
    assert prompts[CANONICAL.index("giant_panda")] == "a video of a giant panda!"
    assert prompts[CANONICAL.index("vehicle")] == "a video of a vehicle!"
    assert union.prompts()[CANONICAL.index("sedan")] == "a photo of a sedan car."


def test_no_two_categories_of_the_union_share_a_prompt(union):
    prompts = [prompt for prompt in union.prompts() if prompt]
    assert len(set(prompts)) == 105


@pytest.mark.parametrize("order", [["ytvis21", "ytvis19"], ["ytvis19", "ytvis21"]])
def test_a_declared_prompt_beats_a_name_in_any_order(order):
    # ytvis21 says only 'car'; ytvis19 declares 'sedan car' for the same slot.
    assert "a photo of a sedan car." in Taxonomy.from_label_spaces(order).prompts()


@pytest.mark.parametrize("template", ["no place", "{} and {}", "a {name}.", "{0}", 3])
def test_bad_templates_are_errors(union, template):
    with pytest.raises(TaxonomyError, match="exactly one '{}'"):
        union.prompts(template)


def test_near_pairs_are_symmetric_and_never_merged(union):
    def named(name):
        return {union.names[i] for i in union.near(union.names.index(name))}

    assert named("vehicle") == {"sedan", "truck", "bus"}
    assert named("bird") == {"parrot", "duck", "owl", "eagle", "poultry"}
    assert named("ape") == {"monkey"} and named("monkey") == {"ape"}
    assert named("person") == set() and named("mouse") == set()


def test_near_slots_for_zero_shot_ovis(union):
    pooled = {
        name: [union.names[i] for i in ids]
        for name, ids in zip(
            union.label_spaces["ovis"].names, union.near_slots("ovis"), strict=True
        )
        if len(ids) > 1
    }
    # duck is near bird and poultry; OVIS counts ducks as Poultry. parrot is near bird
    # but an OVIS class itself.
    assert pooled == {
        "Bird": ["bird", "owl", "eagle"],
        "Poultry": ["poultry", "duck"],
        "Monkey": ["monkey", "ape"],
        "Vehical": ["vehicle", "sedan", "truck", "bus"],
    }


def test_near_slots_begin_with_the_slots_own_union_id(union):
    own = [ids[0] for ids in union.near_slots("uvo")]
    assert own == union.slot_to_union("uvo").tolist()


def test_seen_classes_of_the_zero_shot_protocols():
    taxonomy = Taxonomy.from_label_spaces(["ytvis19", "ovis", "uvo"])
    seen = taxonomy.seen(["ytvis19"], "ovis")
    assert seen.dtype == bool and seen.shape == (25,)
    names = np.array(taxonomy.label_spaces["ovis"].names)
    assert names[~seen].tolist() == ["Bird", "Sheep", "Poultry", "Bicycle", "Vehical"]
    assert int(taxonomy.seen(["ovis", "uvo"], "ytvis19").sum()) == 27
    assert taxonomy.seen(["ovis"], "ovis").all()
    assert not taxonomy.seen([], "ovis").any()
    with pytest.raises(TaxonomyError, match="must be a list"):
        taxonomy.seen("ovis", "ovis")


def test_dict_round_trip_through_json(union):
    copy = Taxonomy.from_dict(json.loads(json.dumps(union.to_dict())))
    assert copy == union
    assert copy.fingerprint == union.fingerprint
    assert copy.near_slots("ovis") == union.near_slots("ovis")


def test_altered_or_foreign_dicts_are_errors(union):
    state = union.to_dict()
    state["names"][0] = "somebody"
    with pytest.raises(TaxonomyError, match="was altered"):
        Taxonomy.from_dict(state)
    with pytest.raises(TaxonomyError, match="not a saved taxonomy"):
        Taxonomy.from_dict({"names": []})
    state = union.to_dict()
    state["slots_to_union"]["ovis"][0] = state["slots_to_union"]["ovis"][1]
    with pytest.raises(TaxonomyError, match="union id of its own"):
        Taxonomy.from_dict(state)


def test_the_fingerprint_tells_unions_apart(union):
    assert union.fingerprint == Taxonomy.from_label_spaces(FOUR).fingerprint
    others = [["ytvis19"], [*FOUR[::-1]], [*FOUR, "coco"], FOUR[:3]]
    prints = {Taxonomy.from_label_spaces(spaces).fingerprint for spaces in others}
    assert len(prints | {union.fingerprint}) == 5
    assert len(union.fingerprint) == 64


def test_the_summary_counts(union):
    lines = union.summary().splitlines()
    assert lines[0].startswith("106 union categories (105 with text) from 186")
    assert lines[2].endswith("40 categories, 36 shared with the above, 4 new")
    assert lines[4].endswith("81 categories, 23 shared with the above, 58 new")


@pytest.mark.parametrize("label_spaces", ["ytvis19", [], ["ovis", "ovis"], ["ovsi"]])
def test_bad_requests_are_errors(label_spaces):
    with pytest.raises(TaxonomyError):
        Taxonomy.from_label_spaces(label_spaces)


def test_foreign_names_and_ids_are_errors(union):
    with pytest.raises(TaxonomyError, match="'ytvis9' is not part.*nearest: 'ytvis19'"):
        union.slot_to_union("ytvis9")
    for union_id in (-1, 106):
        with pytest.raises(TaxonomyError, match=r"union_id must be in \[0, 106\)"):
            union.source_ids(union_id)
