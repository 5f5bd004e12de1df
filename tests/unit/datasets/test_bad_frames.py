"""Frames that cannot be read: replaced and counted in training, an error in tests."""

import shutil
import struct
from unittest import mock

import cv2
import numpy as np
import pytest
from helpers.mini_vis import moving_video, write_dataset

from tmt_vis.datasets import ClipFetchError, ClipIndex, FrameError, VISDataset

PIPELINE = [dict(type="LoadClipFrames"), dict(type="PackClipInputs")]


def other_size(path):
    cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))


def claiming(width, height):
    """Make a BMP of 54 bytes whose header claims a size."""
    sides = struct.pack("<iiHHIIiiII", width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHII", 54, 0, 0, 54, 40) + sides


def folder_is_missing(path):
    shutil.rmtree(path.parent, ignore_errors=True)


DAMAGES = {
    "missing file": lambda path: path.unlink(),
    "missing folder": folder_is_missing,
    "zero bytes": lambda path: path.write_bytes(b""),
    "corrupt": lambda path: path.write_bytes(b"\xff\xd8 no jpeg \xff\xd9"),
    "truncated": lambda path: path.write_bytes(b"\xff\xd8\xff\xe0 cut off"),
    "other size": other_size,
    "a bomb": lambda path: path.write_bytes(claiming(30000, 30000)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


def make(tmp_path, **options):
    videos = [moving_video(1, 2), moving_video(2, 2)]
    files = write_dataset(tmp_path, videos)
    return VISDataset(
        name="d", label_space="ytvis19", pipeline=PIPELINE, **files, **options
    )


@pytest.mark.parametrize("damage", DAMAGES)
def test_training_takes_another_clip_and_counts(tmp_path, damage):
    dataset = make(tmp_path)
    for frame in sorted((tmp_path / "v1").iterdir()):
        DAMAGES[damage](frame)
    sample = dataset[ClipIndex(0, 0, 3)]["data_samples"]
    assert (sample.video_id, sample.num_refetch) == (2, 1)
    assert dataset.refetches == {"frame": 1}


@pytest.mark.parametrize("damage", DAMAGES)
def test_tests_name_the_file(tmp_path, damage):
    dataset = make(tmp_path, test_mode=True)
    DAMAGES[damage](tmp_path / "v1/00001.png")
    with pytest.raises(FrameError, match=r"v1/0000[01]\.png"):
        dataset[0]


def test_bombs_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    dataset = make(tmp_path, test_mode=True)
    (tmp_path / "v1/00001.png").write_bytes(claiming(30000, 30000))
    monkeypatch.setattr("cv2.imdecode", mock.Mock(side_effect=AssertionError))
    (tmp_path / "v1/00000.png").write_bytes(claiming(30000, 30000))
    with pytest.raises(FrameError, match="cannot be decoded .*exhaust memory"):
        dataset[0]


def test_no_frames_at_all_names_the_folder(tmp_path):
    dataset = make(tmp_path, max_refetch=3)
    shutil.rmtree(tmp_path / "v1")
    shutil.rmtree(tmp_path / "v2")
    with pytest.raises(ClipFetchError, match=f"data_prefix.*{tmp_path}"):
        dataset[ClipIndex(0, 0, 0)]
    assert dataset.refetches == {"frame": 4}
