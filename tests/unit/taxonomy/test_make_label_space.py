"""tools/make_label_space.py: categories of an annotation file -> label space."""

import json

import pytest
from helpers.mini_burst import burst_json
from helpers.mini_vis import moving_video

from tmt_vis.taxonomy import LabelSpace

CATEGORIES = [
    dict(id=7, name="hen", partition=1),
    dict(id=2, name="Fire engine", partition=0),
    dict(id=9, name="émeu", partition=1),
]


@pytest.fixture
def make(load_tool, tmp_path):
    tool = load_tool("make_label_space")

    def run(*options, data=None, name="ranch"):
        ann = tmp_path / "ann.json"
        ann.write_text(json.dumps(data or dict(videos=[], categories=CATEGORIES)))
        out = ["--out", str(tmp_path / "space.json")]
        return tool.main([str(ann), "--name", name, *out, *options])

    return run


def space(tmp_path):
    return LabelSpace.load(str(tmp_path / "space.json"))


def test_ids_names_and_order_are_those_of_the_file(make, tmp_path, capsys):
    assert make() == 0
    assert space(tmp_path).source_ids == (7, 2, 9)
    assert space(tmp_path).names == ("hen", "Fire engine", "émeu")
    assert space(tmp_path).check_categories(CATEGORIES) == {7: 0, 2: 1, 9: 2}
    assert "3 categories" in capsys.readouterr().out


def test_partitions_of_a_field(make, tmp_path, capsys):
    field = ("--partition-field", "partition")
    assert make(*field, "--partition", "0=base", "1=novel") == 0
    assert space(tmp_path).partitions == dict(novel=(0, 2), base=(1,))
    assert "novel 2, base 1" in capsys.readouterr().out
    assert make(*field, "--force") == 0
    assert space(tmp_path).partitions == {"1": (0, 2), "0": (1,)}


def test_partitions_of_lists(make, tmp_path):
    names = tmp_path / "novel.txt"
    names.write_text("fire_engine\n\n", encoding="utf-8-sig")
    assert make("--partition-list", f"novel={names}") == 0
    assert space(tmp_path).partitions == dict(novel=(1,))


def test_links_by_name_and_burst(make, tmp_path):
    assert make("--link-by-name", data=burst_json([moving_video(1, 2)])) == 0
    assert space(tmp_path).source_ids == (805, 382, 229, 81)
    assert {link.space for link in space(tmp_path).links} == {"*"}
    assert make("--link-by-name", "ovis", "--force") == 0
    assert {link.space for link in space(tmp_path).links} == {"ovis"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(name="ovis"), "belongs to a bundled"),
        (dict(name="My Ranch"), "lower-case letters"),
        (dict(data=dict(videos=[])), "has no list 'categories'"),
        (dict(data=dict(categories=[dict(id=1)])), "an integer id and a name"),
        (dict(data=dict(categories=[dict(id=1.0, name="a")])), "an integer id and a"),
        (dict(data=dict(categories=[dict(id=1, name=["a"])])), "an integer id and a"),
        (dict(data=dict(categories=CATEGORIES[:1] * 2)), "source_id 7 means"),
        (dict(options=["--partition-field", "split"]), "has no field 'split'"),
        (
            dict(options=["--partition-field", "partition", "--partition", "0=base"]),
            "add 1=NAME",
        ),
        (dict(options=["--partition-list", "novel"]), "needs KEY=VALUE"),
        (dict(options=["--partition-list", "novel=no.txt"]), "no.txt"),
    ],
)
def test_what_cannot_be_made_is_one_line(make, tmp_path, capsys, options, message):
    assert make(*options.pop("options", ()), **options) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("error: ") and error.count("\n") == 1
    assert not (tmp_path / "space.json").exists()


def test_an_existing_file_is_not_replaced(make, tmp_path, capsys):
    (tmp_path / "space.json").write_text("mine")
    assert make() == 1
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "space.json").read_text() == "mine"


def test_unknown_and_doubled_names_in_lists(make, tmp_path, capsys):
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("hem")
    assert make("--partition-list", f"base={one}") == 1
    assert "hen" in capsys.readouterr().err
    one.write_text("hen")
    two.write_text("Hen")
    lists = ("--partition-list", f"base={one}", "--partition-list", f"novel={two}")
    assert make(*lists) == 1
    assert "'base' and 'novel'" in capsys.readouterr().err
