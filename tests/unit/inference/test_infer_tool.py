"""tools/infer.py from the command line to files."""

import json

import cv2
import pytest
from helpers.tiny_inference import (
    frames,
    tiny_cfg,
    write_checkpoint,
    write_config,
    write_images,
    write_video_file,
)

from tmt_vis.files import claimed


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    config = write_config(folder / "config.py", tiny_cfg())
    checkpoint = write_checkpoint(folder / "tiny.pth")
    return [
        *("--config", str(config), "--checkpoint", str(checkpoint)),
        *("--device", "cpu", "--score-thr", "0", "--max-objects", "2"),
    ]


@pytest.fixture
def infer(load_tool, model):
    tool = load_tool("infer")

    def run(*words):
        return tool.main([*map(str, words), *model])

    return run


def test_two_videos_of_one_name(infer, tmp_path, capsys):
    first = write_images(tmp_path / "a" / "clip", frames(3))
    second = write_video_file(tmp_path / "clip.avi", frames(5))
    out = tmp_path / "out"
    words = [first, second, "--dataset", "ovis", "--out-video", out / "drawn"]
    words += ["--out-masks", out / "masks", "--out-json", out / "tracks.json"]
    assert infer(*words) == 0
    entries = json.loads((out / "tracks.json").read_text())
    assert {e["video_id"]: len(e["segmentations"]) for e in entries} == {0: 3, 1: 5}
    assert {e["video_name"] for e in entries} == {"clip"}
    for name, count in (("clip", 3), ("clip-2", 5)):
        capture = cv2.VideoCapture(str(out / "drawn" / f"{name}.mp4"))
        assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == count
        assert len(list((out / "masks" / name).glob("*.png"))) == count
    assert [p.name for p in out.iterdir() if p.name[0] == "."] == []
    printed = capsys.readouterr().out
    assert "clip: 5 frames of 48x32" in printed and "compiled taxonomy:" in printed

    assert infer(*words) == 1
    assert "exists; choose another output, or --overwrite" in capsys.readouterr().err
    assert infer(*words, "--overwrite", "--max-frames", 1) == 0


def test_images_in_a_row_are_one_video(infer, tmp_path):
    folder = write_images(tmp_path / "clip", frames(4))
    images = sorted(folder.glob("*.png"))
    assert infer(*images, "--out-json", tmp_path / "t.json") == 0
    entries = json.loads((tmp_path / "t.json").read_text())
    assert {e["video_id"] for e in entries} == {0}
    assert len(entries[0]["segmentations"]) == 4


def test_unreadable_video_does_not_stop_the_others(infer, tmp_path, capsys):
    good = write_images(tmp_path / "good", frames(2))
    (tmp_path / "bad.mp4").write_bytes(b"junk")
    halfway = write_images(tmp_path / "halfway", frames(3))
    (halfway / "frame2.png").write_bytes(b"junk")
    inputs = [tmp_path / "bad.mp4", halfway, good]
    assert infer(*inputs, "--out-json", tmp_path / "t.json") == 1
    error = capsys.readouterr().err
    assert "bad.mp4: OpenCV cannot decode" in error
    assert "frame2.png: not a complete image" in error
    entries = json.loads((tmp_path / "t.json").read_text())
    assert {e["video_id"] for e in entries} == {2}


def test_interrupted_and_resumed(infer, tmp_path, monkeypatch, capsys):
    """The first video is ready when the second one is interrupted."""
    videos = [write_images(tmp_path / name, frames(9)) for name in ("one", "two")]
    out = tmp_path / "out"
    words = [*videos, "--window", 4, "--overlap", 1]
    words += ["--out-json", out / "t.json", "--out-masks", out]
    assert infer(*words) == 0
    expected = (out / "t.json").read_bytes()
    (out / "t.json").unlink()
    (out / "two" / "tracks.json").unlink()
    for path in [*(out / "one").iterdir(), *(out / "two").iterdir()]:
        path.unlink()
    (out / "one").rmdir(), (out / "two").rmdir()

    from tmt_vis.inference import frame_sources

    read, plain = [], frame_sources.read_image

    def pressing_ctrl_c(path, backend):
        read.append(path)
        if str(path).endswith("two/frame8.png"):
            raise KeyboardInterrupt
        return plain(path, backend)

    monkeypatch.setattr(frame_sources, "read_image", pressing_ctrl_c)
    assert infer(*words) == 130
    assert "--resume goes on" in capsys.readouterr().err
    assert (out / "one" / "tracks.json").exists() and not (out / "t.json").exists()

    monkeypatch.setattr(frame_sources, "read_image", plain)
    assert infer(*words) == 1  # the masks of the first video exist
    assert infer(*words, "--resume") == 0
    assert (out / "t.json").read_bytes() == expected
    assert [p.name for p in out.iterdir() if p.name[0] == "."] == []


def test_finished_windows_are_not_thrown_away_unasked(
    infer, tmp_path, monkeypatch, capsys
):
    from tmt_vis.inference import frame_sources

    folder = write_images(tmp_path / "clip", frames(9))
    words = [folder, "--window", 4, "--overlap", 1, "--out-json", tmp_path / "t.json"]
    plain = frame_sources.read_image

    def dying(path, backend):
        if str(path).endswith("frame8.png"):
            raise KeyboardInterrupt
        return plain(path, backend)

    with monkeypatch.context() as patched:
        patched.setattr(frame_sources, "read_image", dying)
        assert infer(*words) == 130
    (partial,) = tmp_path.glob(".clip.*.partial.jsonl")
    kept = partial.read_bytes()
    capsys.readouterr()
    assert infer(*words) == 1
    assert "left 7 frames of clip" in capsys.readouterr().err
    assert partial.read_bytes() == kept
    assert infer(*words, "--overwrite") == 0
    assert not partial.exists()


@pytest.mark.parametrize(
    "words, message",
    [
        (["--label-space", "uvo"], "the model predicts the label spaces"),
        (["--vocabulary", "dog"], "needs a model with head.classifier"),
        (["--window", "3", "--overlap", "3"], "0 <= overlap < length"),
        (["--out-json", "tracks.txt"], "must end in .json"),
        (["--resume"], "--resume needs the outputs"),
        (["--cfg-options", "model.head.num_queries=5"], "does not fit the config"),
        (["--cfg-options", "model.nope.x=1"], "unexpected keyword argument 'nope'"),
        (["--cfg-options", "model.type.x=1"], "has no place for --cfg-options"),
        (["--out-video", "x.wmv"], "--out-video writes .mp4, "),
    ],
)
def test_errors_are_one_line(infer, tmp_path, capsys, words, message):
    folder = write_images(tmp_path / "clip", frames(1))
    assert infer(folder, *words) == 1
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert error.startswith("error: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        *(["--fps", "-1"], ["--fps", "nan"], ["--max-frames", "-1"]),
        *(["--score-thr", "nan"], ["--score-thr", "2"], ["--max-objects", "0"]),
        *(["--max-iou", "-0.1"], ["--window", "0"], ["--overlap", "-1"]),
    ],
)
def test_numbers_out_of_range(infer, capsys, words):
    with pytest.raises(SystemExit):
        infer("clip", *words)
    said = capsys.readouterr().err
    assert said.startswith(f"error: argument {words[0]}: must be ")
    assert f"got {words[1]!r}" in said and said.count("\n") == 1


def test_a_device_that_is_not_there(load_tool, model, tmp_path, capsys):
    folder = write_images(tmp_path / "clip", frames(1))
    words = [str(folder), *model, "--device", "gpu"]
    assert load_tool("infer").main(words) == 1
    assert "a device is 'cpu', 'cuda' or 'cuda:N', got 'gpu'" in capsys.readouterr().err


def test_a_name_never_leaves_the_folder_of_the_outputs(infer, tmp_path):
    """0.4.2 took `...mp4` for `..` and deleted the folder above that of the masks."""
    video = write_video_file(tmp_path / "clip.avi", frames(2)).rename(
        tmp_path / "...mp4"
    )
    work = tmp_path / "work"
    work.mkdir()
    (work / "tracks.json").write_text("[]")
    (work / "precious").write_text("mine")
    words = [video, "--out-masks", work / "masks", "--out-json", work / "tracks.json"]
    assert infer(*words, "--overwrite") == 0
    assert (work / "precious").read_text() == "mine"
    assert sorted(p.name for p in work.iterdir()) == [
        "masks",
        "precious",
        "tracks.json",
    ]
    assert [p.name for p in (work / "masks").iterdir()] == ["unnamed"]


def test_a_second_run_with_one_output_is_refused(infer, tmp_path, capsys):
    folder = write_images(tmp_path / "clip", frames(2))
    out = tmp_path / "t.json"
    with claimed(out):
        assert infer(folder, "--out-json", out) == 1
    assert "t.json is being written by process" in capsys.readouterr().err
    assert infer(folder, "--out-json", out) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip", "t.json"]


def test_output_on_top_of_the_input(infer, tmp_path, capsys):
    folder = write_images(tmp_path / "clip", frames(2))
    assert infer(folder, "--out-masks", tmp_path, "--overwrite") == 1
    assert "clip is an input" in capsys.readouterr().err
    assert len(list(folder.iterdir())) == 2


class _Camera:
    def __init__(self, index):
        self.images = iter(frames(99))

    def isOpened(self):  # noqa: N802 (OpenCV's name)
        return True

    def read(self):
        return True, next(self.images)

    def get(self, key):
        return 25.0

    def release(self):
        pass


def test_camera(infer, tmp_path, monkeypatch, capsys):
    capture = cv2.VideoCapture
    monkeypatch.setattr(
        cv2,
        "VideoCapture",
        lambda what: _Camera(what) if isinstance(what, int) else capture(what),
    )
    words = [0, "--out-video", tmp_path / "seen.mp4"]
    assert infer(*words) == 1
    assert "camera0 has no end: give max_frames" in capsys.readouterr().err
    assert infer(*words, "--max-frames", 4) == 0
    drawn = cv2.VideoCapture(str(tmp_path / "seen.mp4"))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == 4
    assert drawn.get(cv2.CAP_PROP_FPS) == 25


def test_a_name_stands_for_config_and_checkpoint(load_tool, tmp_path, monkeypatch):
    monkeypatch.setenv("TMT_VIS_HOME", str(tmp_path / "home"))
    video = write_images(tmp_path / "clip", frames(2))
    words = [str(video), "--model", "tmt-vis_r18-tiny_sprites", "--device", "cpu"]
    words += ["--score-thr", "0", "--max-objects", "2"]
    main = load_tool("infer").main
    assert main([*words, "--out-json", str(tmp_path / "one.json")]) == 0
    assert len(json.loads((tmp_path / "one.json").read_text())) == 2
    assert main([*words, "--out", str(tmp_path / "many")]) == 0
    assert list((tmp_path / "many").rglob("*.json"))
    assert not (tmp_path / "home").exists()
