"""The metric of a test loop: from predicted masks to AP."""

import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.evaluation.metrics import YouTubeVISMetric
from mmdet.structures import DetDataSample
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from pycocotools import mask as coco_mask

from tmt_vis.evaluation import VISMetric
from tmt_vis.structures import encode_tubes

from .common import Options, Row, Spec, Target, compare_times
from .eval_ap_from_json import make_files
from .references import quiet

SPEC = Spec(
    name="eval/metric_in_loop",
    reference="YouTubeVISMetric.process_video + compute_metrics",
    ours="encode_tubes + VISMetric.process + compute_metrics",
    target=Target(ratio=2.5),
)
_NAMES = ("person", "dog")


def decode(entry: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    """Decode the masks of a track, ``(T, H, W)`` bool."""
    empty = np.zeros(size, dtype=bool)
    rles = entry["segmentations"]
    return np.stack(
        [empty if r is None else coco_mask.decode(r).astype(bool) for r in rles]
    )


class Loop:
    """Predictions of some videos as both metrics get them.

    Args:
        truth: annotation file.
        results: of a model.
        size: of the frames.
    """

    def __init__(
        self, truth: dict[str, Any], results: list[dict], size: tuple[int, int]
    ) -> None:
        self.truth, self.size = truth, size
        self.videos = {
            video["id"]: [r for r in results if r["video_id"] == video["id"]]
            for video in truth["videos"]
        }
        self.masks = {
            video_id: torch.from_numpy(np.stack([decode(r, size) for r in rows]))
            for video_id, rows in self.videos.items()
        }
        self.samples = {video_id: self._frames(video_id) for video_id in self.videos}

    def _frames(self, video_id: int) -> list[DetDataSample]:
        rows, masks = self.videos[video_id], self.masks[video_id]
        facts = dict(
            scores=torch.tensor([row["score"] for row in rows], dtype=torch.float64),
            labels=torch.tensor([row["category_id"] - 1 for row in rows]),
            instances_id=torch.arange(len(rows)),
            bboxes=torch.zeros(len(rows), 4),
        )
        frames = []
        for t in range(masks.shape[1]):
            frame = DetDataSample(
                metainfo=dict(
                    video_id=video_id,
                    img_id=1000 * video_id + t,
                    ori_shape=self.size,
                    instances=self._objects(video_id, t),
                )
            )
            frame.pred_track_instances = InstanceData(masks=masks[:, t], **facts)
            frames.append(frame)
        return frames

    def _objects(self, video_id: int, t: int) -> list[dict[str, Any]]:
        return [
            dict(
                bbox=[0.0, 0.0, 1.0, 1.0],
                bbox_label=row["category_id"] - 1,
                instance_id=row["id"],
                ignore_flag=0,
                mask=dict(row["segmentations"][t]),
            )
            for row in self.truth["annotations"]
            if row["video_id"] == video_id and row["segmentations"][t]
        ]

    def theirs(self) -> dict[str, float]:
        """Evaluate with mmdet."""
        metric = YouTubeVISMetric()
        metric.dataset_meta = dict(classes=_NAMES)
        with quiet():
            for frames in self.samples.values():
                metric.process_video(frames)
            return metric.compute_metrics(metric.results)

    def ours(self, file: Path) -> dict[str, float]:
        """Evaluate with ours, the annotation file included."""
        metric = VISMetric(dataset="ytvis19", ann_file=str(file))
        names = list(metric.label_space.names)
        slots = np.array([names.index(name) for name in _NAMES])
        for video_id, rows in self.videos.items():
            labels = slots[[row["category_id"] - 1 for row in rows]]
            tracks = dict(
                tubes=encode_tubes(self.masks[video_id].numpy()),
                labels=torch.from_numpy(labels),
                scores=torch.tensor([r["score"] for r in rows], dtype=torch.float64),
            )
            metric.process(None, [dict(video_id=video_id, pred_tracks=tracks)])
        return metric.compute_metrics(metric.results)


def check(a: dict[str, float], b: dict[str, float]) -> str:
    """Compare AP; mmdet's metric rounds to three decimals."""
    pairs = dict(AP="mAP", AP50="mAP_50", AP75="mAP_75")
    for ours, theirs in pairs.items():
        expected = a[f"segm_{theirs}"]
        assert abs(b[ours] - expected) < 0.00051, f"{ours}: {b[ours]} not {expected}"
    return "AP, AP50, AP75 equal to the three decimals that mmdet gives"


def run(options: Options) -> Iterator[Row]:
    """Compare on some videos."""
    counts = options.choose((2, 2, 3, 3), (6, 4, 10, 36))
    size = options.choose((40, 60), (360, 640))
    truth, results = make_files(*counts, size)
    loop = Loop(truth, results, size)
    MMLogger.get_current_instance().setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "truth.json")
        file.write_text(json.dumps(truth))
        yield compare_times(
            SPEC,
            options,
            size="{} videos, {} objects, {} tracks, {} frames".format(*counts)
            + " of {}x{}".format(*size),
            a=loop.theirs,
            b=lambda: loop.ours(file),
            check=check,
        )
