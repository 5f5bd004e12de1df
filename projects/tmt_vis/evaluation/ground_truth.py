"""What an official annotation file says: videos, categories and, if given, objects.

The file itself is read, not the training pipeline, which drops small objects, empty
frames and crowd regions, so that its AP would not be that of the evaluation server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tmt_vis import annotations
from tmt_vis.annotations import AnnotationError, InstanceEntry, VideoEntry
from tmt_vis.structures import TubeRLE
from tmt_vis.taxonomy import LabelSpace

from .burst_distractors import DISTRACTORS
from .occlusion import occlusion_score
from .video_tubes import GroundTruthTubes, PredictedTubes


@dataclass(frozen=True, eq=False)
class AnnotationFile:
    """An annotation file in the vocabulary of a label space.

    Args:
        path: Where it was read.
        label_space: Its categories in slot order.
        slot_of_source: Category id in the file -> slot.
        videos: Video id -> video.
        ground_truth: Video id -> objects, for every video; None if the file withholds
            them, as those of public test sets do.
        merged_slots: Slot -> slot that it is counted as (TAO's ``merged``).
        distractor_slots: Categories that BURST's evaluator leaves out.
    """

    path: str
    label_space: LabelSpace
    slot_of_source: Mapping[int, int]
    videos: Mapping[int, VideoEntry]
    ground_truth: Mapping[int, GroundTruthTubes] | None
    merged_slots: Mapping[int, int] = field(default_factory=dict)
    distractor_slots: frozenset[int] = frozenset()

    def counted(
        self, predictions: Mapping[int, PredictedTubes]
    ) -> dict[int, PredictedTubes]:
        """Return tracks as they are scored.

        In the frames that are scored, with merged categories, without distractors.

        Args:
            predictions: Tracks by video id, as predicted: over the scored frames of
                each video or over all of them (BURST).
        """
        return {i: self._counted(self.videos[i], t) for i, t in predictions.items()}

    def _counted(self, video: VideoEntry, tracks: PredictedTubes) -> PredictedTubes:
        slots = [self.merged_slots.get(slot, slot) for slot in tracks.slots.tolist()]
        kept = [i for i, slot in enumerate(slots) if slot not in self.distractor_slots]
        return PredictedTubes(
            tubes=tuple(_scored_frames(tracks.tubes[i], video) for i in kept),
            slots=np.array([slots[i] for i in kept], dtype=np.int64),
            scores=tracks.scores[kept],
        )


def load_annotations(
    path: str | Path,
    *,
    label_space: LabelSpace | None = None,
    segmentation_key: str = "segmentations",
    annotated_frames_only: bool = False,
) -> AnnotationFile:
    """Read an annotation file in the format of YouTube-VIS (OVIS, UVO, ...) or BURST.

    Masks may be compressed or plain RLE, polygons or null. ``annotations`` that are
    null, empty or missing mean that the ground truth is withheld. Where a video lists
    ``neg_category_ids`` or ``not_exhaustive_category_ids``, as LVIS and BURST do,
    tracks of categories that are unknown there or annotated in part are neither right
    nor wrong unless they find an object.

    Args:
        path: The JSON file.
        label_space: Fixes the slots; the file's categories are matched by name. None
            means the file's own categories in their order.
        segmentation_key: Which list of masks of an annotation is the ground truth.
        annotated_frames_only: Leave out frames in which no object has a mask.

    Raises:
        AnnotationError: If the file breaks a rule of the format. They are those of
            training, but ``file_names`` may be missing where there is a ``length``.
    """
    file = annotations.AnnotationFile(
        str(path),
        label_space,
        segmentation_key=segmentation_key,
        annotated_frames_only=annotated_frames_only,
        files_needed=False,
    )
    if not file.videos:
        raise AnnotationError(
            file=file.path,
            entry="videos",
            problem="there is nothing to evaluate",
            remedy="pass an annotation file with videos, categories and annotations",
        )
    distractors: frozenset[int] = frozenset()
    if file.is_burst:
        slots = file.slot_of_category
        distractors = frozenset(slots[i] for i in DISTRACTORS if i in slots)
    truth = None
    if not file.is_withheld:
        num_slots = len(file.label_space)
        truth = {
            v.video_id: _tubes_of(file, v, num_slots, distractors) for v in file.videos
        }
        if all(np.isnan(video.occlusion).all() for video in truth.values()):
            truth = {i: replace(v, occlusion=None) for i, v in truth.items()}
    return AnnotationFile(
        path=file.path,
        label_space=file.label_space,
        slot_of_source=file.slot_of_category,
        videos={video.video_id: video for video in file.videos},
        ground_truth=truth,
        merged_slots=file.merged_slots,
        distractor_slots=distractors,
    )


def _tubes_of(
    file: annotations.AnnotationFile,
    video: VideoEntry,
    num_slots: int,
    distractors: frozenset[int],
) -> GroundTruthTubes:
    """Return the objects of one video; its rows are used up."""
    tubes, slots, is_crowd, occlusion = [], [], [], []
    for instance in file.instances(video):
        tubes.append(_tube(file, instance, video))
        slot = file.merged_slots.get(instance.slot, instance.slot)
        slots.append(slot)
        is_crowd.append(instance.is_crowd or slot in distractors)
        try:
            occlusion.append(occlusion_score(instance.occlusion))
        except ValueError as error:
            raise file.entry_error(instance, video, str(error)) from error
    return GroundTruthTubes(
        tubes=tuple(tubes),
        slots=np.array(slots, dtype=np.int64),
        is_crowd=np.array(is_crowd, dtype=bool),
        ignored_slots=video.categories.ignored(slots, num_slots),
        occlusion=np.array(occlusion, dtype=np.float64),
    )


def _scored_frames(tube: TubeRLE, video: VideoEntry) -> TubeRLE:
    used = video.frames_used(tube.num_frames)
    if used is None or tube.num_frames == video.length:
        return tube
    frames = tube.to_frames()
    return TubeRLE.from_frames([frames[t] for t in used], tube.height, tube.width)


def _tube(
    file: annotations.AnnotationFile, instance: InstanceEntry, video: VideoEntry
) -> TubeRLE:
    size = [video.height, video.width]
    frames: list[dict[str, Any] | None] = [None] * video.length
    for number, counts in file.masks(instance, video):
        frames[number] = {"size": size, "counts": counts}
    try:
        return TubeRLE.from_frames(frames, *size)
    except ValueError as error:
        raise file.mask_error(instance, video, None, str(error)) from error
