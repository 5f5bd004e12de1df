"""Which classes are drawn, and how many of them are shared."""

import pytest

DATASETS = ("ytvis19", "ovis", "uvo")


def _shared_with_ytvis19(catalogue, dataset, slots):
    """Count slots with a `same` link into the whole YTVIS19 label space."""
    anchor = set(catalogue.concepts("ytvis19"))
    return sum(catalogue.concepts(dataset)[slot] in anchor for slot in slots)


@pytest.mark.parametrize(
    ("count", "ovis", "uvo"), [(2, 2, 1), (6, 5, 3), (8, 6, 4), (12, 10, 6)]
)
def test_shares_of_small_subsets(catalogue, count, ovis, uvo):
    from sprite_vis import select_classes

    selected = select_classes(catalogue, DATASETS, str(count))
    assert {len(slots) for slots in selected.values()} == {count}
    assert _shared_with_ytvis19(catalogue, "ovis", selected["ovis"]) == ovis
    assert _shared_with_ytvis19(catalogue, "uvo", selected["uvo"]) == uvo
    # what is shared is drawn on both sides
    drawn = {catalogue.concepts("ytvis19")[slot] for slot in selected["ytvis19"]}
    for dataset, number in (("ovis", ovis), ("uvo", uvo)):
        concepts = {catalogue.concepts(dataset)[s] for s in selected[dataset]}
        assert len(concepts & drawn) == number


def test_all_draws_table_9(catalogue):
    from sprite_vis import select_classes

    selected = select_classes(catalogue, DATASETS, "all")
    assert [len(selected[d]) for d in DATASETS] == [40, 25, 81]
    assert _shared_with_ytvis19(catalogue, "ovis", selected["ovis"]) == 20
    assert _shared_with_ytvis19(catalogue, "uvo", selected["uvo"]) == 19


def test_a_count_beyond_a_label_space_draws_all_of_it(catalogue):
    from sprite_vis import select_classes

    selected = select_classes(catalogue, DATASETS, "60")
    assert [len(selected[d]) for d in DATASETS] == [40, 25, 60]
    assert all(len(set(slots)) == len(slots) for slots in selected.values())


def test_the_demo_union_has_ten_classes(catalogue):
    from sprite_vis import select_classes

    selected = select_classes(catalogue, DATASETS, "6")
    union = {catalogue.concepts(d)[s] for d in DATASETS for s in selected[d]}
    assert len(union) == 10


def test_names_select_the_concept_everywhere(catalogue):
    from sprite_vis import select_classes

    selected = select_classes(catalogue, DATASETS, "Motorcycle,person,uvo:mouse")
    names = {
        d: [catalogue.slot_name(d, slot) for slot in slots]
        for d, slots in selected.items()
    }
    assert names == {
        "ytvis19": ["person", "motorbike"],
        "ovis": ["Person", "Motorcycle"],
        "uvo": ["person", "motorcycle", "mouse"],
    }


@pytest.mark.parametrize(
    ("classes", "rule"),
    [
        ("dog,unicorn", "unicorn"),
        ("0", "at least 1"),
        ("-3", "at least 1"),
        ("hand", "every dataset needs at least one class"),
        (",", "--classes must"),
    ],
)
def test_impossible_selections(catalogue, classes, rule):
    from sprite_vis import select_classes

    with pytest.raises(ValueError, match=rule):
        select_classes(catalogue, DATASETS, classes)


def test_every_class_opens_a_video_in_turn():
    from sprite_vis import GenerationConfig
    from sprite_vis.generate import _first_slot
    from sprite_vis.video import Casting

    slots = [3, 5, 8, 9]
    casting = Casting("ovis", slots)
    first = [
        _first_slot(GenerationConfig(), casting, "train", index) for index in range(12)
    ]
    for lap in range(3):
        assert sorted(first[4 * lap : 4 * lap + 4]) == slots
