"""Videos with a variable rate, oblong pixels or frames in an image; and bombs."""

import json
import struct
import zlib
from unittest import mock

import cv2
import numpy as np
import pytest
from helpers.tiny_inference import frames, tiny_inferencer, write_images
from PIL import Image

from tmt_vis.image_content import check_claimed_size, check_header
from tmt_vis.inference import (
    ArrayFrames,
    FrameSourceError,
    VideoResult,
    open_source,
    write_json,
    write_masks,
    write_rendering,
    writers,
)
from tmt_vis.inference.frame_timing import timing_of

DELAYS = [100, 200, 50, 300, 100, 700]  # milliseconds
TIMES = (0.0, 0.1, 0.3, 0.35, 0.65, 0.75)


@pytest.mark.parametrize(
    ("times", "fps", "expected"),
    [
        ([0, 0.1, 0.2, 0.3], 10, (10, None)),
        ([5, 5.1, 5.2, 5.3], 10, (10, None)),  # does not start at 0
        ([0, 0.033, 0.067, 0.1], 29.97, (29.97, None)),  # Matroska: milliseconds
        ([0, 0.1, 0.2, 0.3], 1000, (10, None)),  # a rate that is a time base
        ([0, 0.1, 0.25, 0.3], 10, (10, None)),  # 15 ms late, shown the same
        ([0, 0.1, 0.2, 0.6], 10, (5, (0, 0.1, 0.2, 0.6))),
        ([2, 2.5, 5], 25, (2 / 3, (0, 0.5, 3))),
        ([0, 0, 0], 25, (25, None)),  # a decoder that knows no times
        ([0, 0.2, 0.1], 25, (25, None)),
        ([0, float("nan")], 25, (25, None)),
        ([0], 25, (25, None)),
        ([], 25, (25, None)),
    ],
)
def test_one_rate_or_times(times, fps, expected):
    timing = timing_of(times, fps)
    assert timing.fps == pytest.approx(expected[0])
    assert timing.times == (expected[1] and pytest.approx(expected[1]))


def animation(path):
    """Write frames that differ, at uneven times."""
    images = [Image.fromarray(f[..., ::-1]) for f in frames(6)]
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=DELAYS, lossless=True
    )
    return path


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.apng", "A.WEBP"])
def test_animations_are_videos(tmp_path, name):
    source = open_source(animation(tmp_path / name))
    read = list(source.frames())
    assert len(read) == 6 and source.truncated is None
    if not name.endswith("gif"):
        np.testing.assert_array_equal(read, frames(6))
        np.testing.assert_array_equal(list(source.frames(4)), frames(6)[4:])
        assert source.num_frames == 6
    timing = source.timing(6)
    assert timing.times == pytest.approx(TIMES)
    assert timing.fps == pytest.approx(5 / 0.75)
    assert open_source(tmp_path / name, fps=3).timing(6) == (3, None)


@pytest.mark.parametrize("name", ["a.webp", "a.png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_animations_are_turned_as_pictures_are(tmp_path, name, orientation):
    tag = Image.Exif()
    tag[274] = orientation
    images = [Image.fromarray(f[..., ::-1]) for f in frames(2)]
    options = dict(save_all=True, lossless=True, exif=tag)
    images[0].save(tmp_path / name, append_images=images[1:], **options)
    images[0].save(tmp_path / "one.png", exif=tag)
    source = open_source(tmp_path / name)
    read = next(iter(source.frames()))
    np.testing.assert_array_equal(read, cv2.imread(str(tmp_path / "one.png")))
    assert (source.height, source.width) == read.shape[:2]


def test_an_animation_is_no_frame(tmp_path):
    folder = write_images(tmp_path / "clip", frames(2))
    animation(folder / "frame9.webp")
    with pytest.raises(FrameSourceError, match=r"frame9.webp: is an animation"):
        list(open_source(folder).frames())


def test_a_damaged_animation(tmp_path):
    path = animation(tmp_path / "a.webp")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(FrameSourceError, match="a.webp: "):
        list(open_source(path).frames())


def test_times_reach_result_and_files(tmp_path):
    find = tiny_inferencer()
    path = animation(tmp_path / "a.gif")
    request = dict(score_thr=0, partial_dir=tmp_path / "partial")
    result = find(path, **request)
    assert result.frame_times == pytest.approx(TIMES)
    assert result.fps == pytest.approx(5 / 0.75)
    # Of a run that has ended nothing is read again.
    assert find(path, resume=True, **request) == result
    first = find(path, score_thr=0, max_frames=5)
    assert first.frame_times == pytest.approx(TIMES[:5])
    write_json(tmp_path / "t.json", {0: result})
    entries = json.loads((tmp_path / "t.json").read_text())
    assert all(e["frame_times"] == pytest.approx(TIMES) for e in entries)
    write_masks(tmp_path / "masks", result)
    index = json.loads((tmp_path / "masks" / "tracks.json").read_text())
    assert index["frame_times"] == pytest.approx(TIMES)
    with mock.patch.object(writers, "write_video") as write_video:
        write_rendering(tmp_path / "out.mp4", result, open_source(path))
    assert write_video.call_args.kwargs["times"] == pytest.approx(TIMES)


def test_one_rate_stays_out_of_the_files(tmp_path):
    result = tiny_inferencer()(ArrayFrames(frames(2), fps=7.0), score_thr=0)
    assert (result.fps, result.frame_times) == (7.0, None)
    write_json(tmp_path / "t.json", {0: result})
    assert "frame_times" not in (tmp_path / "t.json").read_text()


def y4m(path, aspect, count=3):
    """Write raw video of 48x32 pixels (width x height)."""
    head = f"YUV4MPEG2 W48 H32 F10:1 Ip A{aspect} C420jpeg\n".encode()
    frame = b"FRAME\n" + bytes([200]) * (48 * 32) + bytes([128]) * (48 * 32 // 2)
    path.write_bytes(head + frame * count)
    return path


@pytest.mark.parametrize(
    ("aspect", "width"), [("1:1", 48), ("0:0", 48), ("16:11", 70), ("1:2", 24)]
)
def test_oblong_pixels_are_drawn_as_they_are_shown(tmp_path, aspect, width):
    source = open_source(y4m(tmp_path / "a.y4m", aspect))
    assert (source.height, source.width) == (32, 48)  # masks count stored pixels
    result = VideoResult("a", "ovis", (), (), 32, 48, 10.0, 3)
    write_rendering(tmp_path / "a.gif", result, source)
    drawn = open_source(tmp_path / "a.gif")
    assert drawn.width / drawn.height == pytest.approx(width / 32, rel=0.02)


# --------------------------------------------------------------------------- bombs


def gif(width, height):
    return (
        b"GIF89a"
        + struct.pack("<HH", width, height)
        + (
            b"\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0"
            + struct.pack("<HH", width, height)
            + b"\0\x02\x02D\x01\0;"
        )
    )


def png(width, height):
    def chunk(kind, data):
        tail = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + tail

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99)))
    return b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b"")


def bmp(width, height):
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 1, 1, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.gif", gif(33024, 3344)),
        ("a.png", png(33024, 3344)),
        ("a.png", png(65000, 65000)),
        ("a.bmp", bmp(33024, 3344)),
        ("a.jpg", png(33024, 3344)),
    ],
)
def test_claims_are_checked_before_anything_is_allocated(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FrameSourceError, match=rf"{name}: .*(claims|bomb)"):
        list(open_source(path).frames())


def test_what_bytes_can_hold():
    check_claimed_size(8192, 8192, 60)  # one colour
    check_claimed_size(20000, 20000, 200_000)
    with pytest.raises(ValueError, match="claims 20000x20000 .* 199999 bytes can hold"):
        check_claimed_size(20000, 20000, 199_999)
    check_header(b"no image")
    check_header(png(640, 480))


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_rates_of_inputs(fps):
    with pytest.raises(FrameSourceError, match="must be a number > 0, got"):
        ArrayFrames(frames(1), fps=fps)


@pytest.mark.parametrize("max_frames", [0, -1])
def test_max_frames(max_frames):
    with pytest.raises(ValueError, match="max_frames must be >= 1, or None for all"):
        tiny_inferencer()(frames(1), max_frames=max_frames)
