"""Several datasets as one."""

import io
import json
from dataclasses import replace

import pytest
import torch
from helpers.mini_vis import Track, Video, native_json, write_json
from mmdet.registry import DATASETS

from tmt_vis.datasets import ClipIndex, MultiDatasetVideoDataset
from tmt_vis.taxonomy import LabelSpace


class Identity:
    def __call__(self, results):
        return results


def config(tmp_path, name: str, num_videos: int, label_space: str, **options) -> dict:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    category = dict(ytvis19="dog", ovis="Dog", uvo="dog")[label_space]
    videos = [
        Video(100 + i, 3, [Track([(2, 3, 9, 9)] * 3, track_id=0, category_id=55)])
        for i in range(num_videos)
    ]
    write_json(folder, native_json(videos, categories=[dict(id=55, name=category)]))
    return dict(
        type="VISDataset",
        label_space=label_space,
        ann_file="train.json",
        data_root=str(folder),
        pipeline=[Identity()],
        **options,
    )


def mixture(tmp_path, **options) -> MultiDatasetVideoDataset:
    datasets = dict(
        y19=config(tmp_path, "y19", 3, "ytvis19", **options),
        ovis=config(tmp_path, "ovis", 1, "ovis", **options),
        uvo=config(tmp_path, "uvo", 2, "uvo", **options),
    )
    return DATASETS.build(dict(type="MultiDatasetVideoDataset", datasets=datasets))


def test_flat_positions_walk_through_the_datasets_in_order(tmp_path):
    dataset = mixture(tmp_path, test_mode=True)
    assert len(dataset) == 6
    where = [(r["dataset"], r["video_id"]) for r in (dataset[i] for i in range(6))]
    assert where == [
        *[("y19", 100), ("y19", 101), ("y19", 102)],
        *[("ovis", 100), ("uvo", 100), ("uvo", 101)],
    ]
    for outside in (6, -1):
        with pytest.raises(IndexError):
            dataset[outside]


def test_clip_indices_address_datasets_and_keep_their_slots(tmp_path):
    dataset = mixture(tmp_path)
    assert dataset.names == ("y19", "ovis", "uvo")
    assert dataset.sizes == dict(y19=3, ovis=1, uvo=2)
    for number, name in enumerate(dataset.names):
        results = dataset[ClipIndex(number, 0, 5)]
        space = dataset.datasets[number].label_space
        assert (results["dataset"], results["label_space"]) == (name, space.name)
        slot = results["instances"][0][0].slot
        assert space.names[slot].lower() == "dog"
    # the same animal, three different slots
    assert len({d.label_space.slot_of_name("dog") for d in dataset.datasets}) == 3


def test_metainfo_survives_a_weights_only_checkpoint(tmp_path):
    meta = mixture(tmp_path).metainfo
    buffer = io.BytesIO()
    torch.save(meta, buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True) == meta
    assert meta["datasets"] == dict(y19="ytvis19", ovis="ovis", uvo="uvo")
    assert meta["label_spaces"]["uvo"]["source_ids"][-1] == 91
    json.dumps(meta)


def test_wrong_mixtures_are_refused(tmp_path):
    one = config(tmp_path, "a", 1, "ytvis19")
    with pytest.raises(ValueError, match="at least one"):
        MultiDatasetVideoDataset({})
    with pytest.raises(ValueError, match="'a'.*'b'.*remove `name`"):
        MultiDatasetVideoDataset(dict(a=dict(one, name="b")))
    built = DATASETS.build(dict(one, name="a"))
    assert MultiDatasetVideoDataset(dict(a=built)).names == ("a",)
    with pytest.raises(ValueError, match="it calls itself 'a'"):
        MultiDatasetVideoDataset(dict(b=built))


def test_two_label_spaces_of_one_name_are_refused(tmp_path):
    space = LabelSpace.load("ytvis19")
    fewer = replace(space, categories=space.categories[:9])
    datasets = dict(
        a=config(tmp_path, "a", 1, "ytvis19"),
        b=dict(config(tmp_path, "b", 1, "ytvis19"), label_space=fewer),
    )
    with pytest.raises(ValueError, match="'a' and 'b' use two different label spaces"):
        MultiDatasetVideoDataset(datasets)
    same = dict(config(tmp_path, "b", 1, "ytvis19"), label_space=space)
    assert len(MultiDatasetVideoDataset(dict(datasets, b=same))) == 2
