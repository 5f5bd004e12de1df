"""Rows of a classifier go where their category goes, by name."""

import pytest
import torch
from helpers.foreign_checkpoints import tiny
from mmdet.datasets import CocoDataset, CocoPanopticDataset, YouTubeVISDataset

from tmt_vis.checkpoints import ClassifierRowsError, SourceCheckpoint, convert
from tmt_vis.checkpoints.classifier_rows import find_meanings, remap_rows
from tmt_vis.taxonomy import LabelSpace, Taxonomy

TABLE3 = ["ytvis19", "ovis", "uvo"]


def numbered(num_rows, channels=3):
    """Make a classifier whose row r holds r everywhere; the last is no-object."""
    bias = torch.arange(float(num_rows + 1))
    return bias[:, None].repeat(1, channels), bias


def remap(num_rows, target, **kwargs):
    """Return source row by union name (None = fresh), no-object row, and report."""
    meanings = find_meanings(num_rows, **kwargs)
    taxonomy = Taxonomy.from_label_spaces(target)
    weight, bias, report = remap_rows(*numbered(num_rows), meanings, taxonomy)
    assert weight.shape == (taxonomy.num_categories + 1, 3)
    taken = {ours for ours, _ in report.copied}
    assert taken | set(report.missing) == set(taxonomy.names)
    rows = {}
    for name, values, value in zip(taxonomy.names, weight, bias, strict=False):
        assert (values == value).all() == (name in taken)
        rows[name] = int(value) if name in taken else None
    return rows, float(bias[-1]), report


def test_coco_to_the_union_of_the_paper():
    coco = LabelSpace.load("coco")
    rows, no_object, report = remap(80, TABLE3)
    assert no_object == 80
    assert rows["person"] == coco.slot_of_name("person") == 0
    assert rows["sedan"] == coco.slot_of_name("car") == 2
    assert rows["toothbrush"] == coco.slot_of_name("toothbrush") == 79
    assert rows["giant_panda"] is None and "giant_panda" in report.missing
    # UVO has the 80 categories of COCO, so each row is used.
    assert report.unused == () and len(report.copied) == 80
    assert ("sedan", "car") in report.copied
    assert report.label_space == "coco"


def test_coco_to_a_space_without_most_of_it():
    _, _, report = remap(80, ["ovis"])
    assert "toothbrush" in report.unused and "dog" not in report.unused
    assert len(report.unused) + len(report.copied) == 80


def test_coco_panoptic_rows_of_stuff_are_dropped():
    things, _, _ = remap(80, TABLE3)
    rows, no_object, report = remap(133, TABLE3)
    assert rows == things and no_object == 133
    assert len(report.unused) == 53 and report.unused[0] == "row 80 (not a thing)"


@pytest.mark.parametrize("space", ["ytvis19", "ytvis21"])
def test_a_space_onto_itself_changes_nothing(space):
    rows, no_object, report = remap(40, [space], label_space=space)
    assert list(rows.values()) == list(range(40)) and no_object == 40
    assert not report.missing and not report.unused


def test_ytvis19_to_ytvis21():
    old, new = LabelSpace.load("ytvis19"), LabelSpace.load("ytvis21")
    rows, _, report = remap(40, ["ytvis21"], label_space="ytvis19")
    for name in new.names:
        if name in old.names:
            assert rows[name] == old.slot_of_name(name)
    assert rows["car"] == old.slot_of_name("sedan")
    assert {"whale", "squirrel"} <= set(report.missing)
    assert {"ape", "hand"} <= set(report.unused)


@pytest.mark.parametrize("num_rows, space", [(25, "ovis"), (81, "uvo"), (80, "coco")])
def test_the_number_of_rows_tells(num_rows, space):
    assert find_meanings(num_rows).label_space.name == space


def test_the_number_of_rows_does_not_tell():
    with pytest.raises(ClassifierRowsError, match="ytvis19 or ytvis21.*--source-label"):
        find_meanings(40)
    with pytest.raises(ClassifierRowsError, match="no bundled label space"):
        find_meanings(41)


@pytest.mark.parametrize("year", [2019, 2021])
def test_mmdet_says_what_its_rows_mean(year):
    class Dataset(YouTubeVISDataset):  # the call below writes to the class
        pass

    Dataset.set_dataset_classes(str(year))
    classes = Dataset.METAINFO["classes"]
    meanings = find_meanings(40, classes=classes)
    space = meanings.label_space
    assert space.name == f"ytvis{year % 100}"
    assert [space.slot_of_name(name) for name in classes] == list(meanings.slots)
    # Both datasets list their categories in the order of their ids.
    assert meanings.slots == tuple(range(40))


def test_mmdet_coco():
    for dataset, extra in ((CocoDataset, 0), (CocoPanopticDataset, 53)):
        classes = dataset.METAINFO["classes"]
        meanings = find_meanings(len(classes), classes=classes)
        assert meanings.label_space.name == "coco"
        assert meanings.slots == (*range(80), *[-1] * extra)


def test_rows_in_another_order():
    names = LabelSpace.load("ovis").names
    rows, _, _ = remap(25, ["ovis"], classes=names[::-1])
    assert list(rows.values()) == list(range(25))[::-1]


def test_names_that_are_nobodys():
    with pytest.raises(ClassifierRowsError, match="those of no bundled label space"):
        find_meanings(2, classes=["cat", "gnu"])
    with pytest.raises(ClassifierRowsError, match="names 2 categories.*has 3"):
        find_meanings(3, classes=["cat", "dog"])


def test_a_wrong_label_space():
    with pytest.raises(ClassifierRowsError, match="'ovis' has 25 .* has 40"):
        find_meanings(40, label_space="ovis")


def test_fresh_rows_are_those_of_a_new_layer_and_always_the_same():
    meanings = find_meanings(25)
    taxonomy = Taxonomy.from_label_spaces(["uvo"])
    weight, bias = torch.zeros(26, 256), torch.zeros(26)
    first, second = (remap_rows(weight, bias, meanings, taxonomy) for _ in range(2))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    fresh = first[0][first[0].abs().sum(1) > 0]
    assert len(fresh) == len(first[2].missing) > 50
    # torch's nn.Linear draws from U(-1/sqrt(C), 1/sqrt(C)).
    assert 0.99 / 16 < fresh.abs().max() <= 1 / 16
    assert abs(fresh.std() - 1 / 16 / 3**0.5) < 1e-3


def test_without_label_spaces_the_classifier_is_copied():
    weights = tiny()
    result = convert(SourceCheckpoint(weights))
    key = "sem_seg_head.predictor.class_embed.weight"
    assert torch.equal(
        result.state_dict["head.query_decoder.cls_embed.weight"], weights[key]
    )
    assert "head.vocabulary.taxonomy_json" not in result.state_dict
    assert result.rows is None and "label_spaces" not in result.meta


def test_source_labels_alone_are_also_the_target():
    result = convert(SourceCheckpoint(tiny()), source_labels="ytvis21")
    assert result.meta["label_spaces"] == ["ytvis21"]
    assert len(result.rows.copied) == 40


def test_classifiers_of_sigmoids_have_no_row_without_a_category():
    meanings = find_meanings(40, label_space="ytvis19")
    taxonomy = Taxonomy.from_label_spaces(["ytvis19", "ovis"])
    classifier = (part[:-1] for part in numbered(40))
    weight, bias, report = remap_rows(*classifier, meanings, taxonomy, no_object=False)
    assert len(weight) == len(bias) == taxonomy.num_categories
    assert bias[:40].tolist() == list(range(40)) and (weight[7] == 7).all()
    assert report.missing == taxonomy.names[40:]
    rare = bias[40:].sigmoid()  # as in a new model
    assert len(rare) and torch.allclose(rare, torch.full_like(rare, 0.01))
