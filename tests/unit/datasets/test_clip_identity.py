"""Instances keep their identity and their pixels through every transform."""

import copy
from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest
from helpers.config_family import load
from helpers.id_clips import BORDER, check_identities, id_clips, pack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torchvision.transforms import InterpolationMode

from tmt_vis.datasets import ClipRejectedError
from tmt_vis.datasets.global_random import seeded
from tmt_vis.datasets.pipeline import build_pipeline

WITH_COCO = "tmt_vis/tmt-vis_r50_8xb2-16k_ytvis19-ovis-uvo-coco-to-all"
EXACT = {
    "Resize": dict(interpolation="nearest"),
    "RandomChoiceResize": dict(interpolation="nearest"),
    "RotateClip": dict(interpolation="nearest", pad_value=[BORDER] * 3),
}
# The shipped ones resize to short sides of 360 and 480.
SMALL = [(133, 36), (133, 48)]


def exact(cfg):
    """Change a pipeline so that pixel values survive, and to a tenth of the size."""
    if isinstance(cfg, Mapping):
        cfg = {key: exact(value) for key, value in cfg.items()}
        small = dict(scales=SMALL) if "scales" in cfg else {}
        return dict(cfg, **EXACT.get(cfg.get("type"), {}), **small)
    return [exact(item) for item in cfg] if isinstance(cfg, list) else cfg


class OwnGenerator:
    """Mirror image and masks, as an albumentations transform would."""

    def __init__(self):
        self.generator = np.random.default_rng()

    def set_random_seed(self, seed):
        self.generator = np.random.default_rng(seed)

    def __call__(self, *, image, masks):
        axis = int(self.generator.integers(2))
        flipped = [np.flip(mask, axis) for mask in masks]
        return dict(image=np.flip(image, axis), masks=flipped)


def broadcast(*transforms):
    return [dict(type="ClipBroadcaster", transforms=list(transforms))]


CROP = dict(type="RandomCrop", crop_size=(0.4, 0.4), crop_type="relative_range")
PIPELINES = {
    "wide rotation": [
        dict(type="RotateClip", angle_range=(-180, 180), center_range=(0, 1))
    ],
    "drifting crop": [dict(type="DriftingCrop", crop_size=(0.1, 0.3))],
    "jittering crop": [
        dict(type="DriftingCrop", crop_size=(0.4, 0.4), motion="jitter", drift=0.5)
    ],
    "mmdet crop": broadcast(CROP, dict(type="RandomFlip", prob=0.5)),
    "mmdet flips": broadcast(
        dict(type="RandomFlip", prob=0.9, direction=["vertical", "diagonal"]),
        dict(type="RandomApply", transforms=[CROP], prob=0.5),
    ),
    "torchvision": broadcast(
        dict(type="RandomFlip", prob=0.5),
        dict(
            type="TorchvisionTransform",
            name="RandomAffine",
            degrees=90,
            shear=20,
            fill=BORDER,
            interpolation=InterpolationMode.NEAREST,
        ),
        CROP,
    ),
    "own generator": broadcast(
        dict(type="ImageCallable", function=OwnGenerator()), CROP
    ),
}


@cache
def pipeline(name: str):
    """Build a pipeline of this file, or of a dataset of the config, without loading."""
    if name in PIPELINES:
        return build_pipeline(exact(PIPELINES[name]))
    datasets = load(WITH_COCO).train_dataloader.dataset.datasets
    assert datasets[name].pipeline[2].type not in ("LoadClipFrames", "PackClipInputs")
    shipped = copy.deepcopy(datasets[name].pipeline[2:-1])
    return build_pipeline(exact(shipped))


@pytest.mark.parametrize("name", ["ovis", "coco", *PIPELINES])
@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(clip=id_clips(), seed=st.integers(0, 2**32 - 1))
def test_masks_are_the_pixels_of_their_instance(name, clip, seed):
    try:
        with seeded(seed):
            packed = pack(clip, [pipeline(name)])
    except ClipRejectedError as error:
        assert "RandomCrop left no object" in str(error)
        return
    check_identities(packed)
