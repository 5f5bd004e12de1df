"""Which videos a run on many videos takes, and which part of them a process."""

import os

import numpy as np
import pytest
from helpers.tiny_inference import frames, write_images
from PIL import Image

from tmt_vis.inference import InferenceError
from tmt_vis.inference.many_videos import (
    Shard,
    list_videos,
    local_device,
    parse_shard,
    shard_from_environment,
)
from tmt_vis.inference.outputs import unique_names


@pytest.fixture
def tree(tmp_path):
    """Two folders of video files with a name in common, and a folder of frames."""
    for name in ("a/clip10.mp4", "a/clip2.MOV", "b/clip2.avi", "b/clip2-2.avi"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    write_images(tmp_path / "frames", frames(2))
    return tmp_path


def shown(listing, root):
    return {v.name: v.path.relative_to(root).as_posix() for v in listing.videos}


def test_a_folder_of_videos_is_many_and_a_folder_of_frames_is_one(tree):
    assert shown(list_videos([str(tree / "a")]), tree) == {
        "clip2": "a/clip2.MOV",
        "clip10": "a/clip10.mp4",
    }
    assert shown(list_videos([str(tree / "frames")]), tree) == {"frames": "frames"}


def test_videos_of_one_name_have_names_of_their_own(tree):
    """`clip2-2.avi` comes first and keeps its name; ids are places in the list."""
    listing = list_videos([str(tree / "b"), str(tree / "a")])
    assert shown(listing, tree) == {
        "clip2": "b/clip2.avi",
        "clip2-2": "b/clip2-2.avi",
        "clip2-3": "a/clip2.MOV",
        "clip10": "a/clip10.mp4",
    }
    assert [v.id for v in listing.videos] == [0, 1, 2, 3]
    assert len({v.name for v in listing.videos}) == 4


def test_many_equal_names_take_no_quadratic_time():
    names = unique_names(
        ["video"] * 20_000
    )  # 4,000 took 11 s when each counted from 2 on
    assert names[-1] == "video-20000" and len(set(names)) == 20_000


def test_a_list_is_relative_to_the_working_folder(tree, monkeypatch):
    monkeypatch.chdir(tree)
    path = tree / "b" / "list.txt"
    text = "\ufeffa/clip10.mp4\r\n\n  frames \nb/not_there.mp4\nb/no_folder.v2\n"
    path.write_text(text, encoding="utf-8")
    listing = list_videos([str(path)])
    assert shown(listing, tree) == {
        "clip10": "a/clip10.mp4",
        "frames": "frames",
        "not_there": "b/not_there.mp4",
        "no_folder.v2": "b/no_folder.v2",
    }
    before = [v.name for v in listing.videos]
    (tree / "b" / "no_folder.v2").mkdir()
    write_images(tree / "b" / "no_folder.v2", frames(1))
    assert [v.name for v in list_videos([str(path)]).videos] == before


def test_names_that_are_no_utf8_are_found(tree, monkeypatch):
    monkeypatch.chdir(tree)
    raw = os.fsencode(tree) + b"/caf\xe9.mp4"
    open(raw, "wb").close()
    (tree / "list.txt").write_bytes(b"caf\xe9.mp4\n")
    (video,) = list_videos(["list.txt"]).videos
    assert os.fsencode(video.path) == os.path.realpath(raw)


def test_the_same_video_twice_is_taken_once_and_said(tree):
    (tree / "link.mp4").symlink_to(tree / "a" / "clip10.mp4")
    words = [str(tree / "a"), str(tree / "a" / "clip10.mp4"), str(tree / "link.mp4")]
    listing = list_videos(words)
    assert sorted(shown(listing, tree)) == ["clip10", "clip2"]
    (remark,) = listing.remarks
    assert remark.startswith("2 videos are named more than once and taken once")


def test_files_that_are_no_videos_are_left_out_and_said(tree):
    for name in ("notes.md", "clip.srt", ".hidden"):
        (tree / "a" / name).write_text("x")
    (tree / "a" / "deeper").mkdir()
    listing = list_videos([str(tree / "a")])
    assert sorted(shown(listing, tree)) == ["clip10", "clip2"]
    (remark,) = listing.remarks
    assert remark.startswith("3 entries of ") and "clip.srt, deeper, notes.md" in remark


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda d: (d / "f.txt").write_text("\n \n"), "f.txt is an empty list"),
        (lambda d: (d / "f.txt").write_bytes(b"\0\1"), "f.txt is no text"),
        (lambda d: (d / "f.txt").mkdir(), "holds no video file and no image"),
        (lambda d: None, "no such file or folder"),
    ],
    ids=["empty list", "no list", "empty folder", "missing"],
)
def test_inputs_without_a_video(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(InferenceError, match=message):
        list_videos([str(tmp_path / "f.txt")])


def test_a_folder_without_videos_and_one_with_both(tree):
    (tree / "other").mkdir()
    (tree / "other" / "notes.md").write_text("x")
    with pytest.raises(InferenceError, match="only 1 other entries"):
        list_videos([str(tree / "other")])
    (tree / "frames" / "preview.mp4").write_bytes(b"x")
    with pytest.raises(InferenceError, match=r"2 images and 1 video files \(preview"):
        list_videos([str(tree / "frames")])


def test_single_images_and_cameras_are_refused(tree):
    images = sorted(str(p) for p in (tree / "frames").iterdir())
    for words, message in (
        (images, "2 images were given"),
        (images[:1], "is one image"),
        (["0"], "is a camera"),
    ):
        with pytest.raises(InferenceError, match=message):
            list_videos(words)


def test_an_animation_is_a_video(tmp_path):
    first, second = (Image.fromarray(np.full((8, 8, 3), v, np.uint8)) for v in (0, 99))
    first.save(tmp_path / "anim.webp", save_all=True, append_images=[second])
    assert len(list_videos([str(tmp_path / "anim.webp")]).videos) == 1


def test_shards_take_every_video_once():
    for count in (1, 2, 3, 12):
        parts = [Shard(i, count).take(range(10)) for i in range(count)]
        assert sorted(n for part in parts for n in part) == list(range(10))


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "0/0", "a/b", "1/2/3", "½/2"])
def test_bad_shards(text):
    with pytest.raises(InferenceError, match="a shard is i/n with 0 <= i < n"):
        parse_shard(text)


def slurm(**values):
    return {f"SLURM_ARRAY_TASK_{key}": str(value) for key, value in values.items()}


@pytest.mark.parametrize(
    "environment, expected",
    [
        ({}, "0/1"),
        ({"RANK": "1", "WORLD_SIZE": "4"}, "1/4"),
        ({"RANK": "1"}, "0/1"),
        (slurm(ID=3, COUNT=8), "3/8"),
        (slurm(ID=8, MIN=1, COUNT=8), "7/8"),
        (slurm(ID=14, MIN=10, STEP=2, COUNT=3), "2/3"),
        # One task of an array that is run again takes whatever is left.
        (slurm(ID=5, MIN=5, COUNT=1), "0/1"),
        (slurm(ID=1, COUNT=2) | {"RANK": "2", "WORLD_SIZE": "4"}, "6/8"),
    ],
)
def test_shards_of_torchrun_and_slurm(environment, expected):
    assert str(shard_from_environment(environment)) == expected


@pytest.mark.parametrize(
    "environment, message",
    [
        ({"RANK": "x", "WORLD_SIZE": "2"}, "RANK must be a whole number, got 'x'"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK and WORLD_SIZE: .* got 2/2"),
        (slurm(ID=11, MIN=10, STEP=2, COUNT=3), "task 11 is not in a Slurm array"),
        # --array=1,5,9: the numbers do not say which of the three it is
        (slurm(ID=5, MIN=1, COUNT=3), "Slurm array .* got 4/3"),
    ],
)
def test_contradictions_of_the_environment(environment, message):
    with pytest.raises(InferenceError, match=message):
        shard_from_environment(environment)


def test_each_process_of_torchrun_has_its_own_gpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert local_device(None, {"LOCAL_RANK": "2"}) == "cuda:2"
    assert local_device("cpu", {"LOCAL_RANK": "2"}) == "cpu"
    assert local_device(None, {}) is None
