"""Progress of long work, on a terminal and in a log file."""

import sys
import time
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

# Seconds between two lines of a log: a bar that is redrawn fills it with carriage
# returns.
LOG_INTERVAL = 10.0


def progress_bar(**kwargs: Any) -> tqdm:
    """Make a tqdm bar that writes seldom where nobody watches it move.

    Args:
        **kwargs: of ``tqdm``.
    """
    if not sys.stderr.isatty():
        kwargs.setdefault("mininterval", LOG_INTERVAL)
    return tqdm(**kwargs)


def show_download() -> Callable[[int, int | None], None]:
    """Return a function that keeps one line on the terminal up to date.

    It takes the bytes that arrived and the bytes in all.
    """
    last = [0.0]

    def show(done: int, total: int | None) -> None:
        now = time.monotonic()
        finished = done == total
        if finished or now - last[0] >= 1:
            last[0] = now
            of = "" if total is None else f" of {total / 2**20:.1f}"
            end = "\n" if finished or not sys.stderr.isatty() else "\r"
            print(f"downloading: {done / 2**20:.1f}{of} MiB", end=end, file=sys.stderr)

    return show
