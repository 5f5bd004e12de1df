"""What every dataset answers to samplers and models; a new one is added to MAKE."""

import json

import pytest
import torch
from helpers.mini_vis import moving_video, write_dataset, write_images
from mmdet.registry import DATASETS

from tmt_vis.datasets import (
    ClipIndex,
    ImageDataset,
    MultiDatasetVideoDataset,
    MultiDatasetVideoSampler,
    VISDataset,
)

PIPELINE = [
    dict(type="LoadClipFrames"),
    dict(type="LoadClipAnnotations"),
    dict(type="ClipBroadcaster", transforms=[dict(type="RandomFlip", prob=0.5)]),
    dict(type="PackClipInputs"),
]
OPTIONS = dict(name="ytvis21", label_space="ytvis21", num_frames=2, pipeline=PIPELINE)
CATEGORIES = [dict(id=1, name="person"), dict(id=8, name="dog")]
VIDEOS = [moving_video(1, 5), moving_video(2, 4)]


def _videos(root):
    files = write_dataset(root, VIDEOS, categories=CATEGORIES)
    return VISDataset(**OPTIONS, **files)


def _images(root):
    files = write_images(root, VIDEOS, categories=CATEGORIES)
    return ImageDataset(**OPTIONS, **files)


def _mixture(root):
    return MultiDatasetVideoDataset(dict(ytvis21=_videos(root)))


MAKE = {
    "VISDataset": _videos,
    "ImageDataset": _images,
    "MultiDatasetVideoDataset": _mixture,
}


@pytest.fixture(params=MAKE)
def dataset(request, tmp_path):
    return MAKE[request.param](tmp_path)


def test_every_registered_one_is_asked():
    ours = {
        name
        for name, cls in DATASETS.module_dict.items()
        if cls.__module__.startswith("tmt_vis.")
    }
    assert ours == set(MAKE), "a new dataset adds an entry to MAKE"


def test_a_clip_belongs_to_its_index(dataset):
    first, again, other = (dataset[ClipIndex(0, 0, seed)] for seed in (5, 5, 6))
    assert torch.equal(first["inputs"], again["inputs"])
    truth, same = (c["data_samples"].gt_instances for c in (first, again))
    assert torch.equal(truth.masks, same.masks)
    assert first["data_samples"].clip_seed == 5 != other["data_samples"].clip_seed


def test_a_clip_is_complete(dataset):
    clip = dataset[ClipIndex(0, 1, 3)]
    inputs, sample = clip["inputs"], clip["data_samples"]
    assert inputs.shape == (2, 3, 32, 48) and inputs.dtype == torch.uint8
    facts = {"dataset", "label_space", "video_id", "frame_ids", "ori_shape"}
    assert facts <= set(sample.metainfo_keys())
    assert (sample.dataset, sample.label_space) == ("ytvis21", "ytvis21")
    truth = sample.gt_instances
    assert truth.masks.shape == (len(truth), 2, 32, 48)
    assert truth.masks.dtype == torch.bool and truth.labels.dtype == torch.int64
    assert torch.equal(truth.present, truth.masks.flatten(2).any(-1))
    assert truth.present.any(1).all(), "no object without a pixel"
    assert sample.ignored_instances.masks.shape[1:] == truth.masks.shape[1:]


def test_it_says_what_samplers_and_checkpoints_ask(dataset):
    assert dataset.names == ("ytvis21",) and dataset.sizes == {"ytvis21": 2}
    assert len(dataset) == 2
    json.dumps(dataset.metainfo)
    sampler = MultiDatasetVideoSampler(dataset, batch_size=1, seed=0)
    drawn = next(iter(sampler))
    assert dataset[drawn]["data_samples"].clip_seed == drawn.seed


def test_videos_that_are_not_there_are_refused(dataset):
    with pytest.raises(IndexError):
        dataset[ClipIndex(0, 2, 0)]
