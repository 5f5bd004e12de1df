"""Runs on many videos: sharing, dying, going on, and the bytes of one process."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

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
from tmt_vis.inference import InferenceError, PartialResults, WindowPlan
from tmt_vis.inference.many_videos import (
    ManyVideosRequest,
    Outcome,
    ResultsFolder,
    Shard,
    VideoWorker,
    list_videos,
    merge,
    run_worker,
)

WINDOWS = WindowPlan(4, 1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return dict(
        config=str(write_config(folder / "config.py", tiny_cfg())),
        checkpoint=str(write_checkpoint(folder / "tiny.pth")),
    )


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Five videos of one to three windows."""
    folder = tmp_path_factory.mktemp("videos")
    for number, count in enumerate((9, 3, 7, 5, 2)):
        write_video_file(folder / f"v{number}.avi", frames(9)[:count])
    return folder


@pytest.fixture
def request_for(model):
    def make(out, **options):
        defaults = dict(device="cpu", score_thr=0.0, max_objects=2, windows=WINDOWS)
        return ManyVideosRequest(out=out, **{**model, **defaults, **options})

    return make


@pytest.fixture
def words(model):
    """The same as a command line."""
    return [
        *("--config", model["config"], "--checkpoint", model["checkpoint"]),
        *("--device", "cpu", "--score-thr", "0", "--max-objects", "2"),
        *("--window", "4", "--overlap", "1"),
    ]


@pytest.fixture
def infer(load_tool, words):
    tool = load_tool("infer")
    return lambda *more: tool.main([*map(str, more), *words])


@pytest.fixture(scope="module")
def whole(model, videos, tmp_path_factory):
    """The folder of one process that was not disturbed."""
    out = tmp_path_factory.mktemp("whole") / "out"
    request = ManyVideosRequest(
        out=out,
        **model,
        device="cpu",
        score_thr=0.0,
        max_objects=2,
        windows=WINDOWS,
        masks=True,
    )
    listing = list_videos([str(videos)]).videos
    counts = run_worker(VideoWorker(request, listing), listing)
    assert counts == {Outcome.PREDICTED: 5}
    return out


def content(folder):
    """All files of a folder of results, those of locks and drafts as well."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def in_child(function):
    """Run a function in a forked process; return how it ended."""
    child = multiprocessing.get_context("fork").Process(target=function)
    child.start()
    child.join()
    return child.exitcode


def test_the_result_of_a_video(whole, videos, infer, tmp_path):
    """It holds the entries of --out-json, and what they do not say."""
    result = json.loads((whole / "results" / "v3.json").read_bytes())
    assert result["format"] == "tmt_vis.video_result/1"
    header = {k: v for k, v in result["video"].items() if k != "taxonomy"}
    assert header == dict(
        id=3,
        name="v3",
        path=str(videos / "v3.avi"),
        label_space="ytvis19",
        num_frames=5,
        height=32,
        width=48,
        fps=5.0,
        frame_times=None,
        truncated=None,
    )
    assert infer(videos / "v3.avi", "--out-json", tmp_path / "one.json") == 0
    alone = json.loads((tmp_path / "one.json").read_bytes())
    assert result["tracks"] == [{**entry, "video_id": 3} for entry in alone]
    assert len(result["tracks"]) == 2
    assert len(list((whole / "masks" / "v3").glob("*.png"))) == 5


def test_a_killed_worker_loses_nothing(whole, videos, request_for, tmp_path):
    """Killed behind the second window of its first video; a rerun goes on there."""
    out = tmp_path / "out"
    request = request_for(out, masks=True)
    listing = list_videos([str(videos)]).videos
    computed = []

    def dying():
        append = PartialResults.append

        def appending(self, window, state=None):
            append(self, window, state)
            if window.window.stop == 7:
                os.kill(os.getpid(), signal.SIGKILL)

        PartialResults.append = appending
        run_worker(VideoWorker(request, listing), Shard(0, 2).take(listing))

    assert in_child(dying) == -signal.SIGKILL
    assert not (out / "results" / "v0.json").exists()
    assert list((out / ".work" / "v0").glob("*.partial.jsonl"))

    append = PartialResults.append
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            PartialResults,
            "append",
            lambda self, window, state=None: (
                computed.append((self.path.parent.name, window.window.stop)),
                append(self, window, state),
            ),
        )
        for index in (0, 1):
            worker = VideoWorker(request, listing)
            run_worker(worker, Shard(index, 2).take(listing))
    assert [stop for name, stop in computed if name == "v0"] == [9]
    assert content(out) == content(whole)


def test_a_video_goes_to_another_worker_when_its_own_dies(
    whole, videos, request_for, tmp_path
):
    request = request_for(tmp_path / "out", masks=True)
    listing = list_videos([str(videos)]).videos
    worker = VideoWorker(request, listing)
    path = tmp_path / "ready"

    def holding():
        with worker.folder.claim(listing[0]):
            path.touch()
            time.sleep(60)

    child = multiprocessing.get_context("fork").Process(target=holding)
    child.start()
    while not path.exists():
        time.sleep(0.01)
    assert worker.take(listing[0]) is Outcome.HELD
    order = []

    def report(video, outcome):
        order.append(video.id)
        if len(order) == 4:  # all but the one that is held
            child.kill()
            child.join()

    counts = run_worker(worker, listing, report=report, poll=0.01)
    assert order == [1, 2, 3, 4, 0] and counts == {Outcome.PREDICTED: 5}
    assert content(tmp_path / "out") == content(whole)


def test_what_a_worker_left_behind_its_result_is_removed(
    whole, videos, request_for, tmp_path
):
    shutil.copytree(whole, tmp_path / "out")
    left = tmp_path / "out" / ".work" / "v1"
    left.mkdir(parents=True)
    (left / "x.partial.jsonl").write_text("{}")
    listing = list_videos([str(videos)]).videos
    worker = VideoWorker(request_for(tmp_path / "out", masks=True), listing)
    assert run_worker(worker, listing) == {Outcome.FOUND: 5}
    assert not left.exists()


def test_failures_are_noted_tried_again_and_forgotten(infer, tmp_path, capsys):
    """A broken file, a missing one, and a damaged frame in the middle of a video."""
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"junk")
    halfway = write_images(tmp_path / "halfway", frames(6))
    damaged = halfway / "frame5.png"
    good_bytes = damaged.read_bytes()
    damaged.write_bytes(b"junk")
    good = write_video_file(tmp_path / "good.avi", frames(2))
    paths = [broken, halfway, tmp_path / "gone.avi", good]
    (tmp_path / "list.txt").write_text("\n".join(map(str, paths)))
    out = tmp_path / "out"
    assert infer(tmp_path / "list.txt", "--out", out) == 1
    said = capsys.readouterr().out
    assert "4 videos; shard 0/1 has 4" in said and "1 predicted, 3 failed" in said
    rows = [json.loads(line) for line in (out / "failed.jsonl").open()]
    assert [(row["name"], row["path"]) for row in rows] == [
        (path.stem, str(path)) for path in paths[:3]
    ]
    assert "cannot decode" in rows[0]["reason"]
    assert "frame5.png" in rows[1]["reason"]
    assert "no such file" in rows[2]["reason"]
    with pytest.raises(InferenceError, match=r"3 of 4 .*\(3 failed, see .*failed.jso"):
        merge(out, out / "t.json")

    write_video_file(tmp_path / "gone.avi", frames(3))
    damaged.write_bytes(good_bytes)
    with open(out / "failed.jsonl", "ab") as stream:
        stream.write(b'{"name": "go')  # a worker died while it wrote
    assert infer(tmp_path / "list.txt", "--out", out) == 1
    assert "2 predicted, 1 already there, 1 failed" in capsys.readouterr().out
    summary = merge(out, out / "t.json", allow_missing=True)
    assert (summary.done, summary.failed, summary.missing) == (3, 1, 0)
    rows = [json.loads(line) for line in (out / "failed.jsonl").open()]
    assert [row["name"] for row in rows] == ["broken"]


def test_two_videos_of_one_name_have_outputs_of_their_own(infer, tmp_path):
    first = write_video_file(tmp_path / "clip.avi", frames(3))
    second = write_images(tmp_path / "b" / "clip", frames(5))
    out = tmp_path / "out"
    assert infer(first, second, "--out", out, "--masks", "--draw") == 0
    for name, count in (("clip", 3), ("clip-2", 5)):
        result = json.loads((out / "results" / f"{name}.json").read_bytes())
        assert result["video"]["num_frames"] == count
        assert {track["video_name"] for track in result["tracks"]} == {name}
        assert len(list((out / "masks" / name).glob("*.png"))) == count
        assert (out / "videos" / f"{name}.mp4").stat().st_size


def test_a_changed_manifest_is_said(infer, videos, tmp_path, capsys):
    out, clips = tmp_path / "out", tmp_path / "clips"
    shutil.copytree(videos, clips)
    (clips / "v0.avi").unlink()
    assert infer(clips, "--out", out) == 0
    before = content(out)
    for more, message in (
        (["--max-frames", "2"], "max_frames was null, is 2"),
        (["--dataset", "ovis"], 'model label_space was "ytvis19", is "ovis"'),
        (["--cfg-options", "model.frames_per_chunk=2"], "model config differs"),
        (["--max-iou", "0.5"], "model max_iou was null, is 0.5"),
    ):
        capsys.readouterr()
        assert infer(clips, "--out", out, *more) == 1
        error = capsys.readouterr().err
        assert message in error and "or choose another --out" in error
    (clips / "v1.avi").rename(clips / "v9.avi")
    shutil.copy(clips / "v2.avi", clips / "v8.avi")
    assert infer(clips, "--out", out) == 1
    assert "2 videos are new and 1 are gone" in capsys.readouterr().err
    assert content(out) == before


def test_other_weights_are_another_run(request_for, videos, tmp_path, model):
    listing = list_videos([str(videos)]).videos
    VideoWorker(request_for(tmp_path / "out"), listing)
    import torch

    weights = torch.load(model["checkpoint"], weights_only=True)["state_dict"]
    name = next(key for key in weights if weights[key].dtype == torch.float32)
    weights[name] = weights[name] + 1
    torch.save(dict(state_dict=weights), tmp_path / "other.pth")
    with pytest.raises(InferenceError, match="model weights differs"):
        request = request_for(tmp_path / "out", checkpoint=str(tmp_path / "other.pth"))
        VideoWorker(request, listing)


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("notes.md", "x", r"holds other files \(notes.md\) and no manifest.json"),
        ("manifest.json", "{}", "is no manifest"),
        ("manifest.json", "[", "is no manifest"),
    ],
)
def test_a_folder_of_somebody_else_is_refused(
    request_for, videos, tmp_path, name, text, message
):
    (tmp_path / name).write_text(text)
    with pytest.raises(InferenceError, match=message):
        VideoWorker(request_for(tmp_path), list_videos([str(videos)]).videos)
    assert (tmp_path / name).read_text() == text


def test_merging_gives_the_file_of_one_process(
    whole, videos, infer, load_tool, tmp_path, capsys
):
    paths = sorted(videos.iterdir())
    assert infer(*paths, "--out-json", tmp_path / "expected.json") == 0
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    tool = load_tool("merge_results")
    capsys.readouterr()
    assert tool.main([str(out)]) == 0
    assert (out / "tracks.json").read_bytes() == (
        tmp_path / "expected.json"
    ).read_bytes()
    assert "5 of 5 videos: 26 frames, 5.2 s, 10 tracks" in capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_bytes())
    assert summary["tracks"] == sum(summary["categories"].values()) == 10

    (out / "results" / "v1.json").unlink()
    assert tool.main([str(out)]) == 1
    assert "1 of 5 videos have no result (0 failed" in capsys.readouterr().err
    assert tool.main([str(out), "--allow-missing"]) == 0
    assert "1 not yet predicted" in capsys.readouterr().out
    (out / "results" / "v2.json").write_text('{"format": "x"}')
    assert tool.main([str(out), "--allow-missing"]) == 1
    assert "v2.json is no result of this run" in capsys.readouterr().err
    assert tool.main([str(tmp_path)]) == 1
    assert "name a folder that tools/infer.py --out has made" in capsys.readouterr().err


def test_a_fault_of_the_machine_stops_the_run(request_for, tmp_path, monkeypatch):
    """A full disk at once; anything else when ten videos in a row meet it."""
    clips = tmp_path / "clips"
    video = write_video_file(tmp_path / "v.avi", frames(1))
    clips.mkdir()
    for number in range(12):
        shutil.copy(video, clips / f"{number}.avi")
    listing = list_videos([str(clips)]).videos
    worker = VideoWorker(request_for(tmp_path / "out"), listing)

    def failing(self, video, result):
        raise RuntimeError("device-side assert")

    monkeypatch.setattr(ResultsFolder, "write_result", failing)
    with pytest.raises(InferenceError, match="10 videos in a row failed"):
        run_worker(worker, listing)
    lines = (tmp_path / "out" / "failed.jsonl").read_text().splitlines()
    assert len(lines) == 10 and "device-side assert" in lines[0]

    def full(self, video, result):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ResultsFolder, "write_result", full)
    with pytest.raises(OSError, match="No space left"):
        run_worker(worker, listing)


@pytest.mark.parametrize(
    "more, message",
    [
        (["--shard", "2/2", "--out", "o"], "argument --shard: a shard is i/n"),
        (["--shard", "0/2"], "--shard is for many videos; give --out DIR"),
        (["--ray"], "--ray is for many videos"),
        (["--workers", "2", "--out", "o"], "--workers is for --ray"),
        (["--out", "o", "--out-json", "t.json"], "--out-json is not for --out"),
        (["--out", "o", "--overwrite"], "--overwrite is not for --out"),
    ],
)
def test_options_that_say_nothing_together(infer, capsys, more, message):
    with pytest.raises(SystemExit):
        infer("videos", *more)
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_slurm_gives_the_shard(infer, videos, tmp_path, monkeypatch, capsys):
    for task in (1, 2):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "1")
        monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
        assert infer(videos, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "shard 0/2 has 3" in said and "shard 1/2 has 2" in said
    assert len(list((tmp_path / "out" / "results").iterdir())) == 5


def test_waiting_for_a_claim(tmp_path):
    """A claim that waits is given when the holder dies."""
    path, ready = tmp_path / "file", tmp_path / "ready"

    def holding():
        with claimed(path):
            ready.touch()
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGKILL)

    child = multiprocessing.get_context("fork").Process(target=holding)
    child.start()
    while not ready.exists():
        time.sleep(0.01)
    with claimed(path, wait=True):
        child.join(1)
        assert child.exitcode == -signal.SIGKILL


@pytest.mark.slow
def test_500_videos_in_two_shards_one_of_them_killed(
    repo_root, words, infer, load_tool, tmp_path
):
    """As users run it: programs, SIGKILL, and the same command again."""
    clips = tmp_path / "clips"
    clips.mkdir()
    images = frames(9)
    for number in range(500):
        first = number % 7
        write_video_file(
            clips / f"{number}.avi", images[first : first + 1 + number % 2]
        )
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert infer(clips, "--out", whole) == 0

    def start(index):
        tool = repo_root / "tools" / "infer.py"
        program = [sys.executable, str(tool), str(clips), "--out", str(out)]
        return subprocess.Popen([*program, "--shard", f"{index}/2", *words])

    def finished():
        return len(list((out / "results").glob("[!.]*.json")))

    shards = [start(0), start(1)]
    deadline = time.monotonic() + 300
    while finished() < 60:
        assert time.monotonic() < deadline and shards[0].poll() is None
        time.sleep(0.05)
    shards[0].kill()
    assert shards[0].wait() == -signal.SIGKILL
    assert shards[1].wait() == 0
    at_kill = finished()
    assert 250 < at_kill < 500, "the kill came too early or too late"
    assert start(0).wait() == 0
    assert finished() == 500
    merged = load_tool("merge_results")
    assert merged.main([str(out)]) == merged.main([str(whole)]) == 0
    assert Counter(content(out)) == Counter(content(whole))
