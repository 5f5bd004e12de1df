"""Files that are either whole or absent."""

import os
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that a crash or a full disk leaves the previous one intact.

    Args:
        path: the file; missing parent folders are created.
        content: its new content.

    Raises:
        OSError: if the content cannot be written; nothing of it stays behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A fixed name: what a killed run leaves behind is overwritten by the next one.
    partial = path.with_name(f".{path.name}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(content)
            file.flush()
            # Without it the new name can reach the disk before the data does.
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


class AtomicLocalBackend(LocalBackend):
    """mmengine's local files, written whole or not at all.

    Select it with `backend_args=dict(backend='atomic_local')`.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes with `write_atomically`.

        Args:
            obj: the content.
            filepath: the file.
        """
        write_atomically(filepath, obj)


register_backend("atomic_local", AtomicLocalBackend)
