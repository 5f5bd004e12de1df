"""VISMetric: perfect is 1.0 under every numbering, and every rank counts once."""

import json
import os
import zipfile

import numpy as np
import pytest
from mmdet.registry import METRICS
from vis_files import (
    data_sample,
    perfect_predictions,
    perfect_samples,
    write_annotations,
    write_simple,
)

from tmt_vis.evaluation import PredictedTubes, VISMetric
from tmt_vis.structures import TubeRLE

DOG = {1: "dog"}
NUMBERS = ["AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100"]


@pytest.fixture
def metric(tmp_path):
    path = write_annotations(tmp_path / "ann.json", "ytvis19", with_crowd=True)
    return METRICS.build({"type": "VISMetric", "dataset": "ytvis19", "ann_file": path})


def run(metric, samples):
    for sample in samples:
        metric.process(None, [sample.to_dict()])
    return metric.evaluate(len(samples))


def test_perfect_prediction_scores_one(metric):
    """Ids start at 0 in every video; file ids are sparse, permuted and a subset."""
    result = run(metric, perfect_samples("ytvis19", metric.annotations))
    assert list(result) == [f"ytvis19/{name}" for name in NUMBERS]
    assert result["ytvis19/AP"] == result["ytvis19/APs"] == 1.0
    assert np.isnan(result["ytvis19/APl"])
    assert result["ytvis19/AR10"] == 1.0


def test_repeated_validation_and_repeated_videos(metric):
    samples = perfect_samples("ytvis19", metric.annotations)
    first = run(metric, samples)
    padded = run(metric, [*samples, samples[0], samples[1]])
    np.testing.assert_equal(padded, first)
    worse = [data_sample("ytvis19", 1, PredictedTubes.none()), *samples[1:-1]]
    worse.append(data_sample("ytvis19", 4, PredictedTubes.none()))
    assert run(metric, worse)["ytvis19/AP"] < 1.0
    np.testing.assert_equal(run(metric, samples), first)


def test_values_are_not_rounded(tmp_path):
    names = {1: "Person"}
    objects = [(1, 1, (2, 8 * i, 5, 5), False) for i in range(3)]
    path = write_simple(tmp_path / "ann.json", objects, names=names)
    metric = VISMetric(dataset="ovis", ann_file=path)
    tracks = perfect_predictions(metric.annotations)[1]
    kept = PredictedTubes(tracks.tubes[:2], tracks.slots[:2], tracks.scores[:2])
    result = run(metric, [data_sample("ovis", 1, kept)])
    assert result["ovis/AR10"] == pytest.approx(2 / 3, abs=1e-12)
    assert result["ovis/AP"] == pytest.approx(67 / 101, abs=1e-12)


def test_no_tracks_at_all(metric):
    samples = [
        data_sample("ytvis19", video_id, PredictedTubes.none())
        for video_id in metric.annotations.videos
    ]
    assert run(metric, samples)["ytvis19/AP"] == 0.0


def test_missing_videos_are_refused_unless_allowed(tmp_path, metric):
    samples = perfect_samples("ytvis19", metric.annotations)
    with pytest.raises(ValueError, match="2 of 4 videos .* have no result"):
        run(metric, samples[:2])
    lenient = VISMetric(
        dataset="ytvis19", ann_file=metric.ann_file, allow_missing_videos=True
    )
    assert 0 < run(lenient, samples[:2])["ytvis19/AP"] < 1
    assert run(metric, samples)["ytvis19/AP"] == 1.0


def test_foreign_videos_are_refused(metric):
    samples = perfect_samples("ytvis19", metric.annotations)
    extra = data_sample("ytvis19", 99, PredictedTubes.none())
    with pytest.raises(ValueError, match=r"not in .*ann.json, e.g. \[99\]"):
        run(metric, [*samples, extra])
    with pytest.raises(ValueError, match="MultiDatasetVISEvaluator"):
        run(metric, [data_sample("ovis", 1, PredictedTubes.none())])
    other = data_sample("ytvis19", 1, PredictedTubes.none(), label_space="ytvis21")
    with pytest.raises(ValueError, match="label_space 'ytvis19'"):
        run(metric, [other])
    with pytest.raises(ValueError, match="no pred_tracks"):
        metric.process(None, [{"dataset": "ytvis19", "video_id": 1}])


def test_tracks_of_another_size_are_refused(metric):
    samples = perfect_samples("ytvis19", metric.annotations)
    tracks = samples[-1].pred_tracks
    tracks.tubes = [tube.part(0, 3) for tube in tracks.tubes]
    with pytest.raises(
        ValueError, match=r"\(20, 28, 4\) but a track has \(20, 28, 3\)"
    ):
        run(metric, samples)


def test_submission_of_a_withheld_file(tmp_path):
    path = write_annotations(tmp_path / "ann.json", "ovis")
    full = VISMetric(dataset="ovis", ann_file=path)
    samples = perfect_samples("ovis", full.annotations)
    file = json.loads((tmp_path / "ann.json").read_text())
    (tmp_path / "ann.json").write_text(json.dumps({**file, "annotations": None}))
    default = VISMetric(dataset="ovis", ann_file=path).outfile_prefix
    assert default.endswith(os.path.join("submissions", "ovis"))
    prefix = str(tmp_path / "sub" / "ovis")
    metric = VISMetric(dataset="ovis", ann_file=path, outfile_prefix=prefix)
    assert run(metric, samples) == {}
    with zipfile.ZipFile(f"{prefix}.zip") as archive:
        entries = json.loads(archive.read("results.json"))
    tracks = perfect_predictions(full.annotations)
    assert len(entries) == sum(map(len, tracks.values()))
    assert {entry["category_id"] for entry in entries} <= {5, 2, 9}


def test_format_only_and_both(tmp_path, metric):
    samples = perfect_samples("ytvis19", metric.annotations)
    options = {"dataset": "ytvis19", "ann_file": metric.ann_file}
    default = VISMetric(**options, format_only=True).outfile_prefix
    assert default.endswith(os.path.join("submissions", "ytvis19"))
    prefix = str(tmp_path / "a")
    only = VISMetric(**options, format_only=True, outfile_prefix=prefix)
    assert run(only, samples) == {}
    assert (tmp_path / "a.zip").exists()
    both = VISMetric(**options, outfile_prefix=str(tmp_path / "b"))
    assert run(both, samples)["ytvis19/AP"] == 1.0
    assert (tmp_path / "b.results.json").exists()


def test_seen_and_unseen_categories(tmp_path):
    """Person is in UVO, Vehical is not: only the first is predicted."""
    names = {4: "Vehical", 8: "Person"}
    objects = [(1, 4, (2, 2, 6, 6), False), (1, 8, (10, 10, 6, 6), False)]
    path = write_simple(tmp_path / "ann.json", objects, names=names)
    metric = VISMetric(
        dataset="zero-shot",
        ann_file=path,
        label_space="ovis",
        train_label_spaces=["uvo"],
    )
    tracks = perfect_predictions(metric.annotations)[1]
    person = PredictedTubes(tracks.tubes[1:], tracks.slots[1:], tracks.scores[1:])
    result = run(metric, [data_sample("zero-shot", 1, person, label_space="ovis")])
    assert result["zero-shot/AP"] == 0.5
    assert result["zero-shot/AP_seen"] == 1.0
    assert result["zero-shot/AP_unseen"] == 0.0
    metric.train_label_spaces = ["uvo", "ovis"]
    result = run(metric, [data_sample("zero-shot", 1, person, label_space="ovis")])
    assert result["zero-shot/AP_seen"] == 0.5
    assert np.isnan(result["zero-shot/AP_unseen"])


def test_class_agnostic(metric):
    samples = perfect_samples("ytvis19", metric.annotations)
    for sample in samples:
        sample.pred_tracks.labels[:] = metric.label_space.slot_of_name("lizard")
    assert run(metric, samples)["ytvis19/AP"] == 0.0
    metric.class_agnostic = True
    assert run(metric, samples)["ytvis19/AP"] == 1.0


def test_boundary_ap_beside_mask_ap(tmp_path):
    """A hole with a rim of 12 pixels: mask IoU 60 / 64, boundary IoU 28 / 40."""
    path = write_simple(tmp_path / "a.json", [(1, 1, (2, 2, 8, 8), False)], names=DOG)
    metric = VISMetric(dataset="ytvis19", ann_file=path, boundary=True)
    (tube,) = metric.annotations.ground_truth[1].tubes
    masks = tube.decode().copy()
    for t in range(4):
        masks[t, 5:7, 5 + t : 7 + t] = False
    slots = metric.annotations.ground_truth[1].slots
    tracks = PredictedTubes([TubeRLE.from_masks(masks)], slots, np.ones(1))
    result = run(metric, [data_sample("ytvis19", 1, tracks)])
    assert list(result) == [
        *(f"ytvis19/{name}" for name in NUMBERS),
        *(f"ytvis19/{name}_boundary" for name in NUMBERS),
    ]
    assert result["ytvis19/AP"] == pytest.approx(0.9)
    assert result["ytvis19/AP_boundary"] == pytest.approx(0.5)
    assert result["ytvis19/AP75_boundary"] == 0.0


def test_missing_file_is_noticed_at_once(tmp_path):
    with pytest.raises(FileNotFoundError, match="ann_file of dataset 'ovis'"):
        VISMetric(dataset="ovis", ann_file=str(tmp_path / "none.json"))


def test_class_table_is_logged(metric, monkeypatch):
    from mmengine.logging import MMLogger

    lines = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, "info", lines.append)
    run(metric, perfect_samples("ytvis19", metric.annotations))
    (text,) = lines
    rows = {line.split("  ")[0]: line.split()[-4:] for line in text.splitlines()[3:]}
    objects = [v.slots[~v.is_crowd] for v in metric.annotations.ground_truth.values()]
    slots = np.concatenate(objects)
    person = str((slots == metric.label_space.slot_of_name("person")).sum())
    assert rows["person"] == ["100.0", "100.0", person, person]
    assert rows["lizard"] == ["-", "-", "0", "0"]
    assert "AP 100.0  AP50 100.0" in text
