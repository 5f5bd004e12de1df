"""From the name of a model to its config and a checkpoint that fits it."""

import hashlib
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import MMLogger

import tmt_vis
from tmt_vis.checkpoints import FetchError, Progress

from .configuration import published_config
from .downloads import downloads, fetch_weights, home
from .errors import ModelZooError
from .preparation import prepare_checkpoint
from .published import PublishedRow
from .released import ReleasedModel, find_model


@dataclass(frozen=True)
class NamedModel:
    """What a name stands for.

    Args:
        name: The name of the model.
        config: Its config, with the settings of its publication.
        checkpoint: Weights that load into it.
    """

    name: str
    config: Config
    checkpoint: Path


def open_model(
    name: str,
    *,
    accept_license: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
) -> NamedModel:
    """Get a released model: fetched, checked and converted the first time.

    Args:
        name: As ``released_models`` lists it, or the name of its config.
        accept_license: Whether the licence of its weights is accepted; that is asked
            once and remembered.
        progress: Called with the bytes that arrived and the bytes in all.
        say: Gets what was fetched and converted; the log by default.

    Returns:
        Config and checkpoint.

    Raises:
        ModelZooError: If there is no such model, its licence is not accepted, or it
            cannot be had; then the error holds the commands that get it by hand.
        CheckpointError: If its file is not what it should be.
    """
    model = find_model(name)
    cfg = published_config(model.row)
    if model.shipped is not None:
        if not model.shipped.is_file():
            raise ModelZooError(
                f"{model.row.name} ships as {model.shipped}, which does not exist; "
                "restore it (git checkout data/models), or install tmt-vis again"
            )
        return NamedModel(model.row.name, cfg, model.shipped)
    target = converted_path(model.row, cfg)
    if target.exists():
        return NamedModel(model.row.name, cfg, target)
    say = say or MMLogger.get_current_instance().info
    say(f"{model.row.name}: {model.row.source.title}, {model.row.source.licence}")
    try:
        file = fetch_weights(
            model.row, downloads(), accept_license=accept_license, progress=progress
        )
    except FetchError as error:
        raise ModelZooError(f"{error}. {by_hand(model.row, cfg)}") from error
    prepared = prepare_checkpoint(file, model.row, cfg, target)
    say("\n".join(prepared.report))
    return NamedModel(model.row.name, cfg, prepared.path)


def is_cached(model: ReleasedModel) -> bool:
    """Tell whether a model can be had without a download."""
    if model.shipped is not None:
        return model.shipped.is_file()
    return (downloads() / model.row.checkpoint.file_name).is_file()


def converted_path(row: PublishedRow, cfg: Config) -> Path:
    """Name the converted checkpoint of a row in the cache.

    The name changes with everything that the conversion depends on.
    """
    facts = dict(
        url=row.checkpoint.url,
        layout=row.checkpoint.layout,
        labels=row.checkpoint.labels,
        label_spaces=list(cfg.model.head.taxonomy.label_spaces),
        version=tmt_vis.__version__,
    )
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return home() / "models" / f"{row.name}-{digest[:8]}.pth"


def by_hand(row: PublishedRow, cfg: Config) -> str:
    """Spell out the two commands that put a model into the cache."""
    file = row.checkpoint
    source, target = downloads() / file.file_name, converted_path(row, cfg)
    fetch = ["curl", "-L", "--create-dirs", "-o", str(source), file.url]
    convert = ["tmt-vis", "convert-checkpoint", str(source), str(target)]
    convert += ["--arch", file.layout]
    convert += ["--label-spaces", *cfg.model.head.taxonomy.label_spaces]
    # mmdet's files name their categories, which counts for more than the table.
    if file.labels is not None and not file.layout.startswith("mmdet"):
        convert += ["--source-labels", file.labels]
    return f"By hand: {shlex.join(fetch)} && {shlex.join(convert)}"
