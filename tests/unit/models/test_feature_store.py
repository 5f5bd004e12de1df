"""Mask features come back as they were, from memory and from the file."""

import errno
import logging

import pytest
import torch

from tmt_vis.models.feature_store import MaskFeatureStore


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("in_memory", [0, 3, 4, 20])
def test_all_frames_come_back_with_the_same_bits(in_memory, dtype):
    frames = torch.randn(11, 2, 3, 5).to(dtype)
    store = MaskFeatureStore(frames_in_memory=in_memory)
    for chunk in frames.split([4, 4, 1, 2]):
        store.add(chunk)
    assert len(store) == 11
    on_disk = max(0, 11 - in_memory)
    assert store.bytes_on_disk == on_disk * frames[0].nbytes
    for _ in range(2):
        assert torch.equal(torch.stack([store[i] for i in range(11)]), frames)


def test_the_cost_is_logged(caplog, monkeypatch):
    logger = logging.getLogger("store")
    monkeypatch.setattr(
        "tmt_vis.models.feature_store.MMLogger.get_current_instance", lambda: logger
    )
    store = MaskFeatureStore(frames_in_memory=1)
    store.add(torch.zeros(1, 1, 2, 2))
    with caplog.at_level(logging.INFO):
        store.report()
        assert not caplog.records
        store.add(torch.zeros(2, 1, 2, 2))
        store.report()
    assert "features of 2 of 3 frames went through a file" in caplog.text


def test_a_full_disk_is_an_error_with_a_remedy(monkeypatch):
    class Full:
        def seek(self, place):
            pass

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(
        "tmt_vis.models.feature_store.tempfile.TemporaryFile", lambda dir: Full()
    )
    store = MaskFeatureStore(frames_in_memory=0)
    with pytest.raises(OSError, match=r"frame 0 on, .* mask_store.directory") as caught:
        store.add(torch.zeros(1, 1, 2, 2))
    assert caught.value.errno == errno.ENOSPC


def test_a_negative_number_is_refused():
    with pytest.raises(ValueError, match="frames_in_memory must be >= 0, got -1"):
        MaskFeatureStore(frames_in_memory=-1)
