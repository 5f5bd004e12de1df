"""The example of the README tracks a video with the model that ships."""

import re

import cv2
import numpy as np
from helpers.config_family import ROOT


def test_the_first_example_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    (example,) = (block for block in blocks if "VISInferencer(" in block)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMT_VIS_HOME", str(tmp_path / "home"))
    size = (160, 96)
    video = cv2.VideoWriter("holiday.mp4", cv2.VideoWriter_fourcc(*"mp4v"), 10, size)
    for step in range(3):
        image = np.full((96, 160, 3), 90, np.uint8)
        cv2.circle(image, (50 + 10 * step, 48), 24, (40, 60, 220), -1)
        video.write(image)
    video.release()
    # At this threshold a circle need not be anything; at 0 something always is.
    names = {}
    exec(example.replace("score_thr=0.5", "score_thr=0"), names)
    assert names["result"].num_frames == 3
    assert capsys.readouterr().out.count("\n") >= len(names["result"].tracks) > 0
    assert names["masks"].shape == (3, 96, 160)
    assert not (tmp_path / "home").exists()
