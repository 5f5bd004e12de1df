"""Single values of annotation files are read by one rule or refused."""

import pytest

from tmt_vis.annotations.values import read_flag, read_id, read_size


@pytest.mark.parametrize(
    "value, flag", [(0, False), (1, True), (False, False), (True, True), (None, False)]
)
def test_a_flag_has_five_spellings(value, flag):
    assert read_flag({"iscrowd": value}, "iscrowd") is flag
    assert read_flag({}, "iscrowd") is False


@pytest.mark.parametrize(
    "value", ["0", "1", "false", "", [], [0, 0], {}, 0.0, 1.0, 2, -1, float("nan")]
)
def test_any_other_flag_is_refused(value):
    with pytest.raises(ValueError, match="ignore must be 0, 1, true, false or null"):
        read_flag({"ignore": value}, "ignore")


@pytest.mark.parametrize("value", [0, -3, 2**63 - 1, 1 - 2**63])
def test_ids_are_integers(value):
    assert read_id({"id": value}, "id") == value


@pytest.mark.parametrize("value", [None, True, 1.0, "1", [1], 2**63, -(2**64)])
def test_other_ids_are_refused(value):
    with pytest.raises(ValueError, match=r"id must (be an integer|fit into 64 bits)"):
        read_id({"id": value}, "id")


@pytest.mark.parametrize("value, size", [(0, 0), (48, 48), (48.0, 48)])
def test_sizes_may_be_integral_floats(value, size):
    got = read_size({"height": value}, "height")
    assert got == size and type(got) is int


@pytest.mark.parametrize(
    "value", [None, True, -1, 48.5, "48", [48], float("inf"), float("nan"), 1e300]
)
def test_other_sizes_are_refused(value):
    with pytest.raises(ValueError, match="height must be an integer >= 0, got"):
        read_size({"height": value}, "height")
