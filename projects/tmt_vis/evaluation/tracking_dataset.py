"""Tubes as a data set of TrackEval (github.com/JonathonLuiten/TrackEval).

Import this module only where TrackEval is installed: it subclasses its data set.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from trackeval.datasets._base_dataset import _BaseDataset

from .video_tubes import GroundTruthTubes, PredictedTubes

TRACKER = "tracks"
_SAME_OBJECT = 0.5  # mask IoU in a frame, as TrackEval has it for TAO and BURST


class TubeTrackingDataset(_BaseDataset):
    """One tracker, one sequence per video, one class per slot; similarity is mask IoU.

    Crowd regions are left out. In frames of videos with ``ignored_slots``, detections
    of these slots that match no object are left out, as for TAO and BURST.

    Args:
        ground_truth: Objects by video id.
        predictions: Tracks by video id; a video that is not named has none.
        names: K category names in slot order; a single one evaluates class-agnostic.
        min_score: Tracks with a lower score are left out; tracking metrics do not rank,
            every track counts.
        output_folder: Where TrackEval's ``Evaluator`` writes tables and plots.
    """

    def __init__(
        self,
        ground_truth: Mapping[int, GroundTruthTubes],
        predictions: Mapping[int, PredictedTubes],
        *,
        names: Sequence[str],
        min_score: float = 0.0,
        output_folder: str = ".",
    ) -> None:
        super().__init__()
        self.output_fol, self.output_sub_fol = output_folder, ""
        self.tracker_list = [TRACKER]
        self.seq_list = [str(video_id) for video_id in sorted(ground_truth)]
        self.class_list = list(names)
        self._ground_truth = ground_truth
        self._predictions = predictions
        self._slot_of = {name: slot for slot, name in enumerate(names)}
        self._min_score = min_score

    @staticmethod
    def get_default_dataset_config() -> dict[str, Any]:
        """Return no options: this data set is not read from files."""
        return {}

    def classes_of(self, seq: str) -> list[str]:
        """List the classes that occur in a video; all others have nothing to count."""
        truth, found = self._video(seq)
        slots = np.union1d(self._slots(truth)[~truth.is_crowd], self._slots(found))
        return [self.class_list[slot] for slot in slots.tolist()]

    def _video(self, seq: str) -> tuple[GroundTruthTubes, PredictedTubes]:
        found = self._predictions.get(int(seq), PredictedTubes.none())
        kept = np.flatnonzero(found.scores >= self._min_score)
        tubes = [found.tubes[i] for i in kept]
        return self._ground_truth[int(seq)], PredictedTubes(
            tubes, found.slots[kept], found.scores[kept]
        )

    def _slots(self, video: GroundTruthTubes | PredictedTubes) -> np.ndarray:
        agnostic = len(self.class_list) == 1
        return np.zeros_like(video.slots) if agnostic else video.slots

    def _load_raw_file(self, tracker: str, seq: str, is_gt: bool) -> dict[str, Any]:
        """List what each frame shows of the objects, or of the tracks."""
        truth, found = self._video(seq)
        video = truth if is_gt else found
        frames = [tube.to_frames() for tube in video.tubes]
        lengths = {tube.num_frames for tube in [*truth.tubes, *found.tubes]}
        if len(lengths) > 1:
            raise ValueError(f"tubes of video {seq} have {sorted(lengths)} frames")
        present: list[np.ndarray] = []
        for t in range(max(lengths, default=0)):
            here = [i for i, masks in enumerate(frames) if masks[t] is not None]
            counted = [i for i in here if not (is_gt and truth.is_crowd[i])]
            present.append(np.array(counted, dtype=np.int64))
        kind = "gt" if is_gt else "tracker"
        slots = self._slots(video)
        raw: dict[str, Any] = {
            f"{kind}_ids": present,
            f"{kind}_classes": [slots[ids] for ids in present],
            f"{kind}_dets": [
                [frames[i][t] for i in ids] for t, ids in enumerate(present)
            ],
            "num_timesteps": len(present),
            "seq": seq,
        }
        if not is_gt:
            forgiven = np.isin(found.slots, sorted(truth.ignored_slots))
            raw["tracker_forgiven"] = [forgiven[ids] for ids in present]
            raw["tracker_confidences"] = [found.scores[ids] for ids in present]
        return raw

    def get_preprocessed_seq_data(
        self, raw_data: dict[str, Any], cls: str
    ) -> dict[str, Any]:
        """Keep one class and number its objects and tracks without gaps."""
        slot = self._slot_of[cls]
        kept: dict[str, list[Any]] = {
            "gt_ids": [],
            "tracker_ids": [],
            "gt_dets": [],
            "tracker_dets": [],
            "tracker_confidences": [],
            "similarity_scores": [],
        }
        for t in range(raw_data["num_timesteps"]):
            objects = np.flatnonzero(raw_data["gt_classes"][t] == slot)
            tracks = np.flatnonzero(raw_data["tracker_classes"][t] == slot)
            similarity = raw_data["similarity_scores"][t][np.ix_(objects, tracks)]
            counted = ~raw_data["tracker_forgiven"][t][tracks] | _matched(similarity)
            tracks = tracks[counted]
            kept["similarity_scores"].append(similarity[:, counted])
            kept["tracker_confidences"].append(
                raw_data["tracker_confidences"][t][tracks]
            )
            for kind, at in (("gt", objects), ("tracker", tracks)):
                kept[f"{kind}_ids"].append(raw_data[f"{kind}_ids"][t][at])
                dets = raw_data[f"{kind}_dets"][t]
                kept[f"{kind}_dets"].append([dets[i] for i in at])
        data: dict[str, Any] = {key: raw_data[key] for key in ("num_timesteps", "seq")}
        data.update(kept)
        for kind in ("gt", "tracker"):
            data.update(_renumbered(kept[f"{kind}_ids"], kind))
        return data

    def _calculate_similarities(
        self, gt_dets_t: list[dict], tracker_dets_t: list[dict]
    ) -> np.ndarray:
        """Return the (objects, tracks) mask IoU of one frame."""
        return self._calculate_mask_ious(
            gt_dets_t, tracker_dets_t, is_encoded=True, do_ioa=False
        )


def _matched(similarity: np.ndarray) -> np.ndarray:
    """Return (tracks,) bool: assigned to an object of the frame."""
    matched = np.zeros(similarity.shape[1], dtype=bool)
    enough = np.where(similarity >= _SAME_OBJECT, similarity, 0.0)
    rows, columns = linear_sum_assignment(-enough)
    matched[columns[enough[rows, columns] > 0]] = True
    return matched


def _renumbered(ids: list[np.ndarray], kind: str) -> dict[str, Any]:
    """Number the ids of all frames 0, 1, ... and count them."""
    flat = np.concatenate([np.zeros(0, dtype=np.int64), *ids])
    unique, index = np.unique(flat, return_inverse=True)
    ends = np.cumsum([len(frame) for frame in ids])
    return {
        f"{kind}_ids": np.split(index.reshape(-1), ends[:-1]) if len(ids) else [],
        f"num_{kind}_dets": len(flat),
        f"num_{kind}_ids": len(unique),
    }
