"""The config of a published model, with the settings of its publication."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config

from tmt_vis.command_line import ToolParser
from tmt_vis.engine import CfgOptions, apply_options, read_config

from .errors import ModelZooError
from .published import PublishedRow, TestSettings


def published_config(row: PublishedRow) -> Config:
    """Read the config of a row, with its options and the settings of its test.

    Args:
        row: What was published.

    Raises:
        ModelZooError: If the row has no config, or the settings find no place in it.
    """
    if row.config is None:
        raise ModelZooError(
            f"{row.name}: {row.method} is not hosted by this repository yet, so there "
            f"is nothing to run; its numbers are those of {row.source.url}"
        )
    cfg = read_config(row.config)
    merge_options(cfg, row.options)
    _apply_settings(cfg, row.test, list(row.published))
    return cfg


def merge_options(cfg: Config, options: Sequence[str]) -> None:
    """Apply ``KEY=VALUE`` as the command lines of MMEngine do."""
    if options:
        parser = ToolParser()
        parser.add_argument("--cfg-options", nargs="+", action=CfgOptions)
        changes = parser.parse_args(["--cfg-options", *options]).cfg_options
        apply_options(cfg, changes)


def _apply_settings(cfg: Config, test: TestSettings, datasets: Sequence[str]) -> None:
    resizing = {"scale": test.scale, "backend": test.backend}
    resizing = {key: value for key, value in resizing.items() if value is not None}
    tested = cfg.test_dataloader.dataset.datasets
    # A config takes a dataset out with None.
    for dataset in filter(None, map(tested.get, datasets)):
        found = list(_transforms(dataset.pipeline, "Resize"))
        if resizing and len(found) != 1:
            raise ModelZooError(
                f"the test pipeline must have one Resize to set {resizing}, got "
                f"{len(found)}"
            )
        for transform in found:
            transform.update(resizing)
    if test.tracks is not None:
        limits = cfg.model.head.test_cfg.max_per_video
        limits.update(dict.fromkeys(datasets, test.tracks))


def _transforms(pipeline: Sequence[Any], name: str) -> Iterator[Any]:
    for step in pipeline:
        if step["type"] == name:
            yield step
        yield from _transforms(step.get("transforms", ()), name)
