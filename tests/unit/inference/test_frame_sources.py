"""Every way to give a video, and every way in which one can be broken."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.tiny_inference import frames, write_images, write_video_file

from tmt_vis.inference import (
    Camera,
    FrameSourceError,
    RecordedSource,
    group_inputs,
    open_source,
)


def _all(source, start=0):
    return [frame.copy() for frame in source.frames(start)]


def _same(read, images):
    assert len(read) == len(images)
    for one, other in zip(read, images, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def images():
    return frames(12)


@pytest.fixture
def folder(tmp_path, images):
    return write_images(tmp_path / "clip.frames", images)


def test_folder_in_the_order_of_numbers(folder, images):
    (folder / "notes.txt").write_text("no frame")
    (folder / "._frame0.png").write_bytes(b"left by a file manager")
    source = open_source(folder)
    assert (source.name, source.num_frames, source.fps) == ("clip.frames", 12, 10.0)
    assert (source.height, source.width) == images[0].shape[:2]
    _same(_all(source), images)
    _same(_all(source, start=9), images[9:])


@pytest.mark.parametrize("as_list", [True, False])
def test_pattern_and_list_of_images(folder, images, as_list):
    pattern = str(folder / "frame1*.png")
    video = sorted(folder.glob("frame1*.png"), key=lambda p: (len(p.name), p))
    source = open_source(video if as_list else pattern, fps=3)
    assert (source.name, source.fps) == ("clip.frames", 3)
    _same(_all(source), [images[1], images[10], images[11]])


def test_single_image(folder, images):
    source = open_source(str(folder / "frame4.png"))
    assert source.name == "frame4"
    _same(_all(source), [images[4]])


def test_arrays(images):
    _same(_all(open_source(images)), images)
    _same(_all(open_source(np.stack(images)), start=11), images[11:])


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
def test_video_file(tmp_path, images, suffix):
    path = write_video_file(tmp_path / f"clip{suffix}", images, fps=5)
    source = open_source(path)
    assert (source.name, source.num_frames, source.fps) == ("clip", 12, 5.0)
    read = _all(source)
    assert len(read) == 12 and source.truncated is None
    _same(_all(source, start=7), read[7:])
    assert open_source(path, fps=2).fps == 2


def test_cut_video_keeps_what_can_be_decoded(tmp_path, images, caplog):
    path = write_video_file(tmp_path / "clip.avi", images)
    whole = _all(open_source(path))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    source = open_source(path)
    read = _all(source)
    assert 3 <= len(read) <= 9
    # The frame at the cut may be half a frame.
    _same(read[:-1], whole[: len(read) - 1])
    assert f"{len(read)} of 12 frames could be decoded" in source.truncated


def test_a_few_frames_less_than_estimated_are_no_damage(tmp_path, images):
    source = open_source(write_video_file(tmp_path / "clip.avi", images))
    source.num_frames += 2
    assert len(_all(source)) == 12
    assert source.truncated is None


def test_identity_follows_the_content(folder, images, tmp_path):
    path = write_video_file(tmp_path / "clip.avi", images)
    for video in (folder, path, images):
        assert open_source(video).identity() == open_source(video).identity()
    before = open_source(folder).identity(), open_source(images).identity()
    write_images(folder, [np.zeros((5, 5, 3), np.uint8)])
    images[3][0, 0, 0] ^= 1
    assert open_source(folder).identity() != before[0]
    assert open_source(images).identity() != before[1]


BROKEN = {
    "missing": (lambda root: root / "nothing.mp4", "no such file or folder"),
    "no match": (lambda root: str(root / "*.tif"), "no file matches"),
    "empty folder": (lambda root: root / "empty", "holds no image, only 0 other"),
    "folder of videos": (lambda root: root / "videos", "holds no image, only 1 other"),
    "not a video": (lambda root: root / "videos" / "junk.mp4", "cannot decode this"),
    "not an image": (lambda root: root / "junk.png", "not a complete image"),
    "cut image": (lambda root: root / "cut.jpg", "not a complete image"),
    "no frames": (lambda root: [], "at least one frame, got none"),
    "grey frames": (lambda root: [np.zeros((4, 4), np.uint8)], r"BGR order, got \(dty"),
    "float frames": (lambda root: [np.zeros((4, 4, 3))], "BGR order, got"),
    "no array": (lambda root: [None], "BGR order, got NoneType at 0"),
    "a truth value": (lambda root: True, "must be a path or frames, got True"),
    "no camera": (lambda root: 4321, "camera 4321 gives no frame"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_inputs(tmp_path, case):
    make, message = BROKEN[case]
    (tmp_path / "empty").mkdir()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "junk.mp4").write_bytes(b"junk" * 99)
    (tmp_path / "junk.png").write_bytes(b"junk")
    whole = cv2.imencode(".jpg", frames(1)[0])[1].tobytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:-50])
    with pytest.raises(FrameSourceError, match=message):
        open_source(make(tmp_path))


def test_cut_image_is_refused_although_the_decoder_fills_it(tmp_path, monkeypatch):
    """OpenCV before 5 decodes the missing part of a JPEG as grey, without a word."""
    whole = cv2.imencode(".jpg", frames(1)[0])[1].tobytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:-50])
    monkeypatch.setattr("mmcv.imfrombytes", lambda *_, **__: frames(1)[0])
    with pytest.raises(FrameSourceError, match="not a complete image"):
        open_source(tmp_path / "cut.jpg")


def test_frames_of_other_size_are_named(folder):
    write_images(folder, [])
    assert cv2.imwrite(str(folder / "frame3.png"), np.zeros((9, 7, 3), np.uint8))
    with pytest.raises(FrameSourceError, match=r"frame3.png is 9x7 .* is 32x48"):
        _all(open_source(folder))


def test_pattern_of_several_videos_is_not_one_video(tmp_path, images):
    for name in "ab":
        write_video_file(tmp_path / f"{name}.avi", images)
    with pytest.raises(FrameSourceError, match="matches 2 files"):
        open_source(str(tmp_path / "*.avi"))
    pattern = str(tmp_path / "*.avi")
    assert [Path(p).name for p in group_inputs([pattern])] == ["a.avi", "b.avi"]


def test_words_of_a_command_line(folder, tmp_path):
    images = [str(folder / f"frame{i}.png") for i in (10, 2, 1)]
    (one,) = group_inputs(images)
    assert [path.name for path in one] == ["frame1.png", "frame2.png", "frame10.png"]
    pattern = str(folder / "*.png")
    mixed = ["0", str(folder), pattern, images[0]]
    assert group_inputs(mixed) == [0, str(folder), pattern, images[0]]


class _FakeCapture:
    """A camera that shows three frames and is then unplugged."""

    def __init__(self, index):
        self.left = frames(3)

    def isOpened(self):  # noqa: N802 (OpenCV's name)
        return True

    def read(self):
        return (True, self.left.pop(0)) if self.left else (False, None)

    def get(self, key):
        return 0.0

    def release(self):
        self.left = []


def test_camera_is_read_once_and_can_be_recorded(monkeypatch, tmp_path):
    monkeypatch.setattr(cv2, "VideoCapture", _FakeCapture)
    camera = open_source(7)
    assert isinstance(camera, Camera)
    assert (camera.name, camera.num_frames, camera.endless) == ("camera7", None, True)
    recorded = RecordedSource(camera, tmp_path)
    assert not recorded.resumable and recorded.endless
    _same(_all(recorded), frames(3))
    assert "camera7 stopped after 3 frames" in recorded.truncated
    _same(_all(recorded), frames(3))
    with pytest.raises(FrameSourceError, match="can be read once"):
        _all(camera)
    with pytest.raises(FrameSourceError, match="cannot be resumed"):
        recorded.identity()
