"""A model that tracks from frame to frame continues its tracks in the next window."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from helpers.tiny_inference import WatchedFrames, tiny_inferencer

from tmt_vis.inference import (
    FramePreparation,
    PartialResults,
    StoredRun,
    TrackLinker,
    VideoEngine,
    WindowPlan,
    WindowPrediction,
)
from tmt_vis.inference.partial_results import _window_line
from tmt_vis.streaming import TrackState

LENGTH, QUERIES = 11, 8
PLANS = [WindowPlan(4, 1), WindowPlan(4, 3), WindowPlan(3, 0), WindowPlan(1, 0)]


@pytest.fixture(scope="module")
def find():
    """MinVIS without training; all of its queries are kept."""
    head = dict(per_frame=True)
    return tiny_inferencer(head=head, max_objects=QUERIES)


@pytest.fixture(scope="module")
def images():
    """Noise of changing contrast: its queries change places in most frames."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 255, (LENGTH, 32, 48, 3), dtype=np.uint8)
    return [image // (1 + 3 * (n % 2)) for n, image in enumerate(noise)]


def _windows(find, images, plan):
    engine = VideoEngine(find.model, label_space="ovis", plan=plan, max_objects=QUERIES)
    prepare = FramePreparation(find.cfg, "ovis")
    return [window for window, _ in engine.run(prepare(images, name="v"))]


@pytest.fixture(scope="module")
def whole(find, images):
    (window,) = _windows(find, images, WindowPlan(20, 0))
    return window


def test_one_window_is_model_predict(find, images, whole):
    packed = list(FramePreparation(find.cfg, "ovis")(images, name="v"))
    clip = torch.cat([frame["inputs"] for frame in packed])
    data = dict(inputs=[clip], data_samples=[packed[0]["data_samples"]])
    data = find.model.data_preprocessor(data, False)
    with torch.no_grad():
        sample = find.model.predict(data["inputs"], data["data_samples"])[0]
    tracks = sample.pred_tracks
    assert len(tracks.scores) == 10
    for row, query in enumerate(tracks.queries.tolist()):
        position = whole.tracks.index(query)
        assert whole.tubes[position] == tracks.tubes[row]
        score = whole.slot_probs[position, tracks.labels[row]]
        assert score == tracks.scores[row].item()
    assert [i for i, _ in whole.compiled] == sample.pred_taxonomy.union_ids.tolist()


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_tracks_do_not_depend_on_the_windows(find, images, whole, plan):
    predictions = _windows(find, images, plan)
    assert len(predictions) > 2
    for prediction in predictions:
        window = prediction.window
        assert sorted(prediction.tracks) == list(range(QUERIES))
        for track, tube in zip(prediction.tracks, prediction.tubes, strict=True):
            expected = whole.tubes[whole.tracks.index(track)]
            assert _same(tube, expected.part(window.start, window.stop))


def _same(ours, theirs):
    """Compare tubes up to logits that are 0 but for rounding: batches differ."""
    return (ours.decode() != theirs.decode()).mean() < 1e-3


def test_without_the_reference_tracks_would_be_mixed_up(find, images, whole):
    """Otherwise the test above would pass with tracks that start anew."""
    mixed = 0
    for prediction in _windows(find, images, WindowPlan(4, 1))[1:]:
        window = prediction.window
        (alone,) = _windows(find, images[window.start : window.stop], WindowPlan(4, 0))
        mixed += not all(map(_same, alone.tubes, prediction.tubes))
    assert mixed


def test_linked_tubes_are_those_of_the_whole_video(find, images, whole):
    linker = TrackLinker()
    for prediction in _windows(find, images, WindowPlan(4, 1)):
        identities = linker.add(prediction)
    assert identities == list(prediction.tracks) == list(range(QUERIES))
    linked = [one.tube for one in linker.finish()]
    assert all(map(_same, linked, whole.tubes)) and len(linked) == QUERIES


def test_a_track_that_is_not_chosen_for_a_while_keeps_its_identity(find, images):
    linker, ids = TrackLinker(), []
    rows = [(0, 1, 2), (2, 5), (0, 5, 7)]
    for prediction, kept in zip(
        _windows(find, images, WindowPlan(4, 0)), rows, strict=True
    ):
        some = dataclasses.replace(
            prediction,
            embeddings=prediction.embeddings[list(kept)],
            slot_probs=prediction.slot_probs[list(kept)],
            tubes=tuple(prediction.tubes[i] for i in kept),
            tracks=kept,
        )
        ids.append(linker.add(some))
    assert ids == [[0, 1, 2], [2, 3], [0, 3, 4]]
    assert len(linker.finish()) == 5


def test_a_window_survives_its_file(find, images):
    window = _windows(find, images, WindowPlan(4, 1))[1]
    again = WindowPrediction.from_dict(json.loads(json.dumps(window.to_dict())))
    assert again.tracks == window.tracks and again.tubes == window.tubes
    assert again.queries == window.queries


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (3, 2), (0, 4)])
def test_a_state_survives_its_file(dtype, shape):
    tensor = (torch.rand(shape) * 9).to(getattr(torch, dtype))
    state = TrackState(7, dict(memory=tensor.mT if len(shape) > 1 else tensor))
    again = TrackState.from_dict(json.loads(json.dumps(state.to_dict())))
    assert again.stop == 7 and list(again.tensors) == ["memory"]
    assert again.tensors["memory"].dtype == tensor.dtype
    assert torch.equal(again.tensors["memory"], state.tensors["memory"])


def test_resumed_equals_unbroken(find, images, tmp_path):
    plan = WindowPlan(4, 1)
    request = dict(label_space="ovis", score_thr=0, partial_dir=tmp_path)
    stepwise = tiny_inferencer(
        head=dict(per_frame=True), max_objects=QUERIES, windows=plan
    )
    unbroken = stepwise(images, label_space="ovis", score_thr=0)
    with pytest.raises(OSError, match="frame 9 broke"):
        stepwise(WatchedFrames(images, fail_at=9), **request)
    (path,) = tmp_path.glob(".video.*.state.json")
    assert json.loads(path.read_text())["state"]["stop"] == 7  # the newest, no other
    resumed = stepwise(WatchedFrames(images), resume=True, **request)
    assert resumed.tracks == unbroken.tracks
    assert len(unbroken.tracks) > 3


def test_a_window_counts_only_with_the_state_behind_it(find, images, tmp_path):
    """A run may die between the two writes; what is there then must fit together."""
    partial = PartialResults(tmp_path, name="v", key="0" * 64)
    partial.begin(StoredRun())
    engine = VideoEngine(find.model, label_space="ovis", plan=WindowPlan(4, 1))
    prepare = FramePreparation(find.cfg, "ovis")
    pairs = list(engine.run(prepare(images, name="v")))
    for pair in pairs[:2]:
        partial.append(*pair)
    partial._append(_window_line(*pairs[2]))  # and the state is not written any more
    stored = partial.read(engine.plan)
    assert [window.window.stop for window in stored.windows] == [4, 7]
    expected = pairs[1][1].tensors["queries"]
    assert stored.state.stop == 7
    assert torch.equal(stored.state.tensors["queries"], expected)
    lines = partial.path.read_bytes().splitlines(keepends=True)
    partial.path.write_bytes(b"".join(lines[:2]))  # a state without its window
    assert partial.read(engine.plan) == StoredRun()
