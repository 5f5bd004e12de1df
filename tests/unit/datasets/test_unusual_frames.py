"""Names and frames that are legal and unusual: training, tests and checker agree."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.mini_vis import (
    HEIGHT,
    WIDTH,
    Track,
    Video,
    coco_json,
    moving_video,
    native_json,
    write_frames,
    write_images,
    write_json,
)
from PIL import Image

from tmt_vis.dataset_tools.checking import check_dataset
from tmt_vis.datasets import AnnotationError, ImageDataset, VISDataset

PIPELINE = [dict(type="LoadClipFrames"), dict(type="PackClipInputs")]


def dataset(root: Path, kind=VISDataset, **options):
    options = dict(name="d", label_space="ytvis19", ann_file="train.json") | options
    return kind(data_root=str(root), pipeline=PIPELINE, test_mode=True, **options)


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("decode", [True, False])
def test_frames_with_an_orientation_tag_have_the_size_they_are_shown_at(
    tmp_path, shown, decode
):
    video = moving_video(1, 2)
    data = native_json([video])
    stored = (HEIGHT, WIDTH, 3) if not shown else (WIDTH, HEIGHT, 3)
    exif = Image.Exif()
    exif[274] = 6
    for name in video.file_names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros(stored, np.uint8)).save(tmp_path / name, exif=exif)
    path = write_json(tmp_path, data)
    report = check_dataset(path, image_root=tmp_path, decode=decode)
    assert report.errors.counts == ({} if shown else {"frame of another size": 2})
    told = "frame with an EXIF orientation tag, turned as viewers turn it"
    assert report.warnings.counts[told] == 2
    if shown:
        assert dataset(tmp_path)[0]["inputs"].shape == (2, 3, HEIGHT, WIDTH)


def test_backslashes_in_names_are_slashes(tmp_path):
    video = moving_video(1, 2)
    write_frames(tmp_path, [video])
    data = native_json([video])
    entry = data["videos"][0]
    entry.pop("name", None)
    entry["file_names"] = [f.replace("/", "\\") for f in entry["file_names"]]
    path = write_json(tmp_path, data)
    (sample,) = dataset(tmp_path)
    assert sample["inputs"].float().std() > 0
    assert dataset(tmp_path).video(0).name == "v1"
    report = check_dataset(path, image_root=tmp_path)
    assert not report.errors.counts
    assert report.warnings.counts == {"backslash in a file name, taken as a slash": 2}


def test_backslashes_in_names_of_images_are_slashes(tmp_path):
    video = moving_video(1, 1)
    files = write_images(tmp_path, [video])
    data = json.loads((tmp_path / files["ann_file"]).read_text())
    for image in data["images"]:
        image["file_name"] = image["file_name"].replace("/", "\\")
    write_json(tmp_path, data)
    files = {k: v for k, v in files.items() if k in ("data_prefix",)}
    assert dataset(tmp_path, ImageDataset, **files)[0]["inputs"].shape[0] == 1


@pytest.mark.parametrize("name", ["../v1/0.png", "a/../../0.png", "C:\\v1\\0.png", "/"])
def test_names_that_leave_the_folder_are_told(tmp_path, name):
    data = native_json([moving_video(1, 2)])
    data["videos"][0]["file_names"][0] = (
        name if name != "/" else str(tmp_path / "0.png")
    )
    report = check_dataset(write_json(tmp_path, data), image_root=tmp_path)
    assert report.warnings.counts["file name that leaves the folder of the frames"] == 1


@pytest.mark.parametrize("largest, told", [(1023, 1), (65535, 0)])
def test_dark_frames_of_16_bits_are_told(tmp_path, largest, told):
    video = moving_video(1, 1)
    write_frames(tmp_path, [video])
    values = np.zeros((HEIGHT, WIDTH), np.uint16)
    values[3, 4] = largest
    cv2.imwrite(str(tmp_path / video.file_names[0]), values)
    path = write_json(tmp_path, native_json([video]))
    report = check_dataset(path, image_root=tmp_path)
    kinds = [kind for kind in report.warnings.counts if kind.startswith("16-bit")]
    assert len(kinds) == told and not report.errors.counts
    if told:
        assert "up to 1023, read as 3 of 255" in report.warnings.examples[kinds[0]][0]


def test_frame_files_of_several_images_are_told(tmp_path):
    video = moving_video(1, 1)
    target = tmp_path / video.file_names[0]
    target.parent.mkdir()
    frames = [Image.new("RGB", (WIDTH, HEIGHT), (90 * i,) * 3) for i in range(3)]
    frames[0].save(target, save_all=True, append_images=frames[1:])
    path = write_json(tmp_path, native_json([video]))
    report = check_dataset(path, image_root=tmp_path)
    told = "frame file of several images, of which the first is read"
    assert report.warnings.counts == {told: 1} and not report.errors.counts


def test_a_file_of_crowds_only_says_why_nothing_is_trained(tmp_path):
    crowd = Video(1, 1, [Track([(0, 0, 4, 4)], iscrowd=1)])
    path = write_json(tmp_path, native_json([crowd]))
    report = check_dataset(path)
    assert any("all objects are crowd" in kind for kind in report.errors.counts)
    with pytest.raises(AnnotationError, match="all 1 objects are crowd.*set it"):
        VISDataset(name="d", label_space="ytvis19", ann_file=path)


def test_files_of_images_are_named_as_such(tmp_path):
    path = write_json(tmp_path, coco_json([moving_video(1, 1)]))
    with pytest.raises(AnnotationError, match="COCO file of images.*convert_dataset"):
        check_dataset(path)


def test_names_do_not_act_on_the_terminal(tmp_path, load_tool, capsys):
    evil = "\x1b]0;x\x07\x1b[2J\r\nFAKE: AP 99.9"
    data = native_json([moving_video(1, 2), moving_video(2, 2)])
    data["categories"][0]["name"] = evil
    data["videos"][0]["name"] = evil
    data["videos"][0]["file_names"][0] = evil
    path = write_json(tmp_path, data)
    load_tool("check_dataset").main(["--ann", path, "--img-prefix", str(tmp_path)])
    parts = [str(tmp_path / name) for name in ("a.json", "b.json")]
    options = ["--val-fraction", "0.5", "--out-train", parts[0], "--out-val", parts[1]]
    assert load_tool("split_dataset").main([path, *options]) == 0
    printed = capsys.readouterr().out
    assert "\\x1b[2J" in printed and not re.search("[\x1b\x07\r]", printed)
    assert not re.search("(?m)^FAKE", printed)
