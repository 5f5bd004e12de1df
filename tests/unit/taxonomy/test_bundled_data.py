"""The bundled label spaces against the official lists, and where they are found."""

import ast
import importlib.util
import json
import shutil
from pathlib import Path

import pytest

import tmt_vis
from tmt_vis.taxonomy import (
    LabelSpace,
    Taxonomy,
    TaxonomyError,
    bundled_names,
    data_root,
)
from tmt_vis.taxonomy import bundled as bundled_module
from tmt_vis.taxonomy.union import build_union

COCO_UNUSED_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}


def test_the_bundled_label_spaces():
    sizes = {name: len(LabelSpace.load(name)) for name in bundled_names()}
    videos = dict(ovis=25, uvo=81, ytvis19=40, ytvis21=40, lvvis=1196, burst=482)
    assert sizes == dict(videos, coco=80)


def test_partitions_have_their_official_sizes():
    """LV-VIS: 77 + 564 base, 240 + 315 novel. BURST: 64 of the 78 common ids."""
    parts = {n: LabelSpace.load(n).partitions for n in ("lvvis", "burst", "ovis")}
    sizes = {n: {k: len(slots) for k, slots in p.items()} for n, p in parts.items()}
    assert sizes["lvvis"] == dict(base=641, novel=555)
    assert sizes["burst"] == dict(common=64, uncommon=418)
    assert sizes["ovis"] == {}


def test_large_lists_share_categories_with_each_other_and_with_the_small_ones():
    tx = Taxonomy.from_label_spaces(["ytvis19", "lvvis", "burst"])
    ids = {n: LabelSpace.load(n).slot_of_name for n in tx.label_spaces}

    def union_id(space, name):
        return tx.slot_to_union(space)[ids[space](name)]

    assert union_id("ytvis19", "sedan") == union_id("burst", "car_(automobile)")
    assert union_id("ytvis19", "sedan") != union_id("lvvis", "sedan")
    assert union_id("lvvis", "ashtray") == union_id("burst", "ashtray")
    assert union_id("ytvis19", "mouse") == union_id("burst", "mouse_(animal_rodent)")
    assert union_id("burst", "person") == union_id("burst", "baby")


def test_equal_names_of_the_bundled_lists_are_all_decided():
    """A link, near or apart: nobody who mixes them is asked what sedan means."""
    spaces = {name: LabelSpace.load(name) for name in bundled_names()}
    assert build_union(spaces).kept_apart == ()


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("ytvis19", set(range(1, 41))),
        ("ytvis21", set(range(1, 41))),
        ("ovis", set(range(1, 26))),
        ("coco", set(range(1, 91)) - COCO_UNUSED_IDS),
        ("uvo", set(range(1, 92)) - COCO_UNUSED_IDS),
        ("lvvis", set(range(1, 1197))),
    ],
)
def test_source_ids_are_the_official_ones_in_order(name, ids):
    assert list(LabelSpace.load(name).source_ids) == sorted(ids)


@pytest.mark.parametrize(
    ("name", "source_id", "category"),
    [
        ("ytvis19", 1, "person"),
        ("ytvis19", 6, "sedan"),
        ("ytvis19", 39, "earless_seal"),
        ("ytvis19", 40, "tennis_racket"),
        ("ytvis21", 1, "airplane"),
        ("ytvis21", 5, "car"),
        ("ytvis21", 14, "flying_disc"),
        ("ytvis21", 40, "zebra"),
        ("ovis", 13, "Giant_panda"),
        ("ovis", 22, "Motorcycle"),
        ("ovis", 25, "Vehical"),
        ("coco", 13, "stop sign"),
        ("coco", 74, "mouse"),
        ("coco", 90, "toothbrush"),
        ("uvo", 90, "toothbrush"),
        ("uvo", 91, "other"),
        ("lvvis", 1, "accordion"),
        ("lvvis", 1196, "zucchini"),
        ("burst", 2, "aerosol_can"),
        ("burst", 805, "person"),
        ("burst", 1229, "zebra"),
    ],
)
def test_spot_checks_of_official_names(name, source_id, category):
    space = LabelSpace.load(name)
    assert space.names[space.slot_of_source(source_id)] == category


def mmdet_class_lists() -> set[tuple[str, ...]]:
    """Read the class tuples in mmdet's sources, an independent copy of the lists."""
    folder = Path(importlib.util.find_spec("mmdet").origin).parent / "datasets"
    sources = [(folder / f).read_text() for f in ("coco.py", "youtube_vis_dataset.py")]
    tuples = [
        node
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Tuple) and len(node.elts) in (40, 80)
    ]
    return {
        tuple(element.value for element in node.elts)
        for node in tuples
        if all(isinstance(element, ast.Constant) for element in node.elts)
    }


@pytest.mark.parametrize("name", ["ytvis19", "ytvis21", "coco"])
def test_names_and_their_order_agree_with_mmdet(name):
    assert LabelSpace.load(name).names in mmdet_class_lists()


def test_the_2021_list_is_alphabetical_and_uvo_is_coco_plus_one():
    ytvis21 = LabelSpace.load("ytvis21").names
    assert list(ytvis21) == sorted(ytvis21)
    assert LabelSpace.load("uvo").names[:80] == LabelSpace.load("coco").names


def test_the_2021_change_note_of_youtube_vos():
    old, new = (set(LabelSpace.load(n).names) for n in ("ytvis19", "ytvis21"))
    assert old - new == {"eagle", "owl", "ape", "hand", "sedan"}
    assert new - old == {"bird", "flying_disc", "squirrel", "whale", "car"}


@pytest.mark.parametrize(
    ("name", "category", "noun"),
    [
        ("ovis", "Vehical", "vehicle"),
        ("ovis", "Poultry", "poultry bird such as a chicken"),
        ("ovis", "Giant_panda", "giant panda"),
        ("ytvis19", "sedan", "sedan car"),
        ("ytvis19", "mouse", "mouse, a small rodent"),
        ("ytvis19", "hand", "human hand"),
        ("ytvis19", "earless_seal", "seal, a marine mammal"),
        ("ytvis21", "flying_disc", "frisbee"),
        ("coco", "mouse", "computer mouse"),
        ("uvo", "mouse", "computer mouse"),
        ("uvo", "other", None),
        ("uvo", "hair drier", "hair drier"),
    ],
)
def test_prompt_nouns(name, category, noun):
    space = LabelSpace.load(name)
    assert space.categories[space.slot_of_name(category)].noun == noun


def test_the_environment_variable_wins(tmp_path, monkeypatch):
    shutil.copytree(data_root() / "taxonomies", tmp_path / "taxonomies")
    monkeypatch.setenv("TMT_VIS_DATA", str(tmp_path))
    assert data_root() == tmp_path
    assert len(LabelSpace.load("ovis")) == 25


def test_a_wrong_environment_variable_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("TMT_VIS_DATA", str(tmp_path))
    with pytest.raises(TaxonomyError, match="TMT_VIS_DATA must name a folder"):
        data_root()


def test_the_packaged_data_is_the_fallback(tmp_path, monkeypatch):
    shutil.copytree(data_root() / "taxonomies", tmp_path / "data" / "taxonomies")
    monkeypatch.delenv("TMT_VIS_DATA", raising=False)
    monkeypatch.setattr(bundled_module, "_REPOSITORY_DATA", tmp_path / "nowhere")
    monkeypatch.setattr(tmt_vis, "__path__", [str(tmp_path)])
    assert data_root() == tmp_path / "data"
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(TaxonomyError, match="were not found"):
        data_root()


def test_changed_links_are_read_again(tmp_path, monkeypatch):
    """What the bundled links lead to is kept, until their file has another content."""
    shutil.copytree(data_root() / "taxonomies", tmp_path / "taxonomies")
    monkeypatch.setenv("TMT_VIS_DATA", str(tmp_path))
    links = tmp_path / "taxonomies" / "links.json"
    content, sizes = json.loads(links.read_text()), []
    for same in (content["same"], []):
        links.write_text(json.dumps(content | {"same": same}))
        sizes.append(Taxonomy.from_label_spaces(["ytvis19", "ovis"]).num_categories)
    assert sizes == [45, 65]
