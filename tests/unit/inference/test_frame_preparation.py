"""Frames on their way through the test pipeline of a config."""

import numpy as np
import pytest
from helpers.tiny_inference import frames, tiny_cfg
from mmdet.registry import TRANSFORMS

from tmt_vis.inference import InferenceError
from tmt_vis.inference.preparation import FramePreparation


@TRANSFORMS.register_module()
class RejectDarkFrames:
    def __call__(self, results):
        return results if np.max(results["img"]) > 0 else None


def test_a_frame_that_the_pipeline_rejects_is_named():
    cfg = tiny_cfg()
    pipeline = cfg.test_dataloader.dataset.datasets.ytvis19.pipeline
    pipeline.insert(1, dict(type="RejectDarkFrames"))
    video = [*frames(2), np.zeros((32, 48, 3), np.uint8)]
    prepared = FramePreparation(cfg, "ytvis19")(video, name="clip")
    assert next(prepared)["inputs"].shape == next(prepared)["inputs"].shape
    message = "rejected frame 2 of clip .RejectDarkFrames returned None"
    with pytest.raises(InferenceError, match=message):
        next(prepared)
