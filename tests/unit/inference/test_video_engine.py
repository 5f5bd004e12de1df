"""One window is model.predict, bit for bit; many windows are constant memory."""

import weakref

import numpy as np
import pytest
import torch
from helpers.tiny_inference import SIZE, WatchedFrames, frames

from tmt_vis.inference import FramePreparation, VideoEngine, WindowPlan


@pytest.fixture
def prepare(inferencer):
    return FramePreparation(inferencer.cfg, "ovis")


def _engine(inferencer, plan, **options):
    return VideoEngine(inferencer.model, label_space="ovis", plan=plan, **options)


def _predict_whole(model, packed):
    packed = list(packed)
    clip = torch.cat([frame["inputs"] for frame in packed])
    data = dict(inputs=[clip], data_samples=[packed[0]["data_samples"]])
    data = model.data_preprocessor(data, False)
    with torch.no_grad():
        return model.predict(**_renamed(data))[0]


def _renamed(data):
    return dict(batch_inputs=data["inputs"], batch_data_samples=data["data_samples"])


@pytest.mark.parametrize("length", [1, 2, 3, 7, 10])
def test_single_window_is_model_predict(inferencer, prepare, length):
    images = frames(length)
    engine = _engine(inferencer, WindowPlan(10, 4), several_categories=True)
    ((window, _),) = engine.run(prepare(images, name="v"))
    sample = _predict_whole(inferencer.model, prepare(images, name="v"))
    tracks = sample.pred_tracks
    queries, rows = tracks.queries.unique(return_inverse=True)
    assert len(window) == len(queries)
    pairs = zip(rows.tolist(), tracks.labels.tolist(), strict=True)
    scores = [window.slot_probs[row, slot] for row, slot in pairs]
    np.testing.assert_array_equal(scores, tracks.scores.numpy())
    tubes = [window.tubes[row].counts for row in rows.tolist()]
    assert tubes == [tube.counts for tube in tracks.tubes]
    compiled = sample.pred_taxonomy
    assert [union_id for union_id, _ in window.compiled] == compiled.union_ids.tolist()
    assert [score for _, score in window.compiled] == compiled.scores.tolist()


@pytest.mark.parametrize("several, kept", [(True, [2, 5]), (False, [2, 3, 5])])
def test_which_queries_are_kept(inferencer, prepare, monkeypatch, several, kept):
    """Query 2 has the two best pairs: it takes two of three places, or one."""
    head, plain = inferencer.model.head, inferencer.model.head.query_tracks
    probs = torch.zeros(8, 25)
    probs[2, 0], probs[2, 1], probs[5, 3], probs[3, 3] = 0.9, 0.8, 0.7, 0.6
    embeds = []

    def watched(*args):
        tracks = plain(*args)
        embeds.append(tracks.mask_embeds)
        return tracks

    monkeypatch.setattr(head, "query_tracks", watched)
    monkeypatch.setattr(head, "slot_probs", lambda *args: probs)
    engine = _engine(inferencer, None, several_categories=several, max_objects=3)
    ((window, _),) = engine.run(prepare(frames(2), name="v"))
    np.testing.assert_array_equal(window.embeddings, embeds[0][kept].numpy())
    np.testing.assert_array_equal(window.slot_probs, probs[kept].numpy())
    assert window.queries == tuple(kept)


def test_frames_are_read_lazily_and_forgotten(inferencer, prepare, monkeypatch):
    head, featured = inferencer.model.head, []
    plain = head.pixel_features

    def counted(feats, images, **options):
        featured.append(len(feats[0]))
        return plain(feats, images, **options)

    monkeypatch.setattr(head, "pixel_features", counted)
    source = WatchedFrames(frames(25))
    windows = _engine(inferencer, WindowPlan(6, 2)).run(
        prepare(source.frames(), name="v")
    )
    spans = []
    for window, _ in windows:
        assert source.num_read == window.window.stop
        spans.append((window.window.start, window.window.stop))
    expected = [(0, 6), (4, 10), (8, 14), (12, 18), (16, 22), (19, 25)]
    assert spans == expected
    assert sum(featured) == 25 and max(featured) == 3
    assert source.most_alive <= 6


def test_memory_does_not_grow_with_the_video(inferencer, prepare, monkeypatch):
    """Features of at most a window and two chunks are alive."""
    head = inferencer.model.head
    plain, alive, most = head.pixel_features, {}, 0

    def watched(feats, images, **options):
        nonlocal most
        pixels = plain(feats, images, **options)
        key = object()
        alive[key] = len(feats[0])
        weakref.finalize(pixels.mask_features, alive.pop, key)
        most = max(most, sum(alive.values()))
        return pixels

    monkeypatch.setattr(head, "pixel_features", watched)
    engine = _engine(inferencer, WindowPlan(6, 2))
    assert len(list(engine.run(prepare(frames(40), name="v")))) == 10
    assert 6 <= most <= 6 + 2 * 3
    assert not alive


def test_sizes(inferencer, prepare):
    ((window, _),) = _engine(inferencer, None).run(prepare(frames(2), name="v"))
    tube = window.tubes[0]
    assert (tube.num_frames, tube.height, tube.width) == (2, *SIZE)
    packed = next(iter(prepare(frames(1), name="v")))
    assert packed["inputs"].shape == (1, 3, 30, 45)


def test_no_frames(inferencer, prepare):
    assert list(_engine(inferencer, None).run(prepare([], name="v"))) == []
