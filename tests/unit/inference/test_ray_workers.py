"""Workers of Ray, on a local cluster of two."""

import os
import signal
import sys

import pytest
from helpers.tiny_inference import (
    frames,
    tiny_cfg,
    write_checkpoint,
    write_config,
    write_video_file,
)

from tmt_vis.inference import InferenceError, WindowPlan
from tmt_vis.inference.many_videos import (
    ManyVideosRequest,
    Outcome,
    ResultsFolder,
    VideoWorker,
    list_videos,
    ray_workers,
    run_on_ray,
    run_worker,
)


def test_without_ray_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    request = ManyVideosRequest(out=tmp_path, config="c.py", checkpoint="c.pth")
    with pytest.raises(InferenceError, match="pip install -r requirements/ray.txt"):
        run_on_ray(request, [], [])


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    # Workers cannot import a test.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Twelve videos, a request for any folder, and the results of one process."""
    folder = tmp_path_factory.mktemp("ray")
    clips = folder / "clips"
    clips.mkdir()
    for number in range(12):
        write_video_file(clips / f"{number}.avi", frames(9)[: 5 + number % 5])
    config = write_config(folder / "config.py", tiny_cfg())
    checkpoint = write_checkpoint(folder / "tiny.pth")

    def request(out):
        return ManyVideosRequest(
            out=out,
            config=str(config),
            checkpoint=str(checkpoint),
            score_thr=0.0,
            max_objects=2,
            windows=WindowPlan(4, 1),
            device="cpu",
        )

    listing = list_videos([str(clips)]).videos
    run_worker(VideoWorker(request(folder / "whole"), listing), listing)
    return request, listing, content(folder / "whole")


def content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.json*")}


class Watched(ray_workers._Actor):
    """An actor that says who has done what, and dies where it is told to.

    ``deadly/NAME`` holds how many more workers a video kills.
    """

    def take(self, video):
        root = self._arguments[0].out.parent
        with open(root / "log", "a") as stream:
            stream.write(f"{os.getpid()} {video.name}\n")
        deadly = root / "deadly" / video.name
        lives = int(deadly.read_text()) if deadly.exists() else 0
        if lives:
            deadly.write_text(str(lives - 1))
            ResultsFolder.write_result = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        return super().take(video)


def log_of(folder):
    return [line.split() for line in (folder / "log").read_text().splitlines()]


@pytest.mark.slow
def test_two_workers_share_the_videos(cluster, run, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_workers, "_Actor", Watched)
    request, listing, expected = run
    out = tmp_path / "out"
    counts = run_on_ray(request(out), listing, listing)
    assert counts == {Outcome.PREDICTED: 12} and content(out) == expected
    assert len({pid for pid, _ in log_of(tmp_path)}) == 2
    assert run_on_ray(request(out), listing, listing) == {Outcome.FOUND: 12}


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(cluster, run, tmp_path, monkeypatch):
    """Video 4 kills one worker, after its windows; video 7 kills whoever takes it."""
    monkeypatch.setattr(ray_workers, "_Actor", Watched)
    request, listing, expected = run
    out, deadly = tmp_path / "out", tmp_path / "deadly"
    deadly.mkdir()
    (deadly / "4").write_text("1")
    (deadly / "7").write_text("99")
    counts = run_on_ray(request(out), listing, listing)
    assert counts == {Outcome.PREDICTED: 11, Outcome.FAILED: 1}
    taken = [name for _, name in log_of(tmp_path)]
    assert taken.count("4") == 2 and taken.count("7") == 3
    assert "3 workers died while they had it" in (out / "failed.jsonl").read_text()
    assert not (out / "results" / "7.json").exists()

    (deadly / "7").unlink()
    counts = run_on_ray(request(out), listing, listing)
    assert counts == {Outcome.FOUND: 11, Outcome.PREDICTED: 1}
    ResultsFolder(out).tidy_failures(listing)
    assert content(out) == expected


@pytest.mark.slow
def test_errors_of_the_request_are_those_of_one_process(cluster, run, tmp_path):
    request, listing, _ = run
    with pytest.raises(InferenceError, match="holds other files"):
        (tmp_path / "mine").write_text("x")
        run_on_ray(request(tmp_path), listing, listing)
    with pytest.raises(InferenceError, match="the cluster holds 2 workers of"):
        run_on_ray(request(tmp_path / "out"), listing, listing, workers=3)
