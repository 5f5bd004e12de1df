"""AP of slightly, moderately and heavily occluded objects, as OVIS defines it."""

import copy
import json

import numpy as np
import pytest
from ap_reference import (
    FRAMES,
    annotation_file,
    box_tube,
    our_evaluation,
    random_case,
    reference_evaluator,
    result_entries,
    tables_of,
)

from tmt_vis.evaluation import load_annotations, occlusion_score

NO, SLIGHT, SEVERE = "no_occlusion", "slight_occlusion", "severe_occlusion"
GROUPS = {"so": (0, 0.25), "mo": (0.25, 0.5), "ho": (0.5, 1)}


@pytest.mark.parametrize(
    ("levels", "score"),
    [
        ([NO, NO, SLIGHT, SEVERE], 0.5),  # the upper half: 0.25 and 0.75
        ([SEVERE, None, NO, NO], 0.375),  # two of three: 0 and 0.75
        ([SEVERE], 0.75),
        ([None, NO, None], 0.0),
    ],
)
def test_the_more_occluded_half_of_the_frames_counts(levels, score):
    assert occlusion_score(levels) == score


def test_unknown_levels():
    assert np.isnan(occlusion_score([None, None]))
    with pytest.raises(ValueError, match="no_occlusion, slight_occlusion, severe_oc"):
        occlusion_score(["heavy"])
    with pytest.raises(ValueError, match="per frame, got slight_occlusion"):
        occlusion_score(SLIGHT)


def occluded_case(seed):
    file, entries = random_case(seed)
    rng = np.random.default_rng(seed)
    for row in file["annotations"]:
        # Scores are 0, 0.125, 0.25, 0.375, 0.5, 0.75: on the borders and between.
        row["occlusion"] = rng.choice([NO, SLIGHT, SEVERE], FRAMES).tolist()
    return file, entries


def official_group(file, entries, limits):
    """Let the official evaluator select by occlusion where it selects by area.

    Objects get their occlusion for an area. All tracks get one inside of the range,
    because an unmatched track is wrong in every occlusion group.
    """
    run = reference_evaluator(file, entries, areas=dict.fromkeys("abcd", limits))
    for row in run.cocoGt.dataset["annotations"]:
        row["areas"] = [occlusion_score(row["occlusion"])]
    for row in run.cocoDt.dataset["annotations"]:
        row["areas"] = [sum(limits) / 2]
    return tables_of(run)


@pytest.mark.parametrize("seed", range(6))
def test_groups_equal_the_official_evaluator(seed, monkeypatch):
    monkeypatch.setattr(np, "float", float, raising=False)
    monkeypatch.setattr("builtins.print", lambda *_, **__: None)  # its summary
    file, entries = occluded_case(seed)
    table = our_evaluation(file, entries)
    assert table.groups[-3:] == tuple(GROUPS)
    for name, limits in GROUPS.items():
        precision, recall, _ = official_group(file, entries, limits)
        at = table.groups.index(name)
        np.testing.assert_allclose(table.precision[:, at], precision[:, 0], atol=1e-9)
        np.testing.assert_allclose(table.recall[:, at], recall[:, 0], atol=1e-9)
    plain = copy.deepcopy(file)
    for row in plain["annotations"]:
        del row["occlusion"]
    numbers, more = (our_evaluation(f, entries).summary() for f in (plain, file))
    assert set(more) - set(numbers) == {"APso", "APmo", "APho"}
    np.testing.assert_equal({k: more[k] for k in numbers}, numbers)


def load(tmp_path, *levels):
    masks = box_tube((2, 3, 5, 6), np.ones(FRAMES))
    rows = [(1, 1, masks, False)] * len(levels)
    file = annotation_file(rows, num_videos=2, category_ids=[1])
    for row, level in zip(file["annotations"], levels, strict=True):
        if level is not None:
            row["occlusion"] = level
    (tmp_path / "ann.json").write_text(json.dumps(file))
    return load_annotations(tmp_path / "ann.json").ground_truth


def test_annotation_files_with_and_without_levels(tmp_path):
    truth = load(tmp_path, [NO, SLIGHT, SEVERE, None], None)
    np.testing.assert_equal(truth[1].occlusion, [0.5, np.nan])
    assert truth[2].occlusion.shape == (0,)
    assert load(tmp_path, None, None)[1].occlusion is None
    with pytest.raises(ValueError, match=r"id=1 \(video_id=1\): occlusion must"):
        load(tmp_path, ["heavy"])


def test_an_object_of_unknown_occlusion_is_in_no_group():
    masks = [box_tube((y, 3, 5, 6), np.ones(FRAMES)) for y in (1, 11)]
    file = annotation_file(
        [(1, 1, m, False) for m in masks], num_videos=1, category_ids=[1]
    )
    for row, level in zip(file["annotations"], ([None] * 4, [SEVERE] * 4), strict=True):
        row["occlusion"] = level
    table = our_evaluation(file, result_entries([(1, 1, masks[0], 0.9)]))
    assert table.ap() == pytest.approx(51 / 101)
    assert table.ap(group="ho") == 0.0
    assert np.isnan(table.ap(group="so"))
