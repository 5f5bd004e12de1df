"""Videos become folders of frames with their times."""

import json

import cv2
import numpy as np
import pytest
from helpers.tiny_inference import frames, write_video_file

from tmt_vis.dataset_tools.frame_extraction import ExtractOptions, extract_frames
from tmt_vis.inference import ArrayFrames, FrameSourceError
from tmt_vis.inference.frame_timing import FrameTiming


def test_every_third_frame_with_its_time(tmp_path):
    images = frames(10)
    source = ArrayFrames(images, name="yard", fps=4.0)
    out = tmp_path / "frames" / "yard"
    options = ExtractOptions(every=3, suffix=".png")
    assert extract_frames(source, out, options) == 4
    index = json.loads((out / "frames.json").read_text())
    assert (index["video"], index["fps"]) == ("yard", 4.0)
    assert index["frames"] == [
        {"file": f"{k:06d}.png", "frame": 3 * k, "time": 0.75 * k} for k in range(4)
    ]
    for row in index["frames"]:
        read = cv2.imread(str(out / row["file"]))
        np.testing.assert_array_equal(read, images[row["frame"]])


def test_uneven_times_are_kept(tmp_path):
    class Uneven(ArrayFrames):
        def timing(self, num_frames):
            return FrameTiming(2.0, (0.0, 0.1, 1.7)[:num_frames])

    options = ExtractOptions(every=2)
    extract_frames(Uneven(frames(3)), tmp_path / "a", options)
    index = json.loads((tmp_path / "a" / "frames.json").read_text())
    assert [row["time"] for row in index["frames"]] == [0.0, 1.7]


def test_a_video_that_breaks_off_leaves_nothing(tmp_path):
    source = ArrayFrames(frames(3))
    source.truncated = "3 of 9 frames could be decoded"
    with pytest.raises(FrameSourceError, match="3 of 9.*--max-frames 3"):
        extract_frames(source, tmp_path / "a", ExtractOptions())
    assert list(tmp_path.iterdir()) == []


def test_the_tool(tmp_path, capsys, load_tool):
    video = write_video_file(tmp_path / "yard.avi", frames(5))
    main = load_tool("extract_frames").main
    out = tmp_path / "frames"
    assert main([str(video), "--out", str(out), "--max-frames", "2"]) == 0
    assert "yard: 2 frames of " in capsys.readouterr().out
    names = sorted(path.name for path in (out / "yard").iterdir())
    assert names == ["000000.jpg", "000001.jpg", "frames.json"]
    assert main([str(video), "--out", str(out)]) == 1
    assert "yard exists; remove it" in capsys.readouterr().err
    twice = [str(video), str(tmp_path / "b" / "yard.avi"), "--out", str(tmp_path / "c")]
    assert main(twice) == 1
    assert "would both be" in capsys.readouterr().err
