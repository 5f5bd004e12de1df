"""From a checkpoint of whatever origin to the weights of a config, without a gap."""

from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from tmt_vis.checkpoints import (
    ClassifierRowsError,
    conversion_bytes,
    convert,
    describe_conversion,
    matches,
    read_checkpoint,
)
from tmt_vis.files import write_atomically

from .published import PublicFile, PublishedRow


@dataclass(frozen=True)
class PreparedCheckpoint:
    """Weights that a runner can load.

    Args:
        path: The file to load: the given one if it is of this project, else its
            conversion.
        source: The given file.
        sha256: Of the given file.
        report: What was read, converted and left out.
        names: Names of its tensors.
    """

    path: Path
    source: Path
    sha256: str
    report: tuple[str, ...]
    names: tuple[str, ...]


def prepare_checkpoint(
    path: Path, row: PublishedRow, cfg: Config, converted: Path
) -> PreparedCheckpoint:
    """Convert a checkpoint for a config, if it is not one of this project.

    Args:
        path: The file.
        row: Which model it is.
        cfg: The config that will load it.
        converted: Where a conversion goes.

    Returns:
        What to load.

    Raises:
        CheckpointError: If it cannot be read or converted, or lacks a category of the
            config.
    """
    source = read_checkpoint(path)
    known = _compared(path, row.checkpoint)
    if any(key.startswith("head.") for key in source.weights):
        report = [f"{path.name}: a checkpoint of this project, sha256 {source.sha256}"]
        return PreparedCheckpoint(
            path, path, source.sha256, (*report, *known), tuple(source.weights)
        )
    file = row.checkpoint or PublicFile()
    result = convert(
        source,
        arch=file.layout,
        label_spaces=list(cfg.model.head.taxonomy.label_spaces),
        # Names in the file say more than the table can.
        source_labels=None if source.classes else file.labels,
    )
    if result.rows is not None and result.rows.missing:
        raise ClassifierRowsError(
            f"{path.name} has no classifier rows for "
            f"{', '.join(result.rows.missing[:5])}, which the config classifies: it "
            f"was trained on {result.rows.label_space}; {row.name} needs another file"
        )
    write_atomically(converted, conversion_bytes(result))
    report = describe_conversion(source, result)
    return PreparedCheckpoint(
        converted, path, source.sha256, (*report, *known), tuple(result.state_dict)
    )


def _compared(path: Path, file: PublicFile | None) -> list[str]:
    """Say whether the file is the released one, as far as its name tells."""
    if file is None or file.digest is None:
        return []
    algorithm, prefix = file.digest
    if matches(path, file.digest):
        return [f"the {algorithm} begins with {prefix}, as that of the released file"]
    return [
        f"NOT the released file: its {algorithm} does not begin with {prefix}; the "
        "published number belongs to other weights"
    ]
