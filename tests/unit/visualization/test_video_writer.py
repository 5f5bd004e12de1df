"""What is written can be read back: frames, colours, timing."""

import cv2
import numpy as np
import pytest
from PIL import Image

from tmt_vis.visualization import SheetVideo, contact_sheet, write_image, write_video
from tmt_vis.visualization.contact_sheet import sample_frames

RED, BLUE = (200, 30, 40), (20, 60, 210)


def clip(num_frames, height=32, width=48):
    """Red above blue, with a white bar that moves down."""
    frames = np.empty((num_frames, height, width, 3), dtype=np.uint8)
    frames[:, : height // 2], frames[:, height // 2 :] = RED, BLUE
    for index in range(num_frames):
        frames[index, 2 * index : 2 * index + 2] = 255
    return frames


def read_mp4(path):
    capture = cv2.VideoCapture(str(path))
    fps, frames = capture.get(cv2.CAP_PROP_FPS), []
    while (read := capture.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    capture.release()
    return np.stack(frames), fps


@pytest.mark.parametrize("size", [(32, 48), (33, 47)])
def test_mp4_keeps_frames_colors_and_rate(tmp_path, size):
    frames = clip(5, *size)
    path = tmp_path / "new" / "clip.mp4"
    assert write_video(path, iter(frames), fps=12).num_frames == 5
    read, fps = read_mp4(path)
    assert fps == pytest.approx(12)
    assert read.shape == (5, size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    difference = np.abs(read[:, : size[0], : size[1]].astype(int) - frames)
    assert difference.mean() < 6


def test_gif_keeps_frames_colors_and_rate(tmp_path):
    frames = clip(5)
    assert write_video(tmp_path / "clip.gif", iter(frames), fps=10) == (5, "GIF")
    with Image.open(tmp_path / "clip.gif") as gif:
        assert gif.n_frames == 5
        assert gif.info["duration"] == 100
        for index, frame in enumerate(frames):
            gif.seek(index)
            assert np.array_equal(np.asarray(gif.convert("RGB")), frame)


def test_gif_bytes_do_not_change(tmp_path):
    for name in ("a.gif", "b.gif"):
        write_video(tmp_path / name, clip(3), fps=5)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_bad_frames_are_named(tmp_path, ending):
    path = tmp_path / f"clip.{ending}"
    with pytest.raises(ValueError, match="no frames"):
        write_video(path, [], fps=5)
    with pytest.raises(ValueError, match=r"\(32, 50, 3\) at 1"):
        write_video(path, [clip(1)[0], clip(1, width=50)[0]], fps=5)
    with pytest.raises(ValueError, match="float64"):
        write_video(path, clip(1) / 255.0, fps=5)


def test_endings_and_folders(tmp_path):
    with pytest.raises(ValueError, match=r"end in .mp4, .*, .gif, got clip.wmv"):
        write_video(tmp_path / "clip.wmv", clip(1), fps=5)
    (tmp_path / "clip.mp4").mkdir()
    with pytest.raises(OSError, match=r"clip.mp4 is a folder; name a file"):
        write_video(tmp_path / "clip.mp4", clip(1), fps=5)


def test_sampled_frames():
    assert sample_frames(12, 5) == [0, 3, 6, 8, 11]
    assert sample_frames(3, 5) == [0, 1, 2]
    assert sample_frames(1, 5) == [0]


def test_sheet_shows_sampled_frames_under_each_other(tmp_path):
    dark = np.zeros((9, 32, 48, 3), dtype=np.uint8)
    dark[:] = np.arange(9, dtype=np.uint8)[:, None, None, None] * 20
    video = SheetVideo("ytvis19", "v1", {"ground truth": dark, "prediction": dark + 5})
    sheet = contact_sheet([video, video], columns=3, cell_width=48)
    assert sheet.shape == (2 * (24 + 2 * 38 + 6) + 6, 150 + 3 * 54, 3)
    for row in range(2):
        for column, frame in enumerate([0, 4, 8]):
            top, left = 6 + row * 106 + 24, 150 + column * 54
            cell = sheet[top : top + 32, left : left + 48]
            below = sheet[top + 38 : top + 70, left : left + 48]
            assert (cell == 20 * frame).all()
            assert (below == 20 * frame + 5).all()
    write_image(tmp_path / "new" / "sheet.png", sheet)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "new" / "sheet.png")), sheet)


def test_long_names_stay_left_of_the_frames():
    frames = {"prediction": clip(2)}
    sheets = [
        contact_sheet([SheetVideo(name, name, frames)], columns=2, cell_width=48)
        for name in ("d", "a data set and video of a name without end")
    ]
    assert np.array_equal(sheets[0][:, 146:], sheets[1][:, 146:])
    assert not np.array_equal(sheets[0], sheets[1])


def test_sheet_errors_are_named():
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])
    with pytest.raises(ValueError, match="'v1' differ in length"):
        contact_sheet([SheetVideo("d", "v1", {"a": clip(2), "b": clip(3)})])
