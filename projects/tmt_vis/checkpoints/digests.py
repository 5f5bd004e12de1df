"""Digests of files, to say which file a result came from."""

import hashlib
from pathlib import Path


def hash_of(path: Path, algorithm: str = "sha256") -> str:
    """Hash a file.

    Args:
        path: The file.
        algorithm: A name of ``hashlib``.

    Returns:
        The digest, in hex.
    """
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()
