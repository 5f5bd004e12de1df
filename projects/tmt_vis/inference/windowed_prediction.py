"""Whole videos in a test, in the memory of one window."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmdet.registry import TASK_UTILS
from mmengine.structures import InstanceData
from torch import Tensor

from tmt_vis.models import TMTVIS
from tmt_vis.models.decoding import rank_tracks
from tmt_vis.structures import ClipDataSample

from .linking import LinkedObject, LinkOptions, TrackLinker
from .video_engine import VideoInferenceEngine
from .windows import WindowPlan


@TASK_UTILS.register_module()
class WindowedPrediction:
    """Predict long videos of a test window by window, as :class:`VISInferencer` does.

    A model that looks at a video as a whole keeps about 40 MB of features per frame of
    384x640. From ``max_frames`` on, windows are predicted and their objects linked;
    memory is that of one window then, and the result is no longer the model's own
    answer to the whole video. Up to ``max_frames`` nothing changes.

    As many (object, category) pairs are kept as ``test_cfg.max_per_video`` allows, per
    window's worth of frames.

    Args:
        max_frames: longest video that is looked at as a whole.
        windows: arguments of :class:`WindowPlan`.
        link: arguments of :class:`LinkOptions`.

    Raises:
        ValueError: if ``max_frames`` is below a window's length.
    """

    def __init__(
        self,
        *,
        max_frames: int = 128,
        windows: Mapping[str, Any] | None = None,
        link: Mapping[str, Any] | None = None,
    ) -> None:
        self.plan = WindowPlan(**(windows or {}))
        self.link = LinkOptions(**(link or {}))
        if max_frames < self.plan.length:
            raise ValueError(
                f"max_frames must not be below the windows' length {self.plan.length}, "
                f"got {max_frames}; a shorter video is one window anyway"
            )
        self.max_frames = max_frames

    def predict(
        self, model: TMTVIS, clip: Tensor, sample: ClipDataSample
    ) -> ClipDataSample:
        """Predict one packed video.

        Args:
            model: the detector.
            clip: ``(T, 3, h, w)`` uint8.
            sample: of the video.

        Returns:
            A sample with ``pred_tracks`` and (with TCM) ``pred_taxonomy``.
        """
        engine = VideoInferenceEngine(
            model,
            label_space=sample.label_space,
            plan=self.plan,
            several_categories=True,
        )
        linker, reports = TrackLinker(self.link), []
        frames = (dict(inputs=one, data_samples=sample) for one in clip.split(1))
        for prediction in engine.run(frames):
            linker.add(prediction)
            reports.append(engine.last_taxonomy)
        predicted = ClipDataSample(metainfo=sample.metainfo)
        num_windows = -(-len(clip) // self.plan.length)
        limit = engine.max_objects * num_windows
        predicted.pred_tracks = _tracks(linker.finish(), limit)
        if reports[0] is not None:
            predicted.pred_taxonomy = _joined(reports)
        return predicted


def _tracks(objects: Sequence[LinkedObject], limit: int) -> InstanceData:
    probs = torch.from_numpy(np.stack([one.slot_probs for one in objects]))
    scores, slots, rows = rank_tracks(probs, limit)
    tracks = InstanceData(scores=scores, labels=slots, queries=rows)
    tracks.tubes = [objects[row].tube for row in rows.tolist()]
    return tracks


def _joined(reports: Sequence[InstanceData]) -> InstanceData:
    """Report each category as in the window in which it was likeliest."""
    best: dict[int, float] = {}
    for report in reports:
        pairs = zip(report.union_ids.tolist(), report.scores.tolist(), strict=True)
        for union_id, score in pairs:
            best[union_id] = max(score, best.get(union_id, 0.0))
    ids = sorted(best, key=lambda union_id: (-best[union_id], union_id))
    slots = {
        name: torch.stack([report.get(name) for report in reports])
        for name in ("slot_scores", "slot_ranks", "slot_compiled")
    }
    return InstanceData(
        union_ids=torch.tensor(ids, dtype=torch.int64),
        scores=torch.tensor([best[union_id] for union_id in ids]),
        metainfo=dict(
            slot_scores=slots["slot_scores"].amax(0),
            slot_ranks=slots["slot_ranks"].amin(0),
            slot_compiled=slots["slot_compiled"].any(0),
        ),
    )
