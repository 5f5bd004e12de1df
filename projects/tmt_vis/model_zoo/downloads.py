"""Released files in one folder, with the licences that were accepted for them."""

import json
import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from tmt_vis.checkpoints import Progress, fetch
from tmt_vis.files import claimed, write_atomically

from .errors import LicenceError
from .published import PublishedRow, Source

_LICENCES = "licences.json"


def home() -> Path:
    """Return the folder of downloads: ``$TMT_VIS_HOME``, or ``~/.cache/tmt_vis``."""
    chosen = os.environ.get("TMT_VIS_HOME")
    return Path(chosen or "~/.cache/tmt_vis").expanduser()


def downloads() -> Path:
    """Return the folder that released files are kept in, unless told otherwise."""
    return home() / "downloads"


def fetch_weights(
    row: PublishedRow,
    folder: Path,
    *,
    accept_license: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Download the released file of a row once, if its licence is accepted.

    Acceptance is asked for once per source and folder. A file that lies there already
    was fetched by the user, who does not have to accept anything here.

    Args:
        row: A row with an address.
        folder: Where files and accepted licences are kept.
        accept_license: Whether the user accepts the licence now.
        progress: Called with the bytes that arrived and the bytes in all.

    Returns:
        The file.

    Raises:
        LicenceError: If the licence was not accepted.
        FetchError: If the file cannot be had, or has another digest.
        OutputError: If another process fetches it at the moment.
    """
    file = row.checkpoint
    path = folder / file.file_name
    if row.source.accept and not path.exists():
        _check_licence(row, folder, accept_license)
    extra = {} if progress is None else {"progress": progress}
    if path.exists():
        return fetch(file.url, folder, digest=file.digest)
    with claimed(path):  # two processes would append to the same part
        return fetch(file.url, folder, digest=file.digest, **extra)


def licence_accepted(source: Source, folder: Path) -> bool:
    """Tell whether the licence of a source was accepted, or needs no acceptance."""
    return not source.accept or _key(source) in _accepted(folder)


def _check_licence(row: PublishedRow, folder: Path, accept: bool) -> None:
    source = row.source
    if licence_accepted(source, folder):
        return
    if not accept:
        raise LicenceError(
            f"the weights of {row.name} ({source.title}) are under {source.licence} "
            f"({source.licence_url}): for non-commercial use, not to be passed on "
            "from here. Give --accept-license (accept_license=True) once to fetch them "
            "for yourself, or name your own copy with --checkpoint FILE"
        )
    known = {
        **_accepted(folder),
        _key(source): dict(
            licence=source.licence,
            url=source.licence_url,
            accepted=date.today().isoformat(),
        ),
    }
    write_atomically(folder / _LICENCES, json.dumps(known, indent=1).encode())


def _key(source: Source) -> str:
    """Name what was accepted: another licence of the same source is another matter."""
    return f"{source.title}: {source.licence}"


def _accepted(folder: Path) -> Mapping[str, Any]:
    path = folder / _LICENCES
    if not path.exists():
        return {}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LicenceError(
            f"{path} must be the JSON of accepted licences, got {error}; remove it and "
            "accept them again"
        ) from error
    if not isinstance(known, dict):
        raise LicenceError(
            f"{path} must hold a JSON object, got {type(known).__name__}; remove it "
            "and accept the licences again"
        )
    return known
