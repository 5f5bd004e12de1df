"""The store that all loader workers share."""

import pickle
from io import BytesIO
from multiprocessing.reduction import ForkingPickler

import pytest
import torch
from helpers.mini_vis import moving_video, native_json, write_json

from tmt_vis.datasets import VISDataset
from tmt_vis.datasets.record_store import RecordStore

RECORDS = [("a", 1), None, [b"x" * 3000], {"k": (2, 3)}]


def test_records_come_back_one_by_one():
    store = RecordStore(iter(RECORDS))
    assert [store[i] for i in range(len(store))] == RECORDS
    with pytest.raises(IndexError, match="record 4 of 4"):
        store[4]
    assert len(RecordStore([])) == 0


def test_a_clip_of_two_frames_reads_the_records_of_two_frames(tmp_path, monkeypatch):
    write_json(tmp_path, native_json([moving_video(1, 40), moving_video(2, 40)]))
    options = dict(data_root=str(tmp_path), ann_file="train.json", pipeline=[])
    dataset = VISDataset(name="d", label_space="ytvis19", num_frames=2, **options)
    read = []
    get = RecordStore.__getitem__

    def spy(store, index):
        if store is dataset.index._frames:
            read.append(index)
        return get(store, index)

    monkeypatch.setattr(RecordStore, "__getitem__", spy)
    results = dataset[1]
    assert read == [40 + t for t in results["frame_ids"]] and len(read) == 2


def test_a_spawned_worker_gets_the_buffers_and_no_copy():
    store = RecordStore([b"x" * 10**6])
    file = BytesIO()
    ForkingPickler(file, 5).dump(store)
    assert file.tell() < 5000
    assert pickle.loads(pickle.dumps(store))[0] == store[0]
    assert isinstance(store._data, torch.Tensor)
