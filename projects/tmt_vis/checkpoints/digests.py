"""Digests of files, to say which file a result came from."""

import hashlib
from pathlib import Path


def hash_of(*paths: Path, algorithm: str = "sha256") -> str:
    """Hash a file, or the content of several in a row.

    Args:
        *paths: The files.
        algorithm: A name of ``hashlib``.

    Returns:
        The digest, in hex.
    """
    digest = hashlib.new(algorithm)
    for path in paths:
        with open(path, "rb") as file:
            while chunk := file.read(1 << 22):
                digest.update(chunk)
    return digest.hexdigest()
