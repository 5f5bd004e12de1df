"""Serve the page until it is interrupted; nothing of it stays on the disk."""

import fcntl
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .limits import Limits
from .models import ModelShelf
from .visitors import Visitors

_PREFIX = "tmt_vis_web."
_SWEEP = 60.0  # seconds between two looks for visitors who went away
_log = logging.getLogger(__name__)


def serve(
    shelf: ModelShelf, *, host: str, port: int, limits: Limits, sample: Path
) -> None:
    """Serve the page.

    Args:
        shelf: The models to pick from.
        host: Address to listen at; ``127.0.0.1`` is this machine only.
        port: Port to listen at; 0 takes a free one.
        limits: What a visitor may ask for.
        sample: A video that ships.

    Raises:
        OSError: If the port is taken.
    """
    with scratch_folder() as folder:
        # Before Gradio is imported. It asks servers for news otherwise.
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")
        os.environ["HF_HUB_OFFLINE"] = "1"
        from .application import listen

        visitors = Visitors(folder, limits)
        ended = threading.Event()
        threading.Thread(target=_sweep, args=(visitors, ended), daemon=True).start()
        try:
            listen(shelf, visitors, sample, host=host, port=port)
        finally:
            ended.set()
            visitors.close_all()


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder for all files of a server, and remove those of servers killed.

    Args:
        parent: Where; None takes the folder for temporary files.
    """
    parent = parent or Path(tempfile.gettempdir())
    for folder in parent.glob(f"{_PREFIX}*"):
        _remove_dead(folder)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_dead(folder: Path) -> None:
    """Remove a folder that no process holds."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError:  # of another user, or gone meanwhile
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)


def _sweep(visitors: Visitors, ended: threading.Event) -> None:
    while not ended.wait(_SWEEP):
        visitors.close_idle()
