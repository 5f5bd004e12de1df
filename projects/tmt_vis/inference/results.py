"""The result of a video: its tracks with names, and the taxonomy it was read with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from tmt_vis.models.postprocessing import rank_tracks
from tmt_vis.streaming import LinkedObject
from tmt_vis.structures import TubeRLE, distinct_tubes
from tmt_vis.taxonomy import LabelSpace, Taxonomy


@dataclass(frozen=True)
class Track:
    """One object with one category.

    Args:
        id: Number of the object in the video, from 1, in order of appearance.
        name: Category name.
        source_id: Category id in the dataset's files.
        score: Probability of the category, in [0, 1].
        tube: Masks over all frames at the size of the video.
        first_frame: First frame with a pixel.
        last_frame: Last frame with a pixel.
    """

    id: int
    name: str
    source_id: int
    score: float
    tube: TubeRLE = field(repr=False)
    first_frame: int
    last_frame: int


@dataclass(frozen=True)
class CompiledCategory:
    """A category that TCM compiled for the video.

    Args:
        name: Name in the joint taxonomy.
        score: Probability that the video shows it, the largest over the windows.
    """

    name: str
    score: float


@dataclass(frozen=True)
class VideoResult:
    """What was found in a video.

    Args:
        name: Name of the video.
        label_space: Name of the label space that was predicted.
        tracks: Best score first.
        taxonomy: Compiled categories, best first; empty for a model without TCM.
        height: H of the frames in pixels.
        width: W of the frames in pixels.
        fps: Frames per second; their mean, if they come at uneven times.
        num_frames: Frames that were read.
        truncated: Why the video could not be read to its end; None if it could.
        frame_times: Seconds at which the frames are shown, the first at 0, of a video
            with a variable rate; None if ``fps`` says it.
    """

    name: str
    label_space: str
    tracks: tuple[Track, ...]
    taxonomy: tuple[CompiledCategory, ...]
    height: int
    width: int
    fps: float
    num_frames: int
    truncated: str | None = None
    frame_times: tuple[float, ...] | None = None


@dataclass(frozen=True)
class TrackSelection:
    """Which of the linked objects are reported.

    Args:
        score_thr: Least score.
        limit: Tracks per window's worth of frames, so that a long video may hold more
            objects than a short one; with one window it is ``max_per_video``.
        several_categories: Report every (object, category) pair that is good enough,
            as benchmarks expect and ``model.predict`` does. Otherwise an object has
            the category with the largest mean probability.
        max_iou: Drop an object whose tube overlaps that of a better one by more; None
            keeps all. Queries are not suppressed anywhere else, so several may follow
            the same object.

    Raises:
        ValueError: If a number is out of its range.
    """

    score_thr: float
    limit: int
    several_categories: bool = False
    max_iou: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.score_thr <= 1:
            raise ValueError(
                f"score_thr must be a score in [0, 1], got {self.score_thr}"
            )
        if self.limit < 1 or not 0 <= (self.max_iou or 0) <= 1:
            raise ValueError(
                "a selection needs limit >= 1 and max_iou in [0, 1] or None, got "
                f"{self.limit} and {self.max_iou}"
            )


def select_tracks(
    objects: Sequence[LinkedObject],
    label_space: LabelSpace,
    selection: TrackSelection,
    *,
    num_windows: int,
) -> tuple[Track, ...]:
    """Rank objects, and number those that are kept by their first appearance.

    An object without a pixel in any frame is dropped: it can only count as a false
    positive.

    Args:
        objects: Of one video, with probabilities over the slots of ``label_space``.
        label_space: Gives names and source ids.
        selection: What is kept.
        num_windows: Windows' worth of frames, see ``selection.limit``.

    Returns:
        Tracks, best first.
    """
    if not objects:
        return ()
    probs = torch.from_numpy(np.stack([one.slot_probs for one in objects]))
    if not selection.several_categories:
        is_best = torch.zeros_like(probs, dtype=torch.bool)
        is_best.scatter_(1, probs.argmax(1, keepdim=True), True)
        probs = torch.where(is_best, probs, -1.0)
    scores, slots, rows = rank_tracks(probs, selection.limit * num_windows)
    qualities = torch.tensor([one.quality for one in objects])
    scores, order = (scores * qualities[rows]).sort(descending=True, stable=True)
    ranked = scores, slots[order], rows[order]
    shown = [one.tube.frame_areas().nonzero()[0] for one in objects]
    chosen = [
        (score, slot, row)
        for score, slot, row in zip(*(part.tolist() for part in ranked), strict=True)
        if score >= max(selection.score_thr, 0.0) and len(shown[row])
    ]
    if selection.max_iou is not None:
        tubes = [one.tube for one in objects]
        rows = [row for _, _, row in chosen]
        distinct = distinct_tubes(rows, tubes, selection.max_iou)
        chosen = [pick for pick in chosen if pick[2] in distinct]
    numbers = _number((row for _, _, row in chosen), shown)
    return tuple(
        Track(
            id=numbers[row],
            name=label_space.names[slot],
            source_id=label_space.source_of_slot(slot),
            score=score,
            tube=objects[row].tube,
            first_frame=int(shown[row][0]),
            last_frame=int(shown[row][-1]),
        )
        for score, slot, row in chosen
    )


def compiled_categories(
    scores: Mapping[int, float], taxonomy: Taxonomy
) -> tuple[CompiledCategory, ...]:
    """Name the compiled categories of a video.

    Args:
        scores: Score of each compiled ``union_id``.
        taxonomy: The joint taxonomy.

    Returns:
        Best first; ties go to the smaller ``union_id``.
    """
    order = sorted(scores, key=lambda union_id: (-scores[union_id], union_id))
    return tuple(CompiledCategory(taxonomy.names[i], scores[i]) for i in order)


def _number(rows: Iterable[int], shown: Sequence[np.ndarray]) -> dict[int, int]:
    """Number objects from 1 by first frame; at one frame, the better score is first."""
    unique = dict.fromkeys(rows)
    order = sorted(unique, key=lambda row: shown[row][0])
    return {row: number for number, row in enumerate(order, 1)}
