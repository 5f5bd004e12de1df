"""Outputs that appear complete or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a draft beside ``path`` that takes its place once all went well.

    If the block raises (a full disk, an interruption), the draft goes and what was at
    ``path`` stays.

    Args:
        path: A file or a folder; its parent is made if needed.

    Yields:
        A path with the same ending, where nothing is yet.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A fixed name: what a killed run leaves behind is overwritten by the next one.
    draft = path.with_name(f".{path.stem}.partial{path.suffix}")
    _remove(draft)
    try:
        yield draft
        if draft.is_file():
            _flush(draft)
        elif path.is_dir():  # a folder takes the place of a folder, a file never does
            _remove(path)
        os.replace(draft, path)
    finally:
        _remove(draft)


def _flush(path: Path) -> None:
    """Wait until the disk has the file: some report only now that they are full."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
