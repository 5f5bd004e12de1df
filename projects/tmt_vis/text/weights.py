"""Say which weights and packages made a vector."""

import hashlib
import importlib
from collections.abc import Iterable
from pathlib import Path

_CHUNK = 1 << 20


def sha256_of_files(paths: Iterable[Path]) -> str:
    """Return 'sha256:' and the hex digest of files, read one after the other.

    Args:
        paths: At least one file.

    Returns:
        The digest; for a single file it is that of ``sha256sum``.
    """
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def package_versions(*names: str) -> dict[str, str]:
    """Return the ``__version__`` of packages that are importable.

    Args:
        names: Import names.

    Returns:
        Version per name.
    """
    return {name: str(importlib.import_module(name).__version__) for name in names}
