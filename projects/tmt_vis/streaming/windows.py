"""Which frames are looked at together, as a pure function of the frame count."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Window:
    """Frames ``start`` to ``stop`` (excluded) of a video."""

    start: int
    stop: int

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return self.stop - self.start


@dataclass(frozen=True)
class WindowPlan:
    """Cut a video of unknown length into overlapping windows.

    A window ends after ``length`` frames and then after every ``stride`` new ones. The
    last one ends with the video.

    Args:
        length: Frames of a window, W.
        overlap: Frames a window shares with the one before, O; a full last window of a
            video may share more.
        last: ``full``: the last window reaches back over ``length`` frames like the
            others, so no object is judged by the two frames that were left over.
            ``short``: it shares as many frames as the others and may be shorter, so
            that a model with a memory sees no frame twice.

    Raises:
        ValueError: Unless ``0 <= overlap < length``, or on another ``last``.
    """

    length: int = 36
    overlap: int = 6
    last: Literal["full", "short"] = "full"

    def __post_init__(self) -> None:
        if self.last not in ("full", "short"):
            raise ValueError(f"last must be 'full' or 'short', got {self.last!r}")
        if not 0 <= self.overlap < self.length:
            raise ValueError(
                f"windows need 0 <= overlap < length, got length {self.length} and "
                f"overlap {self.overlap}"
            )

    @property
    def stride(self) -> int:
        """New frames of every window but the first."""
        return self.length - self.overlap

    def ends_at(self, num_frames: int) -> bool:
        """Tell whether a window ends after this many frames, however long the video."""
        beyond = num_frames - self.length
        return beyond >= 0 and beyond % self.stride == 0

    def window(self, stop: int, previous_stop: int) -> Window:
        """Return the window that ends at a frame.

        Args:
            stop: End of a full window, or of the video.
            previous_stop: End of the window before; 0 for the first one.
        """
        if self.last == "full" or not previous_stop:
            return Window(max(0, stop - self.length), stop)
        return Window(max(0, previous_stop - self.overlap), stop)

    def restart_frame(self, num_done: int) -> int:
        """Return where reading must begin when the first windows are there already.

        It is an earlier end of a window (or 0), because frames pass the backbone in
        chunks that begin anew there, and the last bits of a feature depend on the
        chunk. So a resumed run equals an unbroken one.

        Args:
            num_done: Windows that are not needed any more.
        """
        # One window further back than the next full one: a full last window of the
        # video may reach back by as much.
        needed = (num_done - (self.last == "full")) * self.stride
        if needed < self.length:
            return 0
        return self.length + (needed - self.length) // self.stride * self.stride


def border_between(earlier: Window, later: Window) -> int:
    """Return the first frame that is taken from the later of two windows.

    They share their overlap half and half, so that each frame is taken from the window
    in which it lies deeper.
    """
    return (later.start + earlier.stop + 1) // 2
