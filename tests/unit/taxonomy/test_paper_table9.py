"""Table 9 of the paper: 34, 22 and 19 overlapping categories."""

import pytest

from tmt_vis.taxonomy import (
    PAPER_TABLE9_YTVIS21,
    LabelSpace,
    TaxonomyError,
    exact_overlap,
    linked_overlap,
    paper_table9,
)


@pytest.fixture(scope="module")
def ytvis19() -> LabelSpace:
    return LabelSpace.load("ytvis19")


@pytest.mark.parametrize(
    ("other", "paper", "exact", "same", "near"),
    [
        ("ytvis21", 34, 35, 36, 39),
        ("ovis", 22, 19, 20, 26),
        ("uvo", 19, 18, 19, 23),
    ],
)
def test_counts_by_every_rule(ytvis19, other, paper, exact, same, near):
    space = LabelSpace.load(other)
    assert len(paper_table9(other)) == paper
    assert len(exact_overlap(ytvis19, space)) == exact
    assert len(linked_overlap(ytvis19, space)) == same
    assert len(linked_overlap(ytvis19, space, near=True)) == near


def test_34_is_the_exact_names_minus_surfboard(ytvis19):
    exact = set(exact_overlap(ytvis19, LabelSpace.load("ytvis21")))
    assert set(PAPER_TABLE9_YTVIS21) == exact - {"surfboard"}
    assert len(PAPER_TABLE9_YTVIS21) == len(set(PAPER_TABLE9_YTVIS21)) == 34


def test_22_is_the_same_map_plus_the_parts_of_vehical(ytvis19):
    same = set(linked_overlap(ytvis19, LabelSpace.load("ovis")))
    assert set(paper_table9("ovis")) - same == {"sedan", "truck"}
    assert "motorbike" in same


def test_19_needs_the_car_and_not_the_false_mouse(ytvis19):
    uvo = LabelSpace.load("uvo")
    ticked = paper_table9("uvo")
    assert "mouse" in exact_overlap(ytvis19, uvo) and "mouse" not in ticked
    assert {"sedan", "motorbike"} == set(ticked) - set(exact_overlap(ytvis19, uvo))


def test_only_hand_of_ytvis19_is_unrelated_to_ytvis21(ytvis19):
    related = linked_overlap(ytvis19, LabelSpace.load("ytvis21"), near=True)
    assert set(ytvis19.names) - set(related) == {"hand"}


def test_table9_has_three_columns():
    with pytest.raises(TaxonomyError, match="'ytvis21', 'ovis' or 'uvo', got 'coco'"):
        paper_table9("coco")
