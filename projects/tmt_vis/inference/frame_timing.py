"""When frames are shown: one rate, or times of their own."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Rates of containers are rounded; a mean that differs by less is that of the container.
_SAME_RATE = 0.01


class FrameTiming(NamedTuple):
    """The rate of a video.

    Args:
        fps: Frames per second; with uneven times their mean.
        times: Seconds at which the frames are shown, the first at 0; None if ``fps``
            says it.
    """

    fps: float
    times: tuple[float, ...] | None = None


def timing_of(times: Sequence[float], fps: float) -> FrameTiming:
    """Find out whether one rate describes a video.

    It does as long as every frame lies within half an interval of where the rate puts
    it: a player shows the same picture then.

    Args:
        times: Seconds at which the frames are shown, as the file says.
        fps: The rate that the file announces.
    """
    shown = np.asarray(times, dtype=np.float64)
    if len(shown) < 2 or not (np.isfinite(shown).all() and (np.diff(shown) > 0).all()):
        return FrameTiming(fps)  # no times, or the decoder does not know them
    shown = shown - shown[0]
    mean = (len(shown) - 1) / shown[-1]
    rate = fps if abs(mean / fps - 1) < _SAME_RATE else float(mean)
    if np.abs(shown - np.arange(len(shown)) / mean).max() <= 0.5 / mean:
        return FrameTiming(rate)
    return FrameTiming(float(mean), tuple(shown.round(6).tolist()))
