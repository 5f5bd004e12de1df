"""A complete joint training run, seconds long: sprites, tiny model, all hooks."""

import sys
from pathlib import Path
from typing import Any

from helpers.tiny_model import model_cfg
from mmdet.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook

ROOT = Path(__file__).resolve().parents[2]
ANN_FILES = {
    "ytvis19": {"train": "train.json", "val": "valid.json"},
    "ovis": {"train": "annotations_train.json", "val": "annotations_valid.json"},
}
FOLDERS = {"ytvis19": "ytvis_2019", "ovis": "ovis"}
IMAGES = {
    "ytvis19": {"train": "train/JPEGImages", "val": "valid/JPEGImages"},
    "ovis": {"train": "train", "val": "valid"},
}


class Killed(RuntimeError):
    """Raised by KillHook."""


@HOOKS.register_module()
class KillHook(Hook):
    """End the run after iteration ``at``."""

    priority = "LOWEST"

    def __init__(self, at: int) -> None:
        self.at = at

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        if runner.iter + 1 == self.at:
            raise Killed


def make_sprites(out: Path) -> Path:
    """Write two miniature datasets with the library of tools/make_sprite_vis.py."""
    # Last, or tools/test.py would hide the standard library's `test`.
    if str(ROOT / "tools") not in sys.path:
        sys.path.append(str(ROOT / "tools"))
    from sprite_vis import GenerationConfig, generate

    config = GenerationConfig(
        seed=3,
        videos=5,
        val_videos=3,
        height=32,
        width=64,
        frames=4,
        datasets=tuple(FOLDERS),
        classes="3",
    )
    generate(config, out / "data", progress=lambda *_: None)
    return out / "data"


def dataset_cfg(data: Path, name: str, split: str) -> dict[str, Any]:
    """Make the config of one split of one dataset."""
    root = data / FOLDERS[name]
    load = [dict(type="LoadClipFrames")]
    if split == "train":
        load += [
            dict(type="LoadClipAnnotations"),
            dict(
                type="ClipBroadcaster",
                transforms=[dict(type="mmdet.RandomFlip", prob=0.5)],
            ),
        ]
    return dict(
        type="VISDataset",
        label_space=name,
        ann_file=str(root / ANN_FILES[name][split]),
        data_prefix=dict(img=str(root / IMAGES[name][split])),
        pipeline=[*load, dict(type="PackClipInputs")],
        **(dict(test_mode=True) if split == "val" else dict(num_frames=2)),
    )


def run_cfg(
    data: Path, work_dir: Path, *, iters: int = 4, batch_size: int = 2, **head: Any
) -> Config:
    """Make the config of a run on both datasets."""
    names = list(FOLDERS)
    loader = dict(num_workers=0, persistent_workers=False)
    test = dict(
        **loader,
        batch_size=1,
        sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
        dataset=dict(
            type="MultiDatasetVideoDataset",
            datasets={n: dataset_cfg(data, n, "val") for n in names},
        ),
    )
    evaluator = dict(
        type="MultiDatasetVISEvaluator",
        metrics={
            n: dict(
                type="VISMetric", ann_file=str(data / FOLDERS[n] / ANN_FILES[n]["val"])
            )
            for n in names
        },
    )
    runtime = Config.fromfile(ROOT / "configs/_base_/default_runtime.py")
    runtime.merge_from_dict(
        dict(
            model=model_cfg(**head),
            work_dir=str(work_dir),
            train_dataloader=dict(
                **loader,
                batch_size=batch_size,
                sampler=dict(
                    type="MultiDatasetVideoSampler",
                    ratios=dict(ytvis19=1.0, ovis=0.75),
                    batch_size=batch_size,
                ),
                dataset=dict(
                    type="MultiDatasetVideoDataset",
                    datasets={n: dataset_cfg(data, n, "train") for n in names},
                ),
            ),
            val_dataloader=test,
            test_dataloader=test,
            val_evaluator=evaluator,
            test_evaluator=evaluator,
            # Plain SGD: Adam would turn rounding of tiny gradients into steps.
            optim_wrapper=dict(
                type="OptimWrapper", optimizer=dict(type="SGD", lr=1e-3, momentum=0.9)
            ),
            train_cfg=dict(
                type="ResumableIterBasedTrainLoop", max_iters=iters, val_interval=iters
            ),
            val_cfg=dict(type="ValLoop"),
            test_cfg=dict(type="TestLoop"),
            default_hooks=dict(
                logger=dict(interval=1), checkpoint=dict(interval=2, max_keep_ckpts=9)
            ),
            randomness=dict(seed=7),
            log_level="WARNING",
        )
    )
    return runtime
