"""Files that are either whole or absent."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from tmt_vis.files import replacing


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that a crash or a full disk leaves the previous one intact.

    Args:
        path: the file; missing parent folders are created.
        content: its new content.

    Raises:
        OSError: if the content cannot be written; nothing of it stays behind.
    """
    with replacing(path) as draft:
        draft.write_bytes(content)


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
