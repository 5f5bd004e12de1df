"""From JPEG files and run-length codes to a training clip."""

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from tmt_vis.datasets.annotation_index import FrameInstance
from tmt_vis.datasets.pipeline import build_pipeline

from .common import Options, Row, Spec, Target, compare_times
from .tubes import ellipses, per_frame_rles

SPEC = Spec(
    name="data/clip_pipeline",
    reference="mmdet's pipeline of Mask2Former-VIS",
    ours="pipeline of configs/_base_/datasets/vis.py",
    target=Target(ratio=1.6),
)
_FRAMES, _OBJECTS = 2, 5


class Clip:
    """A clip on disk, and what both pipelines are given.

    Args:
        folder: for the frames.
        size: of the frames.
        scale: they are resized to, width and height.
    """

    def __init__(
        self, folder: Path, size: tuple[int, int], scale: tuple[int, int]
    ) -> None:
        self.size, self.scale = size, scale
        self.masks = ellipses(_OBJECTS, _FRAMES, size)
        self.masks[:, :, 1:3, 1:3] = True  # all of them are in all frames
        self.paths = []
        coarse = np.random.default_rng(0).integers(0, 256, (_FRAMES, 36, 64, 3), "u1")
        for t, picture in enumerate(coarse):
            path = folder / f"{t}.jpg"
            cv2.imwrite(str(path), cv2.resize(picture, size[::-1]))
            self.paths.append(str(path))
        self.rles = [per_frame_rles(tube) for tube in self.masks]

    def theirs(self) -> Any:
        """Return a function that loads the clip with mmdet's pipeline."""
        inner = [
            dict(type="LoadImageFromFile"),
            dict(type="LoadTrackAnnotations", with_mask=True),
            dict(type="Resize", scale=self.scale, keep_ratio=True),
            dict(type="RandomFlip", prob=1.0),
        ]
        with DefaultScope.overwrite_default_scope("mmdet"):
            wrapper = dict(
                type="TransformBroadcaster", share_random_params=True, transforms=inner
            )
            pipeline = Compose([wrapper, dict(type="PackTrackInputs")])
        frames = [self._their_frame(t) for t in range(_FRAMES)]
        clip = {key: [frame[key] for frame in frames] for key in frames[0]}
        clip["key_frame_flags"] = [True, False]
        return lambda: pipeline(copy.deepcopy(clip))

    def _their_frame(self, t: int) -> dict[str, Any]:
        instances = []
        for n, rles in enumerate(self.rles):
            rows, columns = np.nonzero(self.masks[n, t])
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            entry = dict(bbox=[float(side) for side in box], bbox_label=n)
            instances.append(
                dict(entry, instance_id=n + 1, ignore_flag=0, mask=rles[t])
            )
        height, width = self.size
        return dict(
            img_path=self.paths[t],
            img_id=t,
            frame_id=t,
            video_id=1,
            video_length=_FRAMES,
            height=height,
            width=width,
            instances=instances,
        )

    def ours(self) -> Any:
        """Return a function that loads the clip with our pipeline."""
        resize = dict(type="Resize", scale=self.scale, keep_ratio=True)
        pipeline = build_pipeline(
            [
                dict(type="LoadClipFrames"),
                dict(type="LoadClipAnnotations"),
                dict(
                    type="ClipBroadcaster",
                    transforms=[resize, dict(type="RandomFlip", prob=1.0)],
                ),
                dict(type="PackClipInputs"),
            ]
        )
        frames = [
            tuple(
                FrameInstance(n + 1, n, False, rles[t]["counts"].encode())
                for n, rles in enumerate(self.rles)
            )
            for t in range(_FRAMES)
        ]
        facts = dict(dataset="a", label_space="a", video_id=1, video_name="a")
        facts |= dict(frame_ids=list(range(_FRAMES)), ori_shape=self.size)
        return lambda: pipeline(
            dict(facts, img_path=list(self.paths), instances=list(frames))
        )


def check(a: dict[str, Any], b: dict[str, Any]) -> str:
    """Compare pixels and masks."""
    assert torch.equal(a["inputs"], b["inputs"]), "pixels differ"
    truth: InstanceData = b["data_samples"].gt_instances
    for t, frame in enumerate(a["data_samples"].video_data_samples):
        theirs = frame.gt_instances
        assert theirs.instances_ids.tolist() == truth.ids.tolist(), "ids differ"
        masks = torch.from_numpy(theirs.masks.masks.astype(bool))
        assert torch.equal(masks, truth.masks[:, t]), f"masks of frame {t} differ"
    return "pixels, masks and ids equal"


def run(options: Options) -> Iterator[Row]:
    """Compare on one clip; one process, as a worker of a loader."""
    size, scale = options.choose(((36, 64), (32, 18)), ((720, 1280), (640, 360)))
    with tempfile.TemporaryDirectory() as folder:
        clip = Clip(Path(folder), size, scale)
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        yield compare_times(
            SPEC,
            options,
            size=f"{_FRAMES} frames of {size[0]}x{size[1]}, {_OBJECTS} objects",
            a=clip.theirs(),
            b=clip.ours(),
            check=check,
            note="one thread",
        )
