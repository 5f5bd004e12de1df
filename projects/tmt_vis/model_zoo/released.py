"""Models by name: those of the published table with weights, and what ships here."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from tmt_vis_command import shipped

from tmt_vis.taxonomy import data_root

from .errors import ModelZooError
from .published import PublishedRow, PublishedTable, Source
from .published_file import load_published

# The folder of data/ with the checkpoints that ship, and what metafiles call it.
_MODELS = "models"
_SHIPPED = f"data/{_MODELS}/"
_OURS = Source(
    title="this repository",
    url="https://www.apache.org/licenses/LICENSE-2.0",
    licence="Apache-2.0",
)


@dataclass(frozen=True)
class ReleasedModel:
    """A model that can be had by its name.

    Args:
        row: What was published of it, and the address of its file.
        shipped: Its checkpoint, if that comes with the package.
        other_names: Further names: that of its config in the model index.
    """

    row: PublishedRow
    shipped: Path | None = None
    other_names: tuple[str, ...] = ()

    @property
    def datasets(self) -> tuple[str, ...]:
        """What it was trained on."""
        file = self.row.checkpoint
        labels = (file.labels,) if file is not None and file.labels else ()
        return self.row.trained_on or labels


@cache
def released_models() -> dict[str, ReleasedModel]:
    """List the models that can be had by name, what ships first.

    Raises:
        FileNotFoundError: If the configs are neither in a checkout nor installed.
        PublishedTableError: If the table of published results is malformed.
    """
    configs = shipped("configs")
    table = load_published(configs / "published_results.yml")
    entries = list(_metafile_entries(configs))
    return dict(_shipped_models(entries)) | dict(_public_models(table, entries))


def find_model(name: str) -> ReleasedModel:
    """Look a model up.

    Args:
        name: Its name, or that of its config, as ``tools/infer.py --list-models``.

    Raises:
        ModelZooError: If no model with weights has this name.
    """
    models = released_models()
    if name in models:
        return models[name]
    for model in models.values():
        if name in model.other_names:
            return model
    configs = {entry["Name"] for entry in _metafile_entries(shipped("configs"))}
    if name in configs:
        raise ModelZooError(
            f"{name} has a config but no released weights; train it, or choose a name "
            "of `tmt-vis infer --list-models`"
        )
    similar = get_close_matches(name, models, n=3, cutoff=0.3) or list(models)[:3]
    raise ModelZooError(
        f"no released model has the name {name!r}; similar ones are "
        f"{', '.join(similar)}; `tmt-vis infer --list-models` shows all {len(models)}"
    )


def _metafile_entries(configs: Path) -> Iterator[dict[str, Any]]:
    """Read the models of all metafiles; ``Config`` becomes a path."""
    for path in sorted(configs.glob("*/metafile.yml")):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["Models"]:
            config = configs / entry["Config"].removeprefix("configs/")
            yield {**entry, "Config": config}


def _shipped_models(
    entries: list[dict[str, Any]],
) -> Iterator[tuple[str, ReleasedModel]]:
    for entry in entries:
        weights = entry.get("Weights", "")
        if weights.startswith(_SHIPPED):
            file = data_root() / _MODELS / weights.removeprefix(_SHIPPED)
            about = entry["Metadata"]
            row = PublishedRow(
                name=entry["Name"],
                method=entry["In Collection"],
                backbone=about["Backbone"],
                source=_OURS,
                published={r["Dataset"]: r["Metrics"] for r in entry["Results"]},
                tolerances={},
                config=entry["Config"],
                trained_on=tuple(about["Training Data"]),
                parameters=about["Parameters"] / 1e6,
            )
            yield row.name, ReleasedModel(row, file, (entry["Config"].stem,))


def _public_models(
    table: PublishedTable, entries: list[dict[str, Any]]
) -> Iterator[tuple[str, ReleasedModel]]:
    names = {entry["Config"]: entry["Name"] for entry in entries}
    for row in table.rows.values():
        if row.config is None or row.checkpoint is None or not row.checkpoint.url:
            continue
        # The first row of a config is what the config's name stands for.
        name = names.pop(row.config, None)
        yield row.name, ReleasedModel(row, None, (name,) if name else ())
