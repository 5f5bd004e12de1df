"""Every container, with PyAV and without: frames, times and codec, read back."""

import cv2
import numpy as np
import pytest
from helpers.full_disk import full_disk
from PIL import Image

from tmt_vis.visualization import VIDEO_SUFFIXES, video_encoders, write_video

UNEVEN = [0.0, 0.1, 0.2, 0.5, 0.6, 1.2]
RED, BLUE = (200, 30, 40), (20, 60, 210)


@pytest.fixture(params=["PyAV", "OpenCV"])
def encoder(request, monkeypatch):
    if request.param == "PyAV":
        pytest.importorskip("av")
    else:
        monkeypatch.setattr(video_encoders, "has_encoder", lambda codec: False)
    return request.param


@pytest.fixture
def logged(monkeypatch):
    """Warnings of the encoders."""
    lines = []

    class Logger:
        def warning(self, text):
            lines.append(text)

        info = warning

    monkeypatch.setattr(video_encoders.MMLogger, "get_current_instance", Logger)
    video_encoders._note_vp9.cache_clear()
    return lines


def clip(count=6, height=32, width=48):
    """Red above blue, with a white bar that moves down."""
    frames = np.empty((count, height, width, 3), dtype=np.uint8)
    frames[:, : height // 2], frames[:, height // 2 :] = RED, BLUE
    for index in range(count):
        frames[index, 4 * index : 4 * index + 4] = 255
    return frames


def read(path):
    """Return frames (RGB), their times in seconds, and the codec's four letters."""
    capture = cv2.VideoCapture(str(path))
    frames, times = [], []
    while capture.grab():
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        frames.append(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    return np.stack(frames), times, code.to_bytes(4, "little").decode()


CODES = {"H.264": ("avc1", "h264", "H264"), "VP9": ("vp09", "VP90"), "GIF": ("gif ",)}
CODES["MPEG-4 Part 2"] = ("mp4v", "XVID", "FMP4")
# suffix: with PyAV, without
CODECS = {
    ".mp4": ("H.264", "VP9"),
    ".MP4": ("H.264", "VP9"),
    ".mov": ("H.264", "MPEG-4 Part 2"),
    ".mkv": ("H.264", "VP9"),
    ".webm": ("VP9", "VP9"),
    ".Avi": ("MPEG-4 Part 2", "MPEG-4 Part 2"),
    ".gif": ("GIF", "GIF"),
}


def test_every_suffix_is_tried():
    assert {suffix.lower() for suffix in CODECS} == set(VIDEO_SUFFIXES)


@pytest.mark.parametrize("suffix", CODECS)
def test_frames_rate_and_codec(tmp_path, encoder, logged, suffix):
    path, frames = tmp_path / f"clip{suffix}", clip()
    codec = CODECS[suffix][encoder == "OpenCV"]
    assert write_video(path, iter(frames), fps=12.5) == (6, codec)
    shown, times, code = read(path)
    assert shown.shape == frames.shape and code in CODES[codec]
    assert np.abs(shown.astype(int) - frames).mean() < 12
    np.testing.assert_allclose(times, np.arange(6) / 12.5, atol=0.011)
    assert list(tmp_path.iterdir()) == [path]
    plays_anywhere = codec in ("H.264", "GIF") or suffix == ".webm"
    assert len(logged) == (not plays_anywhere)
    if codec == "MPEG-4 Part 2":
        assert "browsers do not play" in logged[0] and "ffmpeg -i" in logged[0]


@pytest.mark.parametrize("suffix", CODECS)
def test_uneven_times_are_kept_or_said_to_be_lost(tmp_path, encoder, logged, suffix):
    path = tmp_path / f"clip{suffix}"
    assert write_video(path, clip(), fps=1, times=UNEVEN).num_frames == 6
    _, times, _ = read(path)
    keeps = suffix == ".gif" or (encoder == "PyAV" and suffix.lower() != ".avi")
    lost = [line for line in logged if "uneven times" in line]
    assert len(lost) == (not keeps)
    expected = UNEVEN if keeps else np.linspace(0, 1.2, 6)
    np.testing.assert_allclose(times, expected, atol=0.011)


def test_gif_delays_add_up(tmp_path):
    """12 frames a second are 8.33 hundredths each; 0.4.2 wrote 8 and ran too fast."""
    write_video(tmp_path / "a.gif", clip(), fps=12)
    with Image.open(tmp_path / "a.gif") as gif:
        delays = [gif.seek(i) or gif.info["duration"] for i in range(6)]
    assert delays == [80, 90, 80, 80, 90, 80]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_rates(tmp_path, fps):
    with pytest.raises(ValueError, match="fps must be a number > 0, got"):
        write_video(tmp_path / "clip.mp4", clip(), fps=fps)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi"])
def test_a_full_disk(tmp_path, encoder, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (6, 64, 64, 3), dtype=np.uint8)
    with full_disk(600), pytest.raises(OSError, match="clip"):
        write_video(tmp_path / f"clip{suffix}", noise, fps=5)
    assert list(tmp_path.iterdir()) == []


def test_odd_sizes(tmp_path, encoder):
    write_video(tmp_path / "clip.mp4", clip(height=33, width=47), fps=5)
    assert read(tmp_path / "clip.mp4")[0].shape == (6, 34, 48, 3)
