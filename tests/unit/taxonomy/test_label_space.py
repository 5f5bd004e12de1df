"""LabelSpace: ids, slots, and matching the categories of annotation files."""

import random

import pytest

from tmt_vis.taxonomy import Category, LabelSpace, TaxonomyError


def file_categories(space: LabelSpace) -> list[dict]:
    return [{"id": c.source_id, "name": c.name} for c in space.categories]


def small_space(**options) -> LabelSpace:
    categories = (Category(7, "dog"), Category(3, "Giant panda", aliases=("panda",)))
    return LabelSpace("small", "Small", categories, **options)


def test_source_ids_and_slots_are_inverse():
    uvo = LabelSpace.load("uvo")
    slots = [uvo.slot_of_source(source_id) for source_id in uvo.source_ids]
    assert slots == list(range(81))
    assert [uvo.source_of_slot(slot) for slot in slots] == list(uvo.source_ids)
    assert uvo.slot_of_source(91) == 80 and uvo.source_of_slot(80) == 91


def test_unknown_ids_and_slots_are_errors():
    space = small_space()
    with pytest.raises(TaxonomyError, match=r"no source_id 0; its 2 ids are \[7, 3\]"):
        space.slot_of_source(0)
    for slot in (-1, 2):
        with pytest.raises(TaxonomyError, match=r"slot must be in \[0, 2\)"):
            space.source_of_slot(slot)


def test_permuted_sparse_subset_ids_are_matched_by_name():
    ovis = LabelSpace.load("ovis")
    categories = file_categories(ovis)
    random.Random(3).shuffle(categories)
    renumbered = [
        {"id": 1000 - 7 * i, "name": c["name"]} for i, c in enumerate(categories[:11])
    ]
    slots = ovis.check_categories(renumbered)
    assert len(slots) == 11
    assert all(ovis.names[slots[c["id"]]] == c["name"] for c in renumbered)


@pytest.mark.parametrize(
    ("spelling", "slot"),
    [("DOG", 0), ("giant_panda", 1), ("Giant-Panda", 1), (" panda ", 1)],
)
def test_spelling_and_aliases_do_not_matter(spelling, slot):
    assert small_space().check_categories([{"id": 5, "name": spelling}]) == {5: slot}


def test_official_spellings_and_their_corrections_match():
    ovis, uvo = LabelSpace.load("ovis"), LabelSpace.load("uvo")
    assert ovis.check_categories([{"id": 25, "name": "Vehical"}]) == {25: 24}
    assert ovis.check_categories([{"id": 25, "name": "Vehicle"}]) == {25: 24}
    assert uvo.check_categories([{"id": 91, "name": "object"}]) == {91: 80}


def test_every_unknown_name_is_listed_with_its_nearest():
    categories = [{"id": 1, "name": "dgo"}, {"id": 2, "name": "xylophone"}]
    with pytest.raises(TaxonomyError) as error:
        small_space().check_categories([*categories, {"id": 7, "name": "dog"}])
    message = str(error.value)
    assert "2 categories" in message
    assert "id 1 'dgo' (nearest: 'dog')" in message
    assert "id 2 'xylophone' (nothing similar" in message
    assert "data/taxonomies" in message


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        (
            [{"id": 1, "name": "panda"}, {"id": 2, "name": "giant_panda"}],
            "'panda' and 'giant_panda'",
        ),
        ([{"id": 1, "name": "dog"}, {"id": 1, "name": "panda"}], "id 1 twice"),
        ([{"name": "dog"}], "an integer 'id'"),
        ([{"id": "1", "name": "dog"}], "an integer 'id'"),
        ([{"id": True, "name": "dog"}], "an integer 'id'"),
        (["dog"], "must be objects"),
        ([], "lists no categories"),
    ],
)
def test_malformed_category_lists_are_errors(categories, message):
    with pytest.raises(TaxonomyError, match=message):
        small_space().check_categories(categories)


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ((), "has no categories"),
        ((Category(1, "dog"), Category(1, "cat")), "source_id 1 means 'dog' and 'cat'"),
        ((Category(1, "Hot Dog"), Category(2, "hot_dog")), "source_id 1 and 2"),
        ((Category(1, "dog"), Category(2, "cat", aliases=("DOG",))), "'DOG' stands"),
    ],
)
def test_label_spaces_validate_themselves(categories, message):
    with pytest.raises(TaxonomyError, match=message):
        LabelSpace("bad", "Bad", categories)


def test_dict_round_trip():
    ovis = LabelSpace.load("ovis")
    assert LabelSpace.from_dict(ovis.to_dict()) == ovis
    with pytest.raises(TaxonomyError, match="not a saved label space"):
        LabelSpace.from_dict({"name": "x"})
