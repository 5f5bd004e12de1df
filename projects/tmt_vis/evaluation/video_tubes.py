"""The tubes of one video: what is there, and what was predicted."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tmt_vis.structures import TubeRLE, frame_areas


@dataclass(frozen=True, eq=False)
class GroundTruthTubes:
    """The annotated objects of one video.

    Args:
        tubes: N tubes at the size of the video.
        slots: (N,) int64, category of each object.
        is_crowd: (N,) bool, True = region that neither counts nor punishes.
        ignored_slots: Categories of which this video may show objects that nobody
            annotated (federated data sets): a track of one that finds no object is
            neither right nor wrong.
        occlusion: (N,) float64 in [0, 1], how occluded each object is, NaN = unknown;
            None if the file does not say.

    Raises:
        ValueError: If lengths differ.
    """

    tubes: Sequence[TubeRLE]
    slots: np.ndarray
    is_crowd: np.ndarray
    ignored_slots: frozenset[int] = frozenset()
    occlusion: np.ndarray | None = None

    def __post_init__(self) -> None:
        _check_lengths(self.tubes, slots=self.slots, is_crowd=self.is_crowd)
        if self.occlusion is not None:
            _check_lengths(self.tubes, occlusion=self.occlusion)

    def __len__(self) -> int:
        return len(self.tubes)

    @cached_property
    def areas(self) -> np.ndarray:
        """:func:`mean_areas` of the tubes, (N,)."""
        return mean_areas(self.tubes)


@dataclass(frozen=True, eq=False)
class PredictedTubes:
    """The scored tracks of one video, in any order.

    Args:
        tubes: N tubes at the size of the video.
        slots: (N,) int64, predicted category.
        scores: (N,) float64, finite.

    Raises:
        ValueError: If lengths differ or a score is not finite (sorting NaN would give
            an arbitrary AP).
    """

    tubes: Sequence[TubeRLE]
    slots: np.ndarray
    scores: np.ndarray

    def __post_init__(self) -> None:
        _check_lengths(self.tubes, slots=self.slots, scores=self.scores)
        if not np.isfinite(self.scores).all():
            raise ValueError(
                f"track scores must be finite, got {self.scores[:8]}; a NaN comes from "
                "the class logits of the model"
            )

    def __len__(self) -> int:
        return len(self.tubes)

    @cached_property
    def areas(self) -> np.ndarray:
        """:func:`mean_areas` of the tubes, (N,)."""
        return mean_areas(self.tubes)

    @classmethod
    def none(cls) -> "PredictedTubes":
        """Return the result of a video in which nothing was found."""
        return cls((), np.zeros(0, dtype=np.int64), np.zeros(0))


def mean_areas(tubes: Sequence[TubeRLE]) -> np.ndarray:
    """Average each tube's area over the frames in which it has one.

    Returns:
        (N,) float64 in pixels; 0 for a tube without any pixel.
    """
    areas = np.zeros(len(tubes))
    for index, per_frame in enumerate(frame_areas(tubes)):
        if per_frame.any():
            areas[index] = per_frame[per_frame > 0].mean()
    return areas


def _check_lengths(tubes: Sequence[TubeRLE], **arrays: np.ndarray) -> None:
    for name, array in arrays.items():
        if array.shape != (len(tubes),):
            raise ValueError(
                f"{name} must have one entry per tube, got shape {array.shape} for "
                f"{len(tubes)} tubes"
            )
