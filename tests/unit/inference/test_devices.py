"""A device that is not there is named before anything is loaded."""

import pytest

from tmt_vis.inference import InferenceError, usable_device


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cuda:x", "", "cpu:0:1"])
def test_devices_that_are_not_there(device):
    with pytest.raises(InferenceError, match=r"device .*leave it out"):
        usable_device(device)


def test_devices_that_are_there():
    assert usable_device("cpu").type == "cpu"
    assert usable_device(None).type in ("cpu", "cuda")
