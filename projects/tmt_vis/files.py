"""Outputs that appear complete or not at all, and replace nothing of anybody else."""

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NAME_BYTES = 150  # of the 255 of a file name; drafts and endings need some, too
_TOKEN_END = "partial"
_RESERVED = '/\\:*?"<>|'


class OutputError(OSError):
    """An output that must not be written where it was asked for."""


class HeldError(OutputError):
    """An output that another process is working on."""


@contextmanager
def replacing(
    path: str | Path, *, is_ours: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Give a draft beside ``path`` that takes its place once all went well.

    If the block raises (a full disk, an interruption), the draft goes and what was at
    ``path`` stays. Each draft has a folder of its own, so that two processes with the
    same output do not meet; the last one that is complete stays. What killed processes
    left behind is removed.

    Args:
        path: A file or a folder; its parent is made if needed.
        is_ours: Tells whether the folder at ``path`` may be replaced by a folder. None
            refuses.

    Yields:
        A path with the same name, where nothing is yet.

    Raises:
        OutputError: If something else than a file, or a folder that is not ours, is at
            ``path``.
        OSError: If it cannot be written; it names ``path``.
    """
    path = Path(path)
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    _check_kind(path)
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _draft_folder(path) as folder:
            draft = folder / path.name
            yield draft
            if draft.is_dir():
                _replace_folder(draft, path, is_ours)
            elif path.is_dir():
                raise OutputError(f"{path} is a folder; name a file")
            else:
                _flush(draft)
                os.replace(draft, path)


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that a crash or a full disk leaves the previous one intact.

    Args:
        path: The file; missing parent folders are created.
        content: Its new content.

    Raises:
        OSError: If the content cannot be written; nothing of it stays behind.
    """
    with replacing(path) as draft:
        draft.write_bytes(content)


@contextmanager
def claimed(path: str | Path, *, wait: bool = False) -> Iterator[None]:
    """Keep other processes from working on the same output at the same time.

    A process that dies, however it dies, gives up its claims.

    Args:
        path: The output; its parent is made if needed.
        wait: Wait until no other process works on it.

    Raises:
        HeldError: If another process works on it; it says which.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{file_name(path.name)}.lock")
    descriptor = _lock_file(lock, path, wait=wait)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def file_name(text: str, *, default: str = "unnamed") -> str:
    """Make a text the name of one file or folder inside of another.

    Args:
        text: Any name, e.g. of a video.
        default: Stands for names of nothing but dots and blanks.

    Returns:
        The text without separators, control characters and what is no file name on
        other systems; a long one is cut and ends in a hash.
    """
    name = "".join("_" if c in _RESERVED or not c.isprintable() else c for c in text)
    if not name.strip(". "):
        return default
    raw = name.encode()
    if len(raw) <= _NAME_BYTES:
        return name
    digest = hashlib.sha256(raw).hexdigest()[:8]
    return f"{raw[: _NAME_BYTES - 9].decode(errors='ignore')}-{digest}"


def _check_kind(path: Path) -> None:
    """Refuse devices and pipes, which a rename would replace."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OutputError(f"{path} is neither a file nor a folder; name a new file")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let errors of the system name the output: a full disk says 'no space left'."""
    try:
        yield
    except OSError as error:
        inner = error.filename is None or f".{_TOKEN_END}" in str(error.filename)
        if error.errno is None or not inner:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _draft_folder(path: Path) -> Iterator[Path]:
    """Make a folder for one draft, locked as long as this process lives."""
    start = f".{file_name(path.name)}."
    _remove_dead_drafts(path.parent, start)
    while True:
        folder = path.with_name(f"{start}{secrets.token_hex(4)}.{_TOKEN_END}")
        folder.mkdir()
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # taken for a dead one before it was locked
            continue
        if _try_lock(descriptor) is not False and folder.exists():
            break
        os.close(descriptor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        os.close(descriptor)


def _remove_dead_drafts(parent: Path, start: str) -> None:
    """Remove drafts of this output that no process holds any more."""
    with os.scandir(parent) as entries:
        names = [e.name for e in entries if e.name.startswith(start)]
    for name in names:
        token, _, end = name[len(start) :].partition(".")
        if end != _TOKEN_END or len(token) != 8 or not (parent / name).is_dir():
            continue
        try:
            descriptor = os.open(parent / name, os.O_RDONLY)
        except OSError:  # gone meanwhile, or of another user
            continue
        if _try_lock(descriptor):
            shutil.rmtree(parent / name, ignore_errors=True)
        os.close(descriptor)


def _try_lock(descriptor: int, *, wait: bool = False) -> bool | None:
    """Lock if nobody else has; None where the file system knows no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _lock_file(lock: Path, path: Path, *, wait: bool) -> int:
    """Open and lock a file that says who works on ``path``."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        if _try_lock(descriptor, wait=wait) is False:
            holder = os.read(descriptor, 200).decode(errors="replace").strip()
            os.close(descriptor)
            raise HeldError(
                f"{path} is being written by {holder or 'another process'}; wait until "
                "it has ended, or choose another output"
            )
        try:
            same = os.path.samestat(os.fstat(descriptor), os.stat(lock))
        except FileNotFoundError:
            same = False
        if same:
            break
        os.close(descriptor)  # its holder has just ended and removed it
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    return descriptor


def _replace_folder(
    draft: Path, path: Path, is_ours: Callable[[Path], bool] | None
) -> None:
    """Put a folder in the place of nothing, of an empty folder or of one of ours."""
    if path.is_file():
        raise OutputError(f"{path} is a file; choose another folder")
    if not path.is_dir() or not any(path.iterdir()):
        os.replace(draft, path)
        return
    if is_ours is None or not is_ours(path):
        raise OutputError(
            f"{path} exists and holds something else than an earlier output, so it is "
            "not replaced; choose another folder"
        )
    old = draft.with_name("old")
    os.rename(path, old)
    try:
        os.rename(draft, path)
    except BaseException:
        os.rename(old, path)
        raise


def _flush(path: Path) -> None:
    """Wait until the disk has the file: some report only now that they are full."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
