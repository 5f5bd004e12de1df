"""Damaged label spaces: refused by field, or a label space that can be used."""

import tempfile
from pathlib import Path

from mutations import as_json, damaged_bytes, damaged_trees, fuzzed, outcome_of

from tmt_vis.taxonomy import LabelSpace, Taxonomy, TaxonomyError

FOLDER = tempfile.TemporaryDirectory()
PATH = Path(FOLDER.name) / "farm.json"
FARM = {
    "name": "farm",
    "title": "Farm videos",
    "notes": "free text",
    "link_by_name": True,
    "categories": [
        {"source_id": 1, "name": "collie", "same": {"ytvis19": "dog"}},
        {
            "source_id": 2,
            "name": "hen",
            "aliases": ["chicken"],
            "prompt": "hen, a bird",
        },
        {"source_id": 3, "name": "rooster", "near": {"ovis": ["Poultry"]}},
        {"source_id": 4, "name": "other", "has_text": False, "partition": "rare"},
    ],
}


def read(content):
    PATH.write_bytes(content)
    options = dict(refusals=TaxonomyError, names="farm.json")
    return outcome_of(lambda: LabelSpace.load(PATH), **options)


def check_label_space(data):
    space = read(as_json(data))
    if space is None:
        return
    assert len(space) == len(data["categories"])
    for slot, row in enumerate(data["categories"]):
        assert space.slot_of_source(row["source_id"]) == slot
        assert space.slot_of_name(row["name"]) == slot
    assert LabelSpace.from_dict(space.to_dict()).names == space.names
    taxonomy = outcome_of(
        lambda: Taxonomy.from_label_spaces([space, LabelSpace.load("ytvis19")]),
        refusals=TaxonomyError,
    )
    if taxonomy is not None:
        assert len(taxonomy.names) >= 40


test_label_spaces = fuzzed(check_label_space, damaged_trees(FARM), cases=100)
test_label_space_bytes = fuzzed(read, damaged_bytes(as_json(FARM)), cases=40)


def test_the_undamaged_label_space_is_read():
    assert read(as_json(FARM)).names == ("collie", "hen", "rooster", "other")
