"""Progress of long work, on a terminal and in a log file."""

import sys
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
