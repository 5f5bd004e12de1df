"""A track's masks over a whole video as one run-length code.

T frames of H x W laid side by side are one image of H x (W*T). COCO run lengths go down
the columns, so this image is simply the frames one after the other, a tube is *one*
RLE, and the IoU of two tubes is the IoU of two images: no loop over frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from .frame_rle import compress_rle
from .run_lengths import (
    MAX_COCO_PIXELS,
    MAX_COCO_RUN,
    check_text,
    decode_counts,
    encode_counts,
)


@dataclass(frozen=True)
class TubeRLE:
    """Hold the binary masks of one object over T frames (True = object).

    A frame without object pixels and a frame without mask are the same thing: the
    object is absent there. ``to_frames`` writes both as None.

    Args:
        counts: Compressed COCO counts of the H x (W*T) image.
        height: H in pixels.
        width: W in pixels.
        num_frames: T, at least 1.

    Raises:
        ValueError: If a size is below 1 or ``counts`` are no compressed counts. Whether
            the runs fill the tube is checked when they are read.
    """

    counts: bytes
    height: int
    width: int
    num_frames: int

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.num_frames) < 1:
            raise ValueError(
                "a tube needs height, width and num_frames >= 1, got "
                f"{self.height}, {self.width}, {self.num_frames}"
            )
        if not isinstance(self.counts, bytes) or not self.counts:
            raise ValueError(
                "counts must be compressed COCO counts as non-empty bytes, got "
                f"{self.counts!r:.40}; encode text with .encode('ascii')"
            )
        check_text(self.counts)

    @classmethod
    def from_masks(cls, masks: np.ndarray) -> TubeRLE:
        """Encode the masks of one object.

        Costs no copy if the memory is already column-major per frame, i.e. if ``masks``
        is the (0, 2, 1) transpose of a contiguous (T, W, H) array.

        Args:
            masks: (T, H, W) bool, True = object.

        Raises:
            ValueError: If ``masks`` is empty or not a 3-d boolean array.
        """
        masks = np.asarray(masks)
        if masks.ndim != 3 or masks.dtype != np.bool_ or not masks.size:
            raise ValueError(
                f"masks must be a non-empty (T, H, W) bool array, got {masks.dtype} "
                f"of shape {masks.shape}; threshold logits first (masks = logits > 0)"
            )
        num_frames, height, width = masks.shape
        switches = [
            mask_switches(mask, offset=frame * height * width)
            for frame, mask in enumerate(masks)
        ]
        return cls.from_switches(
            np.concatenate(switches), height, width, num_frames=num_frames
        )

    @classmethod
    def from_frames(
        cls, frames: Sequence[dict[str, Any] | None], height: int, width: int
    ) -> TubeRLE:
        """Join per-frame COCO RLEs, as in official annotation and result files.

        Args:
            frames: T entries, None where the object is absent, else
                ``dict(size=[H, W], counts=...)`` with compressed (str or bytes) or
                uncompressed (list) counts.
            height: H in pixels.
            width: W in pixels.

        Raises:
            ValueError: If there is no frame, a frame has another size or its runs do
                not fill H*W pixels.
        """
        if not frames:
            raise ValueError("a tube needs at least one frame, got an empty list")
        empty = encode_counts(np.array([height * width]))[0]
        texts = [
            empty if rle is None else _compressed_counts(rle, height, width, frame=t)
            for t, rle in enumerate(frames)
        ]
        runs, lengths = decode_counts(texts)
        ends = np.cumsum(runs)
        borders = np.arange(1, len(frames) + 1) * (height * width)
        # Runs near 2**59 could reach the right end by wrapping around.
        wrong = ends[np.cumsum(lengths) - 1] != borders
        wrong |= np.maximum.reduceat(runs, np.cumsum(lengths) - lengths) > borders[0]
        if wrong.any():
            bad = int(np.argmax(wrong))
            raise ValueError(
                f"the runs of frame {bad} do not add up to {height} x {width} pixels"
            )
        # A frame ends in background. Its last run is dropped if it is background; if it
        # is object, its end stays as the switch back to background.
        dropped = (np.cumsum(lengths) - 1)[lengths % 2 == 1]
        return cls.from_switches(
            np.delete(ends, dropped), height, width, num_frames=len(frames)
        )

    @classmethod
    def concat(cls, tubes: Sequence[TubeRLE]) -> TubeRLE:
        """Join consecutive tubes of equal H, W to one.

        Raises:
            ValueError: If there is no tube or the frame sizes differ.
        """
        if len({(tube.height, tube.width) for tube in tubes}) != 1:
            sizes = sorted({(tube.height, tube.width) for tube in tubes})
            raise ValueError(f"concat needs tubes of one H x W, got {sizes}")
        if len(tubes) == 1:
            return tubes[0]
        switches, start = [], 0
        for tube in tubes:
            inner = tube._switches()
            end = tube.num_frames * tube.height * tube.width
            close = [end] if len(inner) % 2 else []
            switches.append(np.concatenate([inner, close]).astype(np.int64) + start)
            start += end
        return cls.from_switches(
            np.concatenate(switches),
            tubes[0].height,
            tubes[0].width,
            num_frames=sum(tube.num_frames for tube in tubes),
        )

    def part(self, start: int, stop: int) -> TubeRLE:
        """Cut frames ``start`` to ``stop`` (excluded) out.

        Raises:
            ValueError: Unless ``0 <= start < stop <= num_frames``.
        """
        if not 0 <= start < stop <= self.num_frames:
            raise ValueError(
                f"part needs 0 <= start < stop <= {self.num_frames}, got "
                f"{start}, {stop}"
            )
        pixels = self.height * self.width
        first, last = start * pixels, stop * pixels
        switches = self._switches()
        inside = switches[(switches > first) & (switches < last)] - first
        if np.searchsorted(switches, first, side="right") % 2:
            inside = np.concatenate([[0], inside])
        return self.from_switches(
            inside, self.height, self.width, num_frames=stop - start
        )

    def split(self) -> list[TubeRLE]:
        """Cut into consecutive parts that pycocotools can read (below 2**29 pixels).

        A part has at least one frame, whatever its size.
        """
        step = max(1, MAX_COCO_RUN // (self.height * self.width))
        if step >= self.num_frames:
            return [self]
        borders = [*range(0, self.num_frames, step), self.num_frames]
        return [self.part(a, b) for a, b in zip(borders[:-1], borders[1:], strict=True)]

    def to_frames(self) -> list[dict[str, Any] | None]:
        """Write one compressed COCO RLE per frame, None where the object is absent.

        Returns:
            T entries, None or ``dict(size=[H, W], counts=str)``; JSON ready.
        """
        pixels = self.height * self.width
        switches = self._switches()
        starts = np.arange(self.num_frames) * pixels
        inside = switches[(switches % pixels) != 0]
        is_object = np.searchsorted(switches, starts, side="right") % 2 == 1
        # Ends before starts: at a border, the frame on the left closes first.
        points = np.concatenate([starts + pixels, starts[is_object], inside])
        order = np.argsort(points, kind="stable")
        last = np.flatnonzero(order < self.num_frames)
        runs = np.diff(points[order], prepend=0)
        texts = encode_counts(runs, np.diff(last, prepend=-1))
        size = [self.height, self.width]
        return [
            {"size": list(size), "counts": text.decode("ascii")} if area else None
            for text, area in zip(texts, self.frame_areas(), strict=True)
        ]

    def decode(self) -> np.ndarray:
        """Decode the masks.

        Returns:
            (T, H, W) bool, True = object; a transposed view of (T, W, H) memory.
        """
        shape = (self.num_frames, self.width, self.height)
        if self.is_coco_readable:
            columns = coco_mask.decode(self.as_coco()).T  # (T*W, H)
        else:
            columns = np.concatenate([part._columns() for part in self.split()])
        return columns.view(np.bool_).reshape(shape).transpose(0, 2, 1)

    @property
    def area(self) -> int:
        """Count the object pixels of all frames (64 bit)."""
        return int(self._run_lengths()[1::2].sum())

    def frame_areas(self) -> np.ndarray:
        """Count the object pixels of each frame.

        Returns:
            (T,) int64.
        """
        return frame_areas([self])[0]

    def as_coco(self) -> dict[str, Any]:
        """Return the H x (W*T) image as a pycocotools RLE.

        Raises:
            ValueError: Unless ``is_coco_readable``; ``split`` it first.
        """
        if not self.is_coco_readable:
            raise ValueError(
                f"pycocotools counts up to {MAX_COCO_PIXELS} pixels in runs of up to "
                f"{MAX_COCO_RUN}, got {self._num_pixels} and {self._longest_run}; "
                "use split() and treat the parts one by one"
            )
        size = [self.height, self.width * self.num_frames]
        return {"size": size, "counts": self.counts}

    @property
    def is_coco_readable(self) -> bool:
        """Whether pycocotools reads these counts right.

        A gap of 2**29 pixels, 259 frames of 1080p, is too long for it.

        Raises:
            ValueError: If the runs do not fill the tube.
        """
        return self._longest_run <= MAX_COCO_RUN and self._num_pixels <= MAX_COCO_PIXELS

    @property
    def _num_pixels(self) -> int:
        return self.height * self.width * self.num_frames

    @cached_property
    def _longest_run(self) -> int:
        # Known where the tube was encoded here; other counts are checked on first use.
        return int(self._run_lengths().max())

    def _columns(self) -> np.ndarray:
        """Decode to (T*W, H) uint8."""
        if self.is_coco_readable:
            return coco_mask.decode(self.as_coco()).T
        # A single frame of 2**29 pixels or more.
        runs = self._run_lengths()
        is_object = np.arange(len(runs), dtype=np.uint8) & 1
        return np.repeat(is_object, runs).reshape(-1, self.height)

    def object_runs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where the object begins and ends, counted down the columns.

        Returns:
            Two (R,) int64 arrays, increasing: first pixels, and those behind the last.
        """
        runs = self._run_lengths()
        ends = np.cumsum(runs)[1::2]
        return ends - runs[1::2], ends

    def _run_lengths(self) -> np.ndarray:
        """Return the (R,) int64 run lengths, checked to fill the tube."""
        runs = decode_counts([self.counts])[0]
        # As floats, too: runs near 2**59 could reach the right sum by wrapping around.
        self._check_filled(int(max(runs.sum(), runs.sum(dtype=np.float64))))
        return runs

    def _check_filled(self, filled: int) -> None:
        if filled != self._num_pixels:
            raise ValueError(
                f"counts fill {filled} pixels but the tube has {self.num_frames} "
                f"frames of {self.height} x {self.width}"
            )

    def _switches(self) -> np.ndarray:
        """Return the positions where background and object change, increasing."""
        return _cancel_pairs(np.cumsum(self._run_lengths())[:-1])

    @classmethod
    def from_switches(
        cls, switches: np.ndarray, height: int, width: int, *, num_frames: int
    ) -> TubeRLE:
        """Encode the positions where background and object change.

        Args:
            switches: (S,) pixels of the H x (W*T) image, column by column, in any
                order; a position given twice is none.
            height: H in pixels.
            width: W in pixels.
            num_frames: T.
        """
        total = height * width * num_frames
        switches = _cancel_pairs(switches)
        switches = switches[switches < total]
        runs = np.diff(np.concatenate([[0], switches, [total]]))
        tube = cls(encode_counts(runs)[0], height, width, num_frames)
        tube.__dict__["_longest_run"] = int(runs.max())
        return tube


def mask_switches(mask: np.ndarray, *, offset: int = 0) -> np.ndarray:
    """Return where background and object change in one frame, column by column.

    Costs no copy if the memory is column-major already; otherwise only the columns that
    the object touches are looked at (720p: 0.45 of the time if they are a sixth, a
    tenth more if they are two thirds or more).

    Args:
        mask: (H, W) bool, True = object, not empty.
        offset: added to all positions: the pixels of earlier frames.

    Returns:
        (S,) int64, increasing, S even: an object that touches the last pixel ends
        behind it.
    """
    first_column, mask = _touched(mask)
    offset += first_column * len(mask)
    flat = _columns(mask).ravel()
    inside = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    first, last = [0] * int(flat[0]), [flat.size] * int(flat[-1])
    return np.concatenate([first, inside, last]).astype(np.int64) + offset


def encode_tubes(masks: np.ndarray) -> list[TubeRLE]:
    """Encode the masks of N objects.

    Args:
        masks: (N, T, H, W) bool, True = object.

    Raises:
        ValueError: If ``masks`` is not a 4-d boolean array.
    """
    masks = np.asarray(masks)
    if masks.ndim != 4:
        raise ValueError(f"masks must be (N, T, H, W), got shape {masks.shape}")
    return [TubeRLE.from_masks(tube) for tube in masks]


def frame_areas(tubes: Sequence[TubeRLE]) -> list[np.ndarray]:
    """Count the object pixels of each frame, for all tubes in one go.

    Args:
        tubes: N tubes of any sizes.

    Returns:
        N arrays (T,) int64.

    Raises:
        ValueError: If the runs of a tube do not fill it.
    """
    if not tubes:
        return []
    runs, lengths = decode_counts([tube.counts for tube in tubes])
    firsts = np.cumsum(lengths) - lengths
    for tube, filled in zip(tubes, np.add.reduceat(runs, firsts), strict=True):
        tube._check_filled(int(filled))
    # The tubes behind each other are one long row of pixels.
    ends = np.cumsum(runs)
    is_object = (np.arange(len(runs)) - np.repeat(firsts, lengths)) % 2 == 1
    objects = np.where(is_object, runs, 0)
    before = np.cumsum(objects) - objects
    frames = [tube.num_frames for tube in tubes]
    pixels = np.repeat([tube.height * tube.width for tube in tubes], frames)
    borders = np.concatenate([[0], np.cumsum(pixels)])
    run = np.minimum(np.searchsorted(ends, borders, side="right"), len(runs) - 1)
    within = np.where(is_object[run], borders - (ends - runs)[run], 0)
    return np.split(np.diff(before[run] + within), np.cumsum(frames)[:-1])


def frame_masks(
    tubes: Sequence[TubeRLE], *, height: int, width: int, num_frames: int
) -> Iterator[np.ndarray]:
    """Decode tubes frame by frame, in time and memory linear in the video.

    Cutting one frame after the other out of a tube (``part``) reads all of its runs
    each time.

    Args:
        tubes: N tubes of one size, possibly none.
        height: H in pixels.
        width: W in pixels.
        num_frames: T of the tubes.

    Yields:
        (N, H, W) bool for each frame, True = object.

    Raises:
        ValueError: If a tube is of another size.
    """
    for tube in tubes:
        if (tube.height, tube.width, tube.num_frames) != (height, width, num_frames):
            raise ValueError(
                f"tubes must be {height} x {width} over {num_frames} frames, got "
                f"{tube.height} x {tube.width} over {tube.num_frames}"
            )
    per_tube = [tube.to_frames() for tube in tubes]
    for number in range(num_frames):
        masks = np.zeros((len(tubes), height, width), dtype=bool)
        for row, frames in enumerate(per_tube):
            if frames[number] is not None:
                masks[row] = coco_mask.decode(frames[number])
        yield masks


def _cancel_pairs(positions: np.ndarray) -> np.ndarray:
    """Drop positions that occur an even number of times: two switches are none."""
    unique, times = np.unique(positions, return_counts=True)
    return unique[times % 2 == 1].astype(np.int64)


def _touched(mask: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the first column of an object, and its columns; wide ones are not cut."""
    if mask.T.flags.c_contiguous:
        return 0, mask
    # Some rows tell what is wide, at once.
    for rows in (mask[32::64], mask):
        columns = np.flatnonzero(rows.any(axis=0))
        left, right = (columns[0], columns[-1] + 1) if len(columns) else (0, 1)
        if 3 * (right - left) > 2 * mask.shape[1]:
            return 0, mask
    return int(left), mask[:, left:right]


def _columns(mask: np.ndarray) -> np.ndarray:
    """Return (H, W) bool as contiguous (W, H) uint8."""
    mask = mask.view(np.uint8)
    if mask.T.flags.c_contiguous:
        return mask.T
    return cv2.transpose(mask)  # 0.05 ms for 720p, NumPy's copy 0.5


def _compressed_counts(
    rle: dict[str, Any], height: int, width: int, *, frame: int
) -> bytes:
    """Check the form of one frame's RLE and return its counts as bytes."""
    try:
        return compress_rle(rle, height, width)
    except ValueError as error:
        raise ValueError(f"frame {frame}: {error}") from error
