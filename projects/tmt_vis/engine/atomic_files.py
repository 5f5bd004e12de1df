"""Checkpoints of mmengine as files that are either whole or absent."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from tmt_vis.files import write_atomically


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
