"""Uploads and words that the page refuses, and what it says then."""

import pytest
from helpers.tiny_inference import frames, write_video_file
from helpers.tiny_web import tiny_run, upload_file

from tmt_vis.inference import FrameSourceError
from tmt_vis.web import Limits, WebError, open_checked

LIMITS = Limits(upload_mb=1, frames=6, side=64, words=3, word_length=12)


def test_a_video_within_the_limits_is_opened(tmp_path):
    source = open_checked(upload_file(tmp_path), LIMITS)
    assert (source.num_frames, source.width, source.height) == (6, 48, 32)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"dear diary", "notes.mp4 is no video; upload MP4"),
        (b"", "is no video"),
        # FFmpeg would fetch what a playlist names.
        (b"#EXTM3U\n#EXTINF:1,\nhttp://example.org/a.ts\n", "is no video"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "is no video"),
    ],
)
def test_files_that_are_no_videos(tmp_path, content, said):
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(WebError, match=said):
        open_checked(path, LIMITS)


def test_a_damaged_video_is_told_apart_from_no_video(tmp_path):
    path = tmp_path / "cut.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(500))
    with pytest.raises(FrameSourceError, match="cannot decode"):
        open_checked(path, LIMITS)


def test_too_long(tmp_path):
    with pytest.raises(WebError, match=r"may have 6 frames, this one has 7 \(1 s at 5"):
        open_checked(upload_file(tmp_path, count=7), LIMITS)


def test_a_length_that_the_file_does_not_tell_is_counted(tmp_path, monkeypatch):
    from tmt_vis.inference import VideoFile

    monkeypatch.setattr(
        VideoFile,
        "num_frames",
        property(lambda self: None, lambda *_: 0),
        raising=False,
    )
    with pytest.raises(WebError, match="may have 4 frames, this one has 5"):
        tiny_run(tmp_path, limits=Limits(frames=4))
    assert not (tmp_path / "run").exists()


def test_frames_too_large(tmp_path):
    path = write_video_file(tmp_path / "wide.avi", frames(2, size=(32, 80)))
    with pytest.raises(WebError, match="may have 64 pixels .* these have 80x32"):
        open_checked(path, LIMITS)


def test_a_file_too_large():
    LIMITS.check_upload(10**6)
    with pytest.raises(WebError, match="may have 1 MB, this one has at least 1.5"):
        LIMITS.check_upload(1_500_000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dog, red  bus", ("dog", "red bus")),
        ("dog\ncat,,\n", ("dog", "cat")),
        # The name of a file stays a word: visitors do not choose files.
        ("a.json", ("a.json",)),
    ],
)
def test_words(text, words):
    assert LIMITS.parse_words(text) == words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs at least one word"),
        (" ,\n, ", "needs at least one word"),
        ("a,b,c,d", "may have 3 words, got 4"),
        ("a dog that is too long", "may have 12 characters, got 22"),
    ],
)
def test_words_that_are_refused(text, said):
    with pytest.raises(WebError, match=said):
        LIMITS.parse_words(text)
