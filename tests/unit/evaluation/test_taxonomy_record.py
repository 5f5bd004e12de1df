"""Recall of the compiled categories, and whether the scores look at the video."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from vis_files import perfect_samples, write_annotations

from tmt_vis.evaluation import VISMetric
from tmt_vis.evaluation.analysis import summarise_taxonomy
from tmt_vis.evaluation.taxonomy_record import TaxonomyRecord


def record(scores, present, *, num_compiled=1, without_text=()):
    """Make a record from (V, K) scores and (V, K) ground truth."""
    scores = np.asarray(scores, dtype=float)
    ranks = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
    ranks[:, list(without_text)] = -1
    return TaxonomyRecord(
        dataset="zoo",
        categories=tuple("abcdefgh"[: scores.shape[1]]),
        videos=tuple(f"v{i}" for i in range(len(scores))),
        ranks=ranks,
        scores=scores,
        compiled=(ranks >= 0) & (ranks < num_compiled),
        num_compiled=np.full(len(scores), num_compiled),
        present=None if present is None else np.asarray(present, dtype=bool),
    )


SEEING = [[0.9, 0.2, 0.1], [0.1, 0.9, 0.2], [0.2, 0.9, 0.1]]
SHOWN = [[1, 0, 0], [0, 1, 0], [0, 1, 1]]


def test_recall_counts_pairs_of_video_and_category():
    seeing = record(SEEING, SHOWN)
    assert seeing.recall() == 3 / 4
    assert [seeing.recall(n) for n in (1, 2, 3)] == [3 / 4, 3 / 4, 1]
    # What has no text cannot be compiled and is not asked for.
    assert record(SEEING, SHOWN, without_text=[2]).recall() == 1
    assert np.isnan(record(SEEING, np.zeros((3, 3))).recall())
    assert np.isnan(record(SEEING, None).recall())


def test_scores_that_see_the_video():
    summary = summarise_taxonomy(record(SEEING, SHOWN))
    assert summary.curve.tolist() == [3 / 4, 3 / 4, 1]
    assert summary.mean_curve.tolist() == [2 / 4, 3 / 4, 1]  # b, a, c
    assert summary.frequency_curve.tolist() == [2 / 4, 3 / 4, 1]
    assert summary.auroc[:2].tolist() == [1, 1]
    assert summary.auroc[2] == pytest.approx(0.25)  # ties with one of two
    assert summary.video_share > 0.5
    assert summary.compiled_share.tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    assert summary.present_share.tolist() == pytest.approx([1 / 3, 2 / 3, 1 / 3])


def test_scores_that_are_priors():
    summary = summarise_taxonomy(record([[0.2, 0.7, 0.1]] * 3, SHOWN))
    assert summary.video_share == pytest.approx(0, abs=1e-12)
    assert summary.mean_auroc == 0.5
    assert summary.curve.tolist() == summary.mean_curve.tolist()


def test_a_record_without_a_ranked_category_is_refused():
    with pytest.raises(ValueError, match="a category that was ranked for each of its"):
        summarise_taxonomy(record(SEEING, SHOWN, without_text=[0, 1, 2]))


def test_tables():
    summary = summarise_taxonomy(record(SEEING, SHOWN, num_compiled=2))
    rows = summary.video_table().splitlines()
    assert rows[2:] == [
        "| v0    | a*, b                       |        |",
        "| v1    | b*, c                       |        |",
        "| v2    | b*, a                       | c      |",
    ]
    assert summary.category_table().splitlines()[2].startswith("| b        |")


def test_without_annotations():
    summary = summarise_taxonomy(record(SEEING, None))
    assert np.isnan(summary.recall) and np.isnan(summary.frequency_curve).all()
    assert summary.video_share > 0.5
    assert "| v0    | a " in summary.video_table()


@pytest.mark.parametrize("present", [SHOWN, None])
def test_file(tmp_path, present):
    path = tmp_path / "new" / "zoo.json"
    written = record(SEEING, present, num_compiled=2, without_text=[1])
    written.save(path)
    read = TaxonomyRecord.load(path)
    for name in ("ranks", "scores", "compiled", "num_compiled", "present"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    assert (read.dataset, read.categories) == ("zoo", ("a", "b", "c"))


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": "other"}', "nothing"])
def test_other_files(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="is no taxonomy record.*taxonomy_file"):
        TaxonomyRecord.load(path)


@pytest.fixture
def metric(tmp_path):
    ann = write_annotations(tmp_path / "ann.json", "ovis", seed=2, with_crowd=True)
    return VISMetric(
        dataset="ovis", ann_file=ann, taxonomy_file=str(tmp_path / "record.json")
    )


def predicted(metric, best):
    """Samples whose best category is the slot ``best``, one compiled each."""
    samples = perfect_samples("ovis", metric.annotations)
    num_slots = len(metric.label_space)
    for sample in samples:
        order = [best, *(s for s in range(num_slots) if s != best)]
        ranks = torch.tensor(order).argsort()
        sample.pred_taxonomy = InstanceData(
            union_ids=torch.tensor([best]),
            scores=torch.tensor([0.5]),
            metainfo=dict(
                slot_scores=0.5 / (1 + ranks),
                slot_ranks=ranks,
                slot_compiled=ranks == 0,
            ),
        )
    return [sample.to_dict() for sample in samples]


def test_metric_reports_the_recall_and_writes_the_record(metric, tmp_path):
    bird = metric.label_space.slot_of_name("Bird")
    metric.process(None, predicted(metric, bird))
    reported = metric.evaluate(0)
    videos = metric.annotations.ground_truth.values()
    shown = np.concatenate([np.unique(v.slots[~v.is_crowd]) for v in videos])
    assert len(shown) < sum(len(np.unique(v.slots)) for v in videos)
    assert reported["ovis/taxo_recall"] == (shown == bird).sum() / len(shown)
    assert reported["ovis/AP"] == 1
    read = TaxonomyRecord.load(tmp_path / "record.json")
    assert read.recall() == reported["ovis/taxo_recall"]
    assert read.videos == tuple(v.name for v in metric.annotations.videos.values())


def test_models_without_taxonomy_report_nothing(metric, tmp_path):
    samples = perfect_samples("ovis", metric.annotations)
    metric.process(None, predicted(metric, 0))
    metric.evaluate(0)
    metric.process(None, [sample.to_dict() for sample in samples])
    assert "ovis/taxo_recall" not in metric.evaluate(0)
