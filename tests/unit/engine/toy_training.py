"""A training run of a few milliseconds: 4 weights, dropout, AdamW, a scheduler."""

import itertools

import torch
from mmdet.registry import DATA_SAMPLERS, DATASETS, HOOKS, METRICS, MODELS
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement

from tmt_vis.engine.launch import build_runner  # the room registers hooks and loop


class Killed(Exception):
    """Stands for a SIGKILL: nothing after it runs."""


@DATASETS.register_module()
class ToyDataset(torch.utils.data.Dataset):
    metainfo = dict(classes=("cat", "dog"), palette=[(1, 2, 3), (4, 5, 6)])

    def __len__(self):
        return 1000

    def __getitem__(self, index):
        identity = dict(dataset="toy", video_id=index, frame_ids=[index, index + 1])
        sample = BaseDataElement(metainfo=dict(identity, clip_seed=7, video_name="v"))
        return dict(inputs=torch.full((4,), index / 100.0), data_samples=sample)


@DATA_SAMPLERS.register_module()
class ToySampler:
    """Endless pseudo-random indices; position p depends on seed and p only."""

    def __init__(self, dataset, seed=None, batch_size=2):
        self.size, self.seed, self.batch_size, self.start = (
            len(dataset),
            seed,
            batch_size,
            0,
        )

    def __len__(self):
        return self.size

    def set_position(self, clips):
        self.start = clips
        return clips

    def __iter__(self):
        for position in itertools.count(self.start):
            yield (position * 37 + self.seed * 11) % self.size


@MODELS.register_module()
class ToyModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 1)
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        x = torch.stack(list(inputs))
        output = self.linear(self.dropout(x))
        if mode == "predict":
            return data_samples
        return dict(loss_a=(output**2).mean(), loss_b=output.abs().mean())


@METRICS.register_module()
class ToyMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(len(data_samples))

    def compute_metrics(self, results):
        return dict(score=float(sum(results)))


@METRICS.register_module()
class GrowingMetric(ToyMetric):
    """Better at each validation."""

    score = 0

    def compute_metrics(self, results):
        self.score += 1
        return dict(score=float(self.score))


@HOOKS.register_module()
class RecordHook(Hook):
    """Collect loss and sample sequence; optionally die after some iterations."""

    priority = "LOWEST"

    def __init__(self, log, die_after=None):
        self.log, self.die_after = log, die_after

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        videos = [sample.video_id for sample in data_batch["data_samples"]]
        self.log[runner.iter] = (videos, {k: v.item() for k, v in outputs.items()})
        if runner.iter + 1 == self.die_after:
            raise Killed


def toy_config(work_dir, *, max_iters=6, save_every=2, seed=3, **overrides):
    cfg = dict(
        default_scope="mmdet",
        work_dir=str(work_dir),
        experiment_name=f"toy_{next(_run_numbers)}",
        model=dict(type="ToyModel"),
        train_dataloader=dict(
            batch_size=2,
            num_workers=0,
            dataset=dict(type="ToyDataset"),
            sampler=dict(type="ToySampler"),
        ),
        train_cfg=dict(type="ResumableIterBasedTrainLoop", max_iters=max_iters),
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.05)),
        param_scheduler=[
            dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=3),
            dict(type="MultiStepLR", milestones=[4], by_epoch=False),
        ],
        default_hooks=dict(
            checkpoint=dict(
                type="AtomicCheckpointHook", by_epoch=False, interval=save_every
            )
        ),
        custom_hooks=[
            dict(type="PlainCheckpointHook"),
            dict(type="DeterministicRNGHook"),
            dict(type="NonFiniteLossHook"),
        ],
        randomness=dict(seed=seed),
        log_level="ERROR",
    )
    cfg.update(overrides)
    return Config(cfg)


def with_validation(cfg, *, every):
    loader = dict(batch_size=100, num_workers=0, dataset=dict(type="ToyDataset"))
    cfg.val_dataloader = dict(
        loader, sampler=dict(type="DefaultSampler", shuffle=False)
    )
    cfg.val_cfg, cfg.val_evaluator = dict(), dict(type="ToyMetric")
    cfg.train_cfg.val_interval = every
    return cfg


def run_training(cfg, *, die_after=None):
    """Train; returns the runner and {iteration: (video ids, losses)}."""
    log = {}
    runner = build_runner(cfg)
    runner.register_hook(RecordHook(log, die_after))
    try:
        runner.train()
    except Killed:
        assert die_after is not None
    finally:
        _release_workers(runner)
    return runner, log


def _release_workers(runner):
    """End the data workers now.

    Left to the garbage collector, which finalises their queues first, they do not hear
    of it, and torch waits 5 s for each, in whichever test comes next.
    """
    loop = runner._train_loop
    if not isinstance(loop, dict):  # still a config if it could not be built
        loop.dataloader_iterator = None
        loop.dataloader._iterator = None


_run_numbers = itertools.count()
