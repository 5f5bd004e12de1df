"""Get a released file once, whole and with the digest its name promises."""

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from .digests import hash_of
from .errors import CheckpointError

# Bytes that arrived, bytes in all (None if the server does not say).
Progress = Callable[[int, int | None], None]
_CHUNK = 1 << 20
_TIMEOUT = 60  # seconds without a byte


class FetchError(CheckpointError):
    """A file could not be had, or is not the one that was asked for."""


def fetch(
    url: str,
    folder: Path,
    *,
    digest: tuple[str, str] | None = None,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Download a file, unless it is there already.

    What arrived of an interrupted download stays in ``NAME.part`` and is continued.

    Args:
        url: Its address.
        folder: Where it goes; its name is the last part of the address.
        digest: Algorithm of ``hashlib`` and first digits, if they are known.
        progress: Called with the bytes that arrived and the bytes in all.

    Returns:
        The file.

    Raises:
        FetchError: If it cannot be had, or has another digest.
    """
    path = folder / url.rsplit("/", 1)[-1]
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        try:
            _download(url, part, progress)
        except (OSError, http.client.HTTPException) as error:
            raise FetchError(
                f"cannot download {url} ({_reason(error)}). Run it again to go on, or "
                f"get the file in another way and put it at {path}, or name it with "
                "--checkpoint FILE"
            ) from error
        _check(part, digest, "it was removed: run it again")
        os.replace(part, path)
    else:
        _check(path, digest, f"remove {path} and run it again")
    return path


def matches(path: Path, digest: tuple[str, str]) -> bool:
    """Tell whether a file has the digest that is known of it.

    Args:
        path: The file.
        digest: Algorithm of ``hashlib`` and first digits.
    """
    algorithm, prefix = digest
    return hash_of(path, algorithm=algorithm).startswith(prefix)


def _check(path: Path, digest: tuple[str, str] | None, remedy: str) -> None:
    if digest is None or matches(path, digest):
        return
    algorithm, prefix = digest
    found = hash_of(path, algorithm=algorithm)[: len(prefix)]
    if path.suffix == ".part":
        path.unlink()  # or the next attempt would go on with it
    raise FetchError(
        f"the {algorithm} of {path.name.removesuffix('.part')} must begin with "
        f"{prefix}, as its name says, got {found}; {remedy}, or name a file with "
        "--checkpoint FILE"
    )


def _download(url: str, part: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "tmt-vis"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        return  # nothing after what we have: it is complete
    with response:
        if response.status != 206:  # the server begins at the beginning
            have = 0
        length = response.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        with open(part, "ab" if have else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                progress(have, total)
    if total is not None and have < total:
        raise ConnectionError(f"it ended after {have:,} of {total:,} bytes")


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return f"{type(error).__name__}: {reason}"
