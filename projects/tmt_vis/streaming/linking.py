"""Which object of a window is which object of the windows before."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from tmt_vis.structures import TubeRLE, tube_iou

from .window_prediction import WindowPrediction
from .windows import Window, border_between


@dataclass(frozen=True)
class LinkOptions:
    """When two windows show the same object.

    Args:
        embed_weight: Share of the embeddings' cosine in the similarity of two objects
            that are visible in the frames both windows show; the rest is the IoU of
            their tubes there.
        min_similarity: Such a pair must be more similar than this. At the defaults,
            tubes that do not overlap at all are never one object.
        min_return_cosine: What the cosine must exceed where there are no common frames
            to compare: for an object that returns, or that is not visible in any.
        memory_windows: Windows after which an unseen object is forgotten.

    Raises:
        ValueError: If a number is out of its range.
    """

    embed_weight: float = 0.5
    min_similarity: float = 0.5
    min_return_cosine: float = 0.8
    memory_windows: int = 10

    def __post_init__(self) -> None:
        if not 0 <= self.embed_weight <= 1 or self.memory_windows < 1:
            raise ValueError(
                "linking needs 0 <= embed_weight <= 1 and memory_windows >= 1, got "
                f"{self.embed_weight} and {self.memory_windows}"
            )
        if self.min_similarity <= 0 or self.min_return_cosine <= 0:
            raise ValueError(
                "min_similarity and min_return_cosine must be above 0, got "
                f"{self.min_similarity} and {self.min_return_cosine}"
            )


@dataclass(frozen=True, eq=False)
class LinkedObject:
    """An object of the whole video.

    Args:
        slot_probs: (slots,) float32 class probabilities, aggregated over the windows
            the object was seen in.
        tube: Its masks over all frames.
        identity: Its number among all objects of the video, from 0.
        quality: Mean foreground probability of its masks, by which its scores are
            multiplied: 0 without a pixel; 1 for a model that does not measure it.
    """

    slot_probs: np.ndarray
    tube: TubeRLE
    identity: int = 0
    quality: float = 1.0


class TrackLinker:
    """Give the objects of consecutive windows lasting identities.

    Objects of the previous window come first: they are assigned one-to-one (Hungarian)
    by embedding cosine and by tube IoU in the frames both windows show. What is left
    over is compared by cosine alone with the objects that have no common frame to be
    judged by, among them those last seen some windows ago. What is still left over is
    new.

    Where windows overlap, each frame is taken from the window it lies deeper in, so
    the masks of a frame always come from one window.

    A model that tracks from frame to frame says itself which object is which, and is
    believed, also when it takes a track back.

    Args:
        options: Thresholds and memory.
        aggregate: How the class probabilities of an object are put together: ``mean``,
            each window weighted by the frames it contributes, or ``max`` (GenVIS).

    Raises:
        ValueError: On another ``aggregate``.
    """

    def __init__(
        self,
        options: LinkOptions | None = None,
        *,
        aggregate: Literal["mean", "max"] = "mean",
    ) -> None:
        if aggregate not in ("mean", "max"):
            raise ValueError(f"aggregate must be 'mean' or 'max', got {aggregate!r}")
        self.options = options or LinkOptions()
        self._aggregate = aggregate
        self._objects: list[_Object] = []
        self._last: WindowPrediction | None = None
        self._last_ids: list[int] = []
        self._by_track: dict[int, int] = {}
        self._retracted: set[int] = set()
        self._owned_from = 0
        self._num_windows = 0

    def add(self, prediction: WindowPrediction) -> list[int]:
        """Link the objects of the next window.

        Args:
            prediction: Of the window after the one that was added before.

        Returns:
            The identity of each object; new identities count upwards from 0.
        """
        identities = self._identify(prediction)
        if self._last is not None:
            self._settle(border_between(self._last.window, prediction.window))
        for row, identity in enumerate(identities):
            found = self._objects[identity]
            found.embedding = prediction.embeddings[row]
            found.last_seen = self._num_windows
        for track in prediction.retracted:
            self._retract(track)
        self._last, self._last_ids = prediction, identities
        self._num_windows += 1
        return identities

    def finish(self) -> list[LinkedObject]:
        """Return the objects of the video, by identity; nothing can be added then.

        Objects whose track was retracted are left out.

        Raises:
            ValueError: If there was no window.
        """
        if self._last is None:
            raise ValueError("there is no window to link, so there was no frame")
        num_frames = self._last.window.stop
        self._settle(num_frames)
        return [
            one.linked(num_frames, self._aggregate, identity)
            for identity, one in enumerate(self._objects)
            if identity not in self._retracted
        ]

    def _identify(self, prediction: WindowPrediction) -> list[int]:
        if prediction.tracks is not None:
            return [self._identity_of(track) for track in prediction.tracks]
        known = self._remembered()
        pairs = _pairs(
            _cosines([self._objects[i].embedding for i in known], prediction),
            self._overlap_iou(known, prediction),
            self.options,
        )
        identities = [-1] * len(prediction)
        for row, column in pairs:
            identities[column] = known[row]
        for column, identity in enumerate(identities):
            if identity < 0:
                identities[column] = len(self._objects)
                self._objects.append(_Object())
        return identities

    def _identity_of(self, track: int) -> int:
        if track not in self._by_track:
            self._by_track[track] = len(self._objects)
            self._objects.append(_Object())
        return self._by_track[track]

    def _retract(self, track: int) -> None:
        """Forget a track; seen again, it is an object of its own."""
        if track in self._by_track:
            identity = self._by_track.pop(track)
            self._objects[identity] = _Object()
            self._retracted.add(identity)

    def _remembered(self) -> list[int]:
        oldest = self._num_windows - self.options.memory_windows
        objects = enumerate(self._objects)
        return [identity for identity, one in objects if one.last_seen >= oldest]

    def _overlap_iou(
        self, known: list[int], prediction: WindowPrediction
    ) -> np.ndarray:
        """Return (known, k) IoU in the common frames, NaN where it says nothing."""
        iou = np.full((len(known), len(prediction)), np.nan)
        if self._last is None:
            return iou
        start, stop = prediction.window.start, self._last.window.stop
        if start >= stop or not len(self._last) or not len(prediction):
            return iou
        rows = [known.index(identity) for identity in self._last_ids]
        before = [_cut(t, self._last.window, start, stop) for t in self._last.tubes]
        after = [_cut(t, prediction.window, start, stop) for t in prediction.tubes]
        absent_before = np.array([tube.area == 0 for tube in before])
        absent_after = np.array([tube.area == 0 for tube in after])
        iou[rows] = tube_iou(before, after)
        both_absent = absent_before[:, None] & absent_after
        iou[rows] = np.where(both_absent, np.nan, iou[rows])
        return iou

    def _settle(self, border: int) -> None:
        """Take the frames up to ``border`` from the window added last."""
        window, start = self._last.window, self._owned_from
        self._owned_from = border
        found = zip(
            self._last_ids, self._last.tubes, self._last.slot_probs, strict=True
        )
        for row, (identity, tube, slot_probs) in enumerate(found):
            piece = _cut(tube, window, start, border)
            self._objects[identity].extend(start, piece, slot_probs)
            if self._last.quality is not None:
                self._objects[identity].add_quality(self._last.quality[row])


class _Object:
    """What is remembered of an object: its latest embedding, sums and masks."""

    def __init__(self) -> None:
        self.embedding: np.ndarray = np.zeros(0)
        self.last_seen = 0
        self._prob_sum: np.ndarray | float = 0.0
        self._prob_max: np.ndarray | float = 0.0
        self._weight = 0
        self._quality: np.ndarray | None = None
        self._pieces: list[tuple[int, TubeRLE]] = []

    def extend(self, start: int, piece: TubeRLE, slot_probs: np.ndarray) -> None:
        # In float64, so that the mean over a single window is the value itself.
        self._prob_sum = (
            self._prob_sum + slot_probs.astype(np.float64) * piece.num_frames
        )
        self._prob_max = np.maximum(self._prob_max, slot_probs)
        self._weight += piece.num_frames
        self._pieces.append((start, piece))

    def add_quality(self, sums: np.ndarray) -> None:
        self._quality = sums if self._quality is None else self._quality + sums

    def linked(self, num_frames: int, aggregate: str, identity: int) -> LinkedObject:
        mean = self._prob_sum / self._weight
        probs = self._prob_max if aggregate == "max" else mean
        probs = np.asarray(probs, dtype=np.float32)
        quality = 1.0
        if self._quality is not None:
            quality = float(self._quality[0] / max(self._quality[1], 1.0))
        tube = _fill(self._pieces, num_frames)
        return LinkedObject(probs, tube, identity, quality)


def _pairs(
    cosines: np.ndarray, iou: np.ndarray, options: LinkOptions
) -> list[tuple[int, int]]:
    """Match rows with columns: first by cosine and IoU, then the rest by cosine."""
    judged = ~np.isnan(iou)
    weight = options.embed_weight
    similarity = np.where(judged, weight * cosines + (1 - weight) * iou, 0.0)
    pairs = _assign(similarity, options.min_similarity)
    rest = np.where(judged, 0.0, cosines)
    for row, column in pairs:
        rest[row], rest[:, column] = 0.0, 0.0
    return pairs + _assign(rest, options.min_return_cosine)


def _assign(similarity: np.ndarray, minimum: float) -> list[tuple[int, int]]:
    """Assign one-to-one for the largest sum of the pairs above ``minimum``."""
    gain = np.where(similarity > minimum, similarity, 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in pairs if gain[row, column] > 0]


def _cosines(known: list[np.ndarray], prediction: WindowPrediction) -> np.ndarray:
    if not known or not len(prediction):
        return np.zeros((len(known), len(prediction)))
    cosines = _unit(np.stack(known)) @ _unit(prediction.embeddings).T
    # Rounded above 1, a pair without any overlap would pass the default threshold.
    return cosines.clip(-1, 1)


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _cut(tube: TubeRLE, window: Window, start: int, stop: int) -> TubeRLE:
    """Cut frames of the video out of the tube of a window."""
    if (start, stop) == (window.start, window.stop):
        return tube
    return tube.part(start - window.start, stop - window.start)


def _fill(pieces: list[tuple[int, TubeRLE]], num_frames: int) -> TubeRLE:
    """Join pieces in order, with empty frames where there are none."""
    height, width = pieces[0][1].height, pieces[0][1].width
    parts, end = [], 0
    last = (num_frames, None)
    for start, piece in [*pieces, last]:
        if start > end:
            parts.append(TubeRLE.from_frames([None] * (start - end), height, width))
        if piece is not None:
            parts.append(piece)
            end = start + piece.num_frames
    return TubeRLE.concat(parts)
