"""Routing by dataset tag, in one process, in two, and inside mmengine's Runner."""

import json
import multiprocessing

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import distributed
from vis_files import data_sample, perfect_samples, write_annotations

import tmt_vis.evaluation  # noqa: F401, registers the metric and the evaluator
from tmt_vis.evaluation import MultiDatasetVISEvaluator, PredictedTubes


class CountVideos(BaseMetric):
    """Any other metric; relies on mmengine's own gathering."""

    default_prefix = "count"

    def process(self, data_batch, data_samples):
        self.results += [(s["video_id"], data_batch) for s in data_samples]

    def compute_metrics(self, results):
        return {"videos": len(results), "batches": [batch for _, batch in results]}


def build(tmp_path, **extra):
    """Both datasets number their videos 1..4 and differ in objects."""
    metrics = {
        name: {
            "type": "VISMetric",
            "ann_file": write_annotations(tmp_path / f"{name}.json", name, seed=seed),
        }
        for seed, name in enumerate(["ytvis19", "ovis"])
    }
    return MultiDatasetVISEvaluator({**metrics, **extra})


def imperfect_samples(evaluator):
    """Perfect tracks, except that OVIS loses those of two videos."""
    samples = []
    for name in ("ytvis19", "ovis"):
        samples += perfect_samples(name, evaluator.routes[name][0].annotations)
    for at in (5, 7):
        samples[at] = data_sample("ovis", at - 3, PredictedTubes.none())
    return [samples[i] for i in np.random.default_rng(0).permutation(len(samples))]


def run(evaluator, samples):
    for sample in samples:
        evaluator.process([sample], None)
    return evaluator.evaluate(len(samples))


def test_each_video_counts_for_its_dataset_only(tmp_path):
    evaluator = build(tmp_path)
    result = run(evaluator, imperfect_samples(evaluator))
    assert result["ytvis19/AP"] == 1.0
    assert 0 < result["ovis/AP"] < 1.0
    assert result["mean/AP"] == (1.0 + result["ovis/AP"]) / 2
    assert len(result) == 2 * 9 + 1
    np.testing.assert_equal(run(evaluator, imperfect_samples(evaluator)), result)


def test_unknown_tags_are_refused(tmp_path):
    evaluator = build(tmp_path)
    with pytest.raises(KeyError, match="dataset='uvo' .* only; add that dataset"):
        evaluator.process([data_sample("uvo", 1, PredictedTubes.none())])
    with pytest.raises(KeyError, match="dataset=None"):
        evaluator.process([{"video_id": 1}])


def test_configuration_errors_are_named(tmp_path):
    path = write_annotations(tmp_path / "a.json", "ovis")
    cfg = {"type": "VISMetric", "dataset": "ovis", "ann_file": path}
    with pytest.raises(TypeError, match="must map dataset names"):
        MultiDatasetVISEvaluator([cfg])
    with pytest.raises(TypeError, match="must map dataset names"):
        MultiDatasetVISEvaluator(cfg)
    with pytest.raises(ValueError, match="at least one"):
        MultiDatasetVISEvaluator({})
    with pytest.raises(ValueError, match="key must be the dataset's name"):
        MultiDatasetVISEvaluator({"ovis-val": cfg})


def test_several_metrics_of_one_dataset_and_mixed_batches(tmp_path):
    path = write_annotations(tmp_path / "a.json", "ovis")
    ours = {"type": "VISMetric", "ann_file": path}
    evaluator = MultiDatasetVISEvaluator(
        {"ovis": [ours, CountVideos()], "extra": CountVideos(prefix="extra")}
    )
    samples = perfect_samples("ovis", evaluator.routes["ovis"][0].annotations)
    other = data_sample("extra", 1, PredictedTubes.none())
    evaluator.process([samples[0], other], data_batch="mixed")
    evaluator.process(samples[1:], data_batch="pure")
    result = evaluator.evaluate(5)
    assert result["count/videos"] == 4
    assert result["count/batches"] == [None, "pure", "pure", "pure"]
    assert result["extra/videos"] == 1
    assert result["mean/AP"] == result["ovis/AP"] == 1.0
    twice = MultiDatasetVISEvaluator({"ovis": [CountVideos(), CountVideos()]})
    with pytest.raises(ValueError, match="two metrics report 'count/videos'"):
        twice.evaluate(0)


def _work(rank, tmp_path, job):
    """Run one rank and write what it got."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=rank, world_size=2
    )
    try:
        outcome = job(rank, tmp_path)
    except ValueError as error:
        outcome = {"error": str(error)}
    (tmp_path / f"rank{rank}.json").write_text(json.dumps(outcome))
    distributed.destroy_process_group()


def run_on_two_ranks(tmp_path, job):
    """Fork, so that nothing has to be imported again."""
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_work, args=(rank, tmp_path, job)) for rank in (0, 1)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=300)
    hanging = [worker for worker in workers if worker.is_alive()]
    for worker in hanging:  # or pytest would wait for them when it ends
        worker.kill()
    assert not hanging and [worker.exitcode for worker in workers] == [0, 0]
    return [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]


def own_folder(rank, tmp_path):
    """Files are written per rank, or one would read what the other is writing."""
    folder = tmp_path / str(rank)
    folder.mkdir()
    return folder


def uneven_shares(rank, tmp_path):
    """Rank 0 has 6 videos, rank 1 three, of which one is a repetition."""
    evaluator = build(own_folder(rank, tmp_path))
    samples = imperfect_samples(evaluator)
    shares = [samples[:6], [samples[6], samples[7], samples[0]]]
    first = run(evaluator, shares[rank])
    np.testing.assert_equal(run(evaluator, shares[rank]), first)
    return first


def test_two_ranks_with_uneven_shares_agree_with_one(tmp_path):
    expected = run(build(tmp_path), imperfect_samples(build(tmp_path)))
    for outcome in run_on_two_ranks(tmp_path, uneven_shares):
        np.testing.assert_equal(outcome, expected)


def errors_on_two_ranks(rank, tmp_path):
    """Rank 0 finds videos missing; then a foreign metric gets uneven shares."""
    evaluator = build(own_folder(rank, tmp_path))
    messages = []
    for samples in ([], [data_sample("extra", 1, PredictedTubes.none())] * rank):
        try:
            run(evaluator, samples)
        except ValueError as error:
            messages.append(str(error))
        evaluator = MultiDatasetVISEvaluator({"extra": CountVideos()})
    return messages


def test_an_error_reaches_every_rank(tmp_path):
    """If only rank 0 raised, the others would wait until the timeout."""
    first, second = run_on_two_ranks(tmp_path, errors_on_two_ranks)
    assert first == second
    assert "4 of 4 videos" in first[0]
    assert "cannot gather [0, 1] videos" in first[1]


class ReplayModel(BaseModel):
    """Answers with prepared samples; its one parameter makes it trainable."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, data_samples=None, mode="tensor"):
        if mode == "loss":
            return {"loss": self.weight.sum()}
        return data_samples


def loader(samples):
    items = [{"inputs": torch.zeros(1), "data_samples": s} for s in samples]
    return {
        "batch_size": 2,
        "dataset": items,
        "sampler": {"type": "DefaultSampler", "shuffle": False},
        "collate_fn": {"type": "pseudo_collate"},
    }


def test_runner_builds_it_and_keeps_the_best_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(Runner, "_log_env", lambda *_: None)  # asks gcc for its version
    cfg = {
        name: {
            "type": "VISMetric",
            "ann_file": write_annotations(tmp_path / f"{name}.json", name, seed=seed),
        }
        for seed, name in enumerate(["ytvis19", "ovis"])
    }
    samples = imperfect_samples(MultiDatasetVISEvaluator(cfg))
    runner = Runner(
        model=ReplayModel(),
        work_dir=str(tmp_path / "work"),
        train_dataloader=loader(samples[:2]),
        train_cfg={"type": "IterBasedTrainLoop", "max_iters": 2, "val_interval": 1},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        val_dataloader=loader(samples),
        val_cfg={},
        val_evaluator={"type": "MultiDatasetVISEvaluator", "metrics": cfg},
        default_hooks={
            "checkpoint": {
                "type": "CheckpointHook",
                "by_epoch": False,
                "save_best": ["ytvis19/AP", "ovis/AP", "mean/AP"],
                "rule": "greater",
            }
        },
        default_scope="mmdet",
        log_level="ERROR",
        experiment_name="evaluator",
    )
    runner.train()
    assert isinstance(runner.val_evaluator, MultiDatasetVISEvaluator)
    best = {
        name: runner.message_hub.get_info(f"best_score_{name}/AP")
        for name in ("ytvis19", "ovis", "mean")
    }
    assert best["ytvis19"] == 1.0
    assert 0 < best["ovis"] < 1.0
    assert best["mean"] == (1.0 + best["ovis"]) / 2
    for name in best:
        assert list((tmp_path / "work").glob(f"best_{name}_AP_*.pth"))
