"""Videos of a test: some frames are normalised at a time, long ones go by windows."""

import copy

import numpy as np
import pytest
import torch
from helpers.tiny_inference import tiny_inferencer

from tmt_vis.inference import WindowPlan
from tmt_vis.models.detectors import LongVideos
from tmt_vis.structures import ClipDataSample

SIZE, ORIGINAL = (30, 45), (32, 48)
LONG = dict(max_frames=7, windows=dict(length=6, overlap=2))


def video(num_frames, ori_shape=ORIGINAL):
    """Return a packed video as the loader gives it."""
    rng = np.random.default_rng(0)
    clip = rng.integers(0, 256, (num_frames, 3, *SIZE), dtype=np.uint8)
    sample = ClipDataSample(
        metainfo=dict(label_space="ovis", img_shape=SIZE, ori_shape=ori_shape)
    )
    return dict(inputs=[torch.from_numpy(clip)], data_samples=[sample])


@pytest.fixture
def model():
    return tiny_inferencer().model


@pytest.fixture
def windowed(model, monkeypatch):
    monkeypatch.setattr(model, "long_videos", LongVideos(**LONG))
    return model


def same(tracks, others):
    assert torch.equal(tracks.scores, others.scores)
    assert torch.equal(tracks.labels, others.labels)
    assert tracks.tubes == others.tubes


def whole(model, data):
    """Predict as mmengine's BaseModel would, everything normalised at once."""
    prepared = model.data_preprocessor(data, False)
    with torch.no_grad():
        return model.predict(prepared["inputs"], prepared["data_samples"])[0]


@pytest.mark.parametrize("num_frames", [1, 3, 8])
def test_a_video_in_parts_equals_the_whole(model, num_frames, monkeypatch):
    expected = whole(model, video(num_frames))
    lengths = []
    prepare = model.data_preprocessor.forward

    def watched(data, training=False):
        lengths.append(len(data["inputs"][0]))
        return prepare(data, training)

    monkeypatch.setattr(model.data_preprocessor, "forward", watched)
    (got,) = model.test_step(video(num_frames))
    same(got.pred_tracks, expected.pred_tracks)
    assert max(lengths) <= model.frames_per_chunk == 3
    assert sum(lengths) == num_frames


def test_up_to_the_limit_nothing_changes(windowed):
    (got,) = windowed.val_step(video(7))
    same(got.pred_tracks, whole(windowed, video(7)).pred_tracks)


def test_a_longer_video_is_predicted_as_by_the_inferencer(windowed):
    (got,) = windowed.test_step(video(15, ori_shape=SIZE))
    tracks = got.pred_tracks
    assert {tube.num_frames for tube in tracks.tubes} == {15}
    assert {(tube.height, tube.width) for tube in tracks.tubes} == {SIZE}
    assert len(tracks.scores) == 30  # 10 per window's worth of frames, begun or not
    assert (tracks.scores.diff() <= 0).all()
    find = tiny_inferencer(windows=WindowPlan(6, 2), several_categories=True)
    images = video(15)["inputs"][0].permute(0, 2, 3, 1).contiguous().numpy()
    # Without the resize of its pipeline; copies of a Config share what is nested.
    find.cfg = copy.deepcopy(find.cfg)
    find.cfg.test_dataloader.dataset.datasets.ovis.pipeline[1].transforms = []
    result = find(list(images), label_space="ovis", score_thr=0.0)
    expected = [track.score for track in result.tracks]
    shown = [
        score
        for score, tube in zip(tracks.scores.tolist(), tracks.tubes, strict=True)
        if tube.area
    ]
    assert len(shown) > 5
    assert shown == expected


def test_the_taxonomy_of_a_long_video_is_that_of_its_windows(windowed):
    (got,) = windowed.test_step(video(15))
    taxonomy = got.pred_taxonomy
    assert (taxonomy.scores.diff() <= 0).all()
    assert len(taxonomy.union_ids) == len(set(taxonomy.union_ids.tolist())) >= 5
    compiled = taxonomy.get("slot_compiled")
    assert compiled.shape == (25,) and compiled.sum() == len(taxonomy.union_ids)
    best = taxonomy.get("slot_scores")[compiled].max()
    assert best == taxonomy.scores[0]
    ranks = taxonomy.get("slot_ranks")
    assert (ranks[compiled] < 5).all() and (ranks[~compiled] >= 5).all()


def test_windows_may_not_be_longer_than_the_limit():
    with pytest.raises(ValueError, match="max_frames must not be below"):
        LongVideos(max_frames=20)
    # Configs of version 0.4 name a class.
    old = LongVideos(type="tmt_vis.inference.WindowedPrediction", **LONG)
    assert (old.max_frames, old.windows) == (7, WindowPlan(6, 2))


@pytest.mark.parametrize("num_frames", [5, 9])
def test_bfloat16(windowed, num_frames, monkeypatch):
    (exact,) = windowed.test_step(video(num_frames))
    monkeypatch.setattr(windowed, "predict_dtype", "bfloat16")
    dtypes = set()
    embed = windowed.head.pixel_decoder.mask_feature
    hook = embed.register_forward_hook(lambda *args: dtypes.add(args[2].dtype))
    (half,) = windowed.test_step(video(num_frames))
    hook.remove()
    assert dtypes == {torch.bfloat16}
    ours, theirs = half.pred_tracks, exact.pred_tracks
    assert ours.scores.dtype == torch.float32
    assert (ours.scores - theirs.scores).abs().max() < 0.02
    assert not torch.equal(ours.scores, theirs.scores)


def test_an_unknown_precision_is_an_error(model, monkeypatch):
    monkeypatch.setattr(model, "predict_dtype", "bf16")
    with pytest.raises(ValueError, match=r"one of \['bfloat16', 'float32'\], got 'bf"):
        model.test_step(video(1))
