"""Items are pure functions of their index; broken clips are replaced, in the open."""

import random

import numpy as np
import pytest
import torch
from helpers.mini_vis import moving_video, write_dataset
from mmcv.transforms import BaseTransform
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from tmt_vis.datasets import ClipFetchError, ClipIndex, VISDataset

AUGMENT = dict(
    type="ClipBroadcaster",
    transforms=[
        dict(type="RandomFlip", prob=0.5),
        dict(type="RandomCrop", crop_size=(30, 20)),
        dict(type="PhotoMetricDistortion"),
    ],
)
PIPELINE = [
    dict(type="LoadClipFrames"),
    dict(type="LoadClipAnnotations"),
    AUGMENT,
    dict(type="PackClipInputs"),
]


def make(tmp_path, pipeline=PIPELINE, num_videos=3, **options) -> VISDataset:
    files = write_dataset(tmp_path, [moving_video(i, 8) for i in range(num_videos)])
    return VISDataset(
        name="d", label_space="ytvis19", pipeline=pipeline, **files, **options
    )


def digest(packed) -> tuple:
    truth, sample = packed["data_samples"].gt_instances, packed["data_samples"]
    arrays = [packed["inputs"], truth.masks, truth.ids, truth.labels]
    facts = (sample.video_id, tuple(sample.frame_ids), sample.clip_seed)
    return *facts, *(array.numpy().tobytes() for array in arrays)


INDICES = [ClipIndex(0, i % 3, 100 + i) for i in range(6)]


def test_an_item_depends_on_its_index_only(tmp_path):
    dataset = make(tmp_path)
    first = [digest(dataset[index]) for index in INDICES]
    np.random.seed(1)
    random.seed(2)
    again = [digest(make(tmp_path)[index]) for index in reversed(INDICES)]
    assert first == again[::-1]
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_item_does_not_depend_on_the_number_of_workers(tmp_path, workers):
    dataset = make(tmp_path)
    loader = DataLoader(
        dataset, sampler=INDICES, num_workers=workers, collate_fn=lambda items: items[0]
    )
    here = [digest(dataset[index]) for index in INDICES]
    assert [digest(packed) for packed in loader] == here


def test_global_generators_are_left_as_they_were(tmp_path):
    dataset = make(tmp_path)
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(3)
    expected = (random.random(), np.random.rand(), torch.rand(()).item())
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(3)
    dataset[ClipIndex(0, 1, 77)]
    assert (random.random(), np.random.rand(), torch.rand(()).item()) == expected


class DrawsFromAll(BaseTransform):
    def transform(self, results):
        draws = (random.random(), np.random.rand(), torch.rand(()).item())
        results["num_refetch"] = draws
        return results


def test_every_generator_a_transform_may_use_is_seeded(tmp_path):
    pipeline = [*PIPELINE[:3], DrawsFromAll(), PIPELINE[3]]
    dataset = make(tmp_path, pipeline)
    drawn = [dataset[index]["data_samples"].num_refetch for index in INDICES[:3]]
    for column in zip(*drawn, strict=True):
        assert len(set(column)) == 3
    again = [dataset[index]["data_samples"].num_refetch for index in INDICES[:3]]
    assert drawn == again


def test_plain_positions_draw_their_seed_from_numpy(tmp_path):
    dataset = make(tmp_path)
    np.random.seed(5)
    seeds = [dataset[1]["data_samples"].clip_seed for _ in range(3)]
    np.random.seed(5)
    assert [dataset[1]["data_samples"].clip_seed for _ in range(3)] == seeds
    assert len(set(seeds)) == 3
    with pytest.raises(IndexError):
        dataset[3]
    with pytest.raises(IndexError):
        dataset[-1]


class RejectVideo(BaseTransform):
    def __init__(self, video_id):
        self.video_id = video_id

    def transform(self, results):
        return None if results["video_id"] == self.video_id else results


@pytest.fixture
def warnings_logged(caplog):
    """Listen at the door of MMEngine's logger, which does not propagate."""
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_none_of_a_wrapped_transform_replaces_the_clip(tmp_path, warnings_logged):
    reject = dict(type="ClipBroadcaster", transforms=[RejectVideo(1)])
    dataset = make(tmp_path, [*PIPELINE[:2], reject, PIPELINE[3]])
    sample = dataset[ClipIndex(0, 1, 9)]["data_samples"]
    assert (sample.video_id, sample.num_refetch) == (2, 1)
    assert dataset.refetches == {"rejected": 1}
    assert "RejectVideo returned None for frame 0" in warnings_logged.text
    # (video, clip_seed) of a replacement names exactly the clip that was delivered
    named = dataset[ClipIndex(0, 2, sample.clip_seed)]["data_samples"]
    assert named.frame_ids == sample.frame_ids and named.num_refetch == 0


def test_replacements_are_pure_too(tmp_path):
    dataset = make(tmp_path, max_refetch=2)
    (tmp_path / "v0/00003.png").write_bytes(b"")
    indices = [ClipIndex(0, 0, seed) for seed in range(8)]
    first = [digest(dataset[index]) for index in indices]
    assert dataset.refetches["frame"] > 0
    assert first == [digest(dataset[index]) for index in indices]


def test_broken_frames_are_replaced_and_counted(tmp_path):
    dataset = make(tmp_path)
    for t in range(8):
        (tmp_path / f"v2/{t:05d}.png").unlink()
    samples = [dataset[ClipIndex(0, 2, seed)]["data_samples"] for seed in range(4)]
    assert [s.video_id for s in samples] == [0] * 4
    assert [s.num_refetch for s in samples] == [1] * 4
    assert dataset.refetches == {"frame": 4}


def test_a_replacement_from_the_same_video_has_other_frames(tmp_path):
    dataset = make(tmp_path, PIPELINE[:2] + PIPELINE[3:], num_videos=1)
    (tmp_path / "v0/00003.png").unlink()
    samples = [dataset[ClipIndex(0, 0, seed)]["data_samples"] for seed in range(20)]
    assert all(3 not in sample.frame_ids for sample in samples)
    assert dataset.refetches["frame"] > 0


def test_replacing_stops_after_max_refetch(tmp_path):
    dataset = make(tmp_path, data_prefix=dict(img="wrong_folder"), max_refetch=4)
    with pytest.raises(ClipFetchError, match="max_refetch=4.*wrong_folder") as error:
        dataset[ClipIndex(0, 0, 0)]
    assert dataset.refetches == {"frame": 5}
    assert "00" in str(error.value.__cause__)


def test_rejecting_everything_is_an_error_and_no_endless_loop(
    tmp_path, warnings_logged
):
    dataset = make(tmp_path, [RejectVideo(0), *PIPELINE], num_videos=1, max_refetch=3)
    with pytest.raises(ClipFetchError, match="max_refetch=3.*RejectVideo returned"):
        dataset[ClipIndex(0, 0, 5)]
    assert dataset.refetches == {"rejected": 4}
    assert warnings_logged.text.count("RejectVideo returned None") == 4


def test_test_videos_are_never_replaced(tmp_path):
    pipeline = [PIPELINE[0], RejectVideo(1), PIPELINE[3]]
    dataset = make(tmp_path, pipeline, test_mode=True)
    assert dataset[0]["data_samples"].video_id == 0
    with pytest.raises(ClipFetchError, match="video v1.*never replaced"):
        dataset[1]


def test_two_frames_of_a_long_video_do_not_load_the_rest(tmp_path, monkeypatch):
    from tmt_vis.datasets import record_store

    dataset = make(tmp_path)
    loads = []
    unpickle = record_store.pickle.loads
    monkeypatch.setattr(
        record_store.pickle, "loads", lambda data: loads.append(1) or unpickle(data)
    )
    dataset.index.frame(1, 2), dataset.index.frame(1, 5)
    assert len(loads) == 2


def test_items_collate_like_any_mmengine_sample(tmp_path):
    dataset = make(tmp_path)
    batch = pseudo_collate([dataset[index] for index in INDICES[:2]])
    assert [clip.shape for clip in batch["inputs"]] == [(2, 3, 20, 30)] * 2
    assert [s.clip_seed for s in batch["data_samples"]] == [100, 101]
