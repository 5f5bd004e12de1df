"""The test that was published, as a config of this repository."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from tmt_vis.model_zoo import (
    ModelZooError,
    PublishedRow,
    merge_options,
    published_config,
)

# Where the configs expect all datasets (configs/_base_/datasets).
_CONFIG_ROOT = "data/"


class ReproductionError(ModelZooError):
    """A published number cannot be reproduced with what was given."""


def official_config(
    row: PublishedRow,
    *,
    data_root: str | Path,
    work_dir: str | Path,
    datasets: Sequence[str] | None = None,
    options: Sequence[str] = (),
) -> Config:
    """Make the config of a published test.

    Args:
        row: What was published.
        data_root: Folder with the folders of the datasets, ``data`` in the configs.
        work_dir: Where logs and submissions go.
        datasets: Those to test on; None means all that have a published number.
        options: Further ``KEY=VALUE``, which win over the settings of the row.

    Returns:
        The config; its test loader and test evaluator hold these datasets only.

    Raises:
        ModelZooError: If the row has no config or does not know a dataset.
    """
    cfg = published_config(row)
    chosen = list(datasets or row.published)
    unknown = sorted(set(chosen) - set(row.published))
    if unknown:
        raise ReproductionError(
            f"{row.name} has published numbers for {', '.join(row.published)}, not for "
            f"{unknown[0]}"
        )
    _choose_datasets(cfg, chosen, row)
    _move_data(cfg, Path(data_root))
    # The references look at a video of any length as a whole (or, frame by frame, track
    # through all of it); --cfg-options can bring the linked windows back.
    cfg.model.long_videos = None
    cfg.launcher = "none"
    cfg.work_dir = str(work_dir)
    cfg.default_hooks.logger.interval = 10  # videos between two signs of life
    for name, metric in _present(cfg.test_evaluator.metrics):
        metric.outfile_prefix = str(Path(work_dir) / "submissions" / name)
    merge_options(cfg, options)
    return cfg


def check_data(cfg: Config) -> None:
    """Make sure that the annotation files and frame folders are there.

    Raises:
        ReproductionError: If one is missing.
    """
    for name, dataset in _present(cfg.test_dataloader.dataset.datasets):
        root = Path(dataset.get("data_root", ""))
        frames = root / dataset.data_prefix.img
        for path in (root / dataset.ann_file, frames):
            if not path.exists():
                raise ReproductionError(
                    f"{name} needs {path}, which does not exist; give the folder above "
                    "it with --data-root (docs/datasets.md shows the tree), or other "
                    "datasets with --datasets"
                )


def withheld(cfg: Config, metrics: dict[str, float]) -> list[tuple[str, Path]]:
    """List the datasets without ground truth, with the submission of each.

    Args:
        cfg: The config of the test.
        metrics: What the test returned.
    """
    return [
        (name, Path(f"{metric.outfile_prefix}.zip"))
        for name, metric in _present(cfg.test_evaluator.metrics)
        if f"{name}/AP" not in metrics
    ]


def _present(entries: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    # A config takes a dataset out with None.
    return ((name, entry) for name, entry in entries.items() if entry is not None)


def _choose_datasets(cfg: Config, chosen: Sequence[str], row: PublishedRow) -> None:
    tested = cfg.test_dataloader.dataset.datasets
    missing = [name for name in chosen if tested.get(name) is None]
    if missing:
        raise ReproductionError(
            f"{row.name} has a number for {missing[0]}, on which {row.config} does not "
            "test"
        )
    for name in tested:
        if name not in chosen:
            tested[name] = cfg.test_evaluator.metrics[name] = None


def _move_data(cfg: Config, root: Path) -> None:
    def moved(path: str) -> str:
        inside = path.startswith(_CONFIG_ROOT)
        # Not Path: it would drop the slash at the end of a data_root.
        return os.path.join(root, path.removeprefix(_CONFIG_ROOT)) if inside else path

    for _, dataset in _present(cfg.test_dataloader.dataset.datasets):
        dataset.data_root = moved(dataset.get("data_root", ""))
    for _, metric in _present(cfg.test_evaluator.metrics):
        metric.ann_file = moved(metric.ann_file)
