"""A resumed run goes on where it was interrupted and equals an unbroken one."""

import copy
import json

import numpy as np
import pytest
import torch
from helpers.full_disk import full_disk
from helpers.tiny_inference import (
    WatchedFrames,
    frames,
    tiny_inferencer,
    write_video_file,
)

from tmt_vis.inference import (
    FrameSourceError,
    WindowPlan,
    WindowPrediction,
    partial_results,
)
from tmt_vis.inference.partial_results import PartialResults, StoredRun
from tmt_vis.streaming import TrackState, Window

LENGTH = 19
PLAN = WindowPlan(7, 2)  # ending at 7, 12, 17, 19


def _facts(result):
    rows = [(t.id, t.name, t.score, t.tube) for t in result.tracks]
    return rows, result.taxonomy, result.num_frames


@pytest.fixture(scope="module")
def find():
    return tiny_inferencer(windows=PLAN)


@pytest.fixture(scope="module")
def unbroken(find):
    return _facts(find(frames(LENGTH), score_thr=0))


@pytest.fixture
def request_(tmp_path):
    return dict(score_thr=0, partial_dir=tmp_path)


def _interrupt(find, request, at):
    with pytest.raises(OSError, match=f"frame {at} broke"):
        find(WatchedFrames(frames(LENGTH), fail_at=at), **request)


@pytest.mark.parametrize("at, num_again", [(3, 19), (13, 19), (18, 12)])
def test_resumed_equals_unbroken(find, unbroken, request_, at, num_again):
    """Frames pass the backbone in chunks of 3, so a chunk cut elsewhere would show."""
    _interrupt(find, request_, at)
    source = WatchedFrames(frames(LENGTH))
    assert _facts(find(source, resume=True, **request_)) == unbroken
    assert source.num_read == num_again


def test_interrupted_twice(find, unbroken, request_):
    _interrupt(find, request_, 8)
    with pytest.raises(OSError, match="frame 18"):
        find(WatchedFrames(frames(LENGTH), fail_at=18), resume=True, **request_)
    assert _facts(find(frames(LENGTH), resume=True, **request_)) == unbroken


def test_progress_counts_what_is_read_from_the_disk(find, request_):
    _interrupt(find, request_, 13)
    seen = []
    find(
        frames(LENGTH),
        resume=True,
        progress=lambda *counts: seen.append(counts),
        **request_,
    )
    # Two windows, then from where they are sure; also of a run that had ended.
    assert seen[:2] == [(7, LENGTH), (12, LENGTH)]
    assert seen[2:] == [(number, LENGTH) for number in range(seen[2][0], LENGTH + 1)]
    seen.clear()
    find(
        frames(LENGTH),
        resume=True,
        progress=lambda *counts: seen.append(counts),
        **request_,
    )
    assert seen == [(stop, LENGTH) for stop in (7, 12, 17, 19)]


def test_ended_run_is_not_computed_again(find, unbroken, request_):
    find(WatchedFrames(frames(LENGTH)), **request_)
    source = WatchedFrames(frames(LENGTH))
    assert _facts(find(source, resume=True, **request_)) == unbroken
    assert source.num_read == 0


def test_without_resume_everything_is_computed(find, unbroken, request_):
    _interrupt(find, request_, 17)
    source = WatchedFrames(frames(LENGTH))
    assert _facts(find(source, **request_)) == unbroken
    assert source.num_read == LENGTH


def test_line_cut_by_a_crash_is_computed_again(find, unbroken, request_, tmp_path):
    _interrupt(find, request_, 17)
    (path,) = tmp_path.glob(".video.*.partial.jsonl")
    content = path.read_bytes()
    assert content.count(b"\n") == 4  # the header and three windows
    path.write_bytes(content[:-40])
    assert _facts(find(frames(LENGTH), resume=True, **request_)) == unbroken


def _windows_swapped(lines):
    lines[2], lines[3] = lines[3], lines[2]


def _window_twice(lines):
    lines.insert(2, lines[1])


def _window_missing(lines):
    del lines[2]


def _window_of_another_plan(lines):
    lines[2] = lines[2].replace(b'"stop":12', b'"stop":11')


def _negative_start(lines):
    lines[1] = lines[1].replace(b'"start":0', b'"start":-9')


def _no_window(lines):
    lines[2] = b'{"window":{}}\n'


def _list(lines):
    lines[2] = b"[1]\n"


def _spoilt_mask(lines):
    content = json.loads(lines[2])
    content["window"]["sizes"][0] = [1, 2]
    lines[2] = json.dumps(content).encode() + b"\n"


@pytest.mark.parametrize(
    ("spoil", "num_again"),
    [
        (_windows_swapped, 19),
        (_window_twice, 19),
        (_window_missing, 19),
        (_window_of_another_plan, 19),
        (_negative_start, 19),
        (_no_window, 19),
        (_list, 19),
        (_spoilt_mask, 19),
    ],
)
def test_windows_that_do_not_fit_are_computed_again(
    find, unbroken, request_, tmp_path, spoil, num_again
):
    """Two runs on one file of 0.4.2 left such windows, and --resume never worked."""
    _interrupt(find, request_, 18)
    (path,) = tmp_path.glob(".video.*.partial.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 4
    spoil(lines)
    path.write_bytes(b"".join(lines))
    source = WatchedFrames(frames(LENGTH))
    assert _facts(find(source, resume=True, **request_)) == unbroken
    assert source.num_read == num_again


def test_a_full_disk_costs_the_resuming_only(find, unbroken, request_, tmp_path):
    with full_disk(3000):
        assert _facts(find(frames(LENGTH), **request_)) == unbroken
    assert _facts(find(frames(LENGTH), resume=True, **request_)) == unbroken


@pytest.mark.parametrize("change", ["input", "label space", "frames", "windows"])
def test_other_runs_do_not_meet(find, request_, tmp_path, change, monkeypatch):
    _interrupt(find, request_, 17)
    images, extra = frames(LENGTH), {}
    if change == "input":
        images[18][0, 0] = 99
    if change == "label space":
        extra = dict(label_space="ovis")
    if change == "frames":
        extra = dict(max_frames=18)
    if change == "windows":
        monkeypatch.setattr(find, "windows", WindowPlan(7, 3))
    source = WatchedFrames(images)
    result = find(source, resume=True, **request_, **extra)
    assert source.num_read == result.num_frames
    assert len(list(tmp_path.glob(".video.*"))) == 2


def test_weights_count(find, request_):
    _interrupt(find, request_, 17)
    other = tiny_inferencer(windows=PLAN, model=copy.deepcopy(find.model))
    other.model.head.query_decoder.level_embed.weight.data += 1
    vars(other).pop("_weights", None)  # the digest of the weights is computed once
    source = WatchedFrames(frames(LENGTH))
    other(source, resume=True, **request_)
    assert source.num_read == LENGTH


def test_truncation_is_remembered(find, request_, tmp_path):
    path = write_video_file(tmp_path / "clip.avi", frames(20))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    first = find(path, **request_)
    again = find(path, resume=True, **request_)
    assert first.truncated is not None and again.truncated == first.truncated


def test_error_of_the_video_keeps_finished_windows(find, request_, tmp_path):
    images = frames(12)
    broken = [*images, images[0][:5]]
    with pytest.raises(FrameSourceError, match="frame 12"):
        find(broken, **request_)
    (path,) = tmp_path.glob(".video.*.partial.jsonl")
    assert path.read_bytes().count(b"\n") == 3


def test_prediction_survives_its_file(find):
    engine = find.task(frames(9)).engine
    prepare = find.task(frames(9)).prepare
    for window, _ in engine.run(prepare(frames(9), name="v")):
        again = WindowPrediction.from_dict(window.to_dict())
        assert again.to_dict() == window.to_dict()
        assert again.tubes == window.tubes and again.compiled == window.compiled
        assert again.embeddings.tobytes() == window.embeddings.tobytes()
        assert again.slot_probs.tobytes() == window.slot_probs.tobytes()


def test_a_state_is_written_when_it_costs_a_twentieth(tmp_path, monkeypatch):
    clock = iter([0, 1, 5, 20.9, 21.0, 23, 30, 62.9, 63, 64])
    monkeypatch.setattr(partial_results.time, "monotonic", lambda: next(clock))
    kept = PartialResults(tmp_path, name="video", key="k" * 64)
    kept.begin(StoredRun())
    stops = []
    for stop in range(1, 8):
        kept.append(window(stop), TrackState(stop, dict(queries=torch.ones(1))))
        stops.append(kept._read_state().stop)
    # Written at 0 for a second: not before 21, then for two seconds: not before 63.
    assert stops == [1, 1, 1, 4, 4, 4, 7]


def window(stop):
    empty = np.zeros((0, 1), np.float32)
    return WindowPrediction(Window(stop - 1, stop), empty, empty, ())
