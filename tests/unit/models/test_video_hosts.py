"""VITA and GenVIS on tiny models: whole videos, resuming, guidance, bad input."""

import copy
import json

import pytest
import torch
from helpers.tiny_hosts import genvis_cfg, vita_cfg
from helpers.tiny_model import samples
from mmdet.registry import MODELS

from tmt_vis.models.feature_store import MaskFeatureStore
from tmt_vis.streaming import TrackState, VideoEngine

SPACE = "ytvis19"
PLAIN = dict(taxonomy_modules=False)
MAKERS = dict(vita=vita_cfg, genvis=genvis_cfg)


def build(host, seed=0, **head):
    torch.manual_seed(seed)
    model = MODELS.build(MAKERS[host](**head))
    model.init_weights()
    return model.eval()


def video(frames):
    return samples((SPACE,), frames=frames)


def packed(inputs, sample):
    return [dict(inputs=one, data_samples=sample) for one in inputs[0].split(1)]


def run(model, inputs, data, **options):
    engine = VideoEngine(model, label_space=SPACE, several_categories=True)
    frames = packed(inputs, data[0])
    return list(engine.run(frames, preprocessed=True, **options))


def same(a, b):
    return (
        torch.equal(a.scores, b.scores)
        and torch.equal(a.labels, b.labels)
        and a.tubes == b.tubes
    )


def predict(model, frames):
    (sample,) = model.predict(*video(frames))
    return sample.pred_tracks


@pytest.mark.parametrize("head", [PLAIN, dict(inject_to="both")])
def test_vita_is_the_same_from_memory_and_from_a_file(head):
    model = build("vita", frames_per_chunk=4, **head)
    expected = predict(model, 11)
    assert expected.scores[0] > 0
    on_disk = build(
        "vita", frames_per_chunk=4, mask_store=dict(frames_in_memory=3), **head
    )
    on_disk.load_state_dict(model.state_dict())
    assert same(predict(on_disk, 11), expected)


def test_vita_without_a_taxonomy_does_not_depend_on_its_chunks():
    model, other = (build("vita", frames_per_chunk=n, **PLAIN) for n in (4, 18))
    a, b = predict(model, 11), predict(other, 11)
    torch.testing.assert_close(a.scores, b.scores, rtol=0, atol=1e-5)
    assert torch.equal(a.labels, b.labels)


def test_vita_says_all_at_the_end_and_a_state_is_continued_once():
    model = build("vita", frames_per_chunk=2, **PLAIN)
    ((prediction, state),) = run(model, *video(5))
    assert (prediction.window.start, prediction.window.stop) == (0, 5) and state is None
    assert prediction.quality.shape == (len(prediction), 2)
    inputs, data = video(4)
    engine = VideoEngine(model, label_space=SPACE)
    answers = list(engine._windows(packed(inputs, data[0]), 0, 0, None, None, True))
    _, first, request = answers[0]
    pixels = model.pixel_features(inputs[0, 2:])
    with pytest.raises(RuntimeError, match="continued up to frame 4 already"):
        model.head.predict_window(pixels, request, first)


def test_scores_are_probability_times_quality():
    model, bare = build("vita", **PLAIN), build("vita", mask_quality=False, **PLAIN)
    ((prediction, _),) = run(model, *video(3))
    tracks, without = predict(model, 3), predict(bare, 3)
    by_query = dict(zip(prediction.queries, prediction.quality, strict=True))
    expected = sorted(
        (
            score * by_query[query][0] / max(by_query[query][1], 1)
            for score, query in zip(
                without.scores.tolist(), without.queries.tolist(), strict=True
            )
        ),
        reverse=True,
    )
    torch.testing.assert_close(
        tracks.scores, torch.tensor(expected, dtype=torch.float32)
    )
    assert (tracks.scores < without.scores).any()
    with torch.no_grad():
        pairs = set(zip(tracks.labels.tolist(), tracks.queries.tolist(), strict=True))
    assert pairs == set(
        zip(without.labels.tolist(), without.queries.tolist(), strict=True)
    )


@pytest.mark.parametrize("head", [PLAIN, dict(inject_to="both"), dict(window=3)])
@pytest.mark.parametrize("stored", [False, True])
def test_genvis_resumes_to_the_same_bits(head, stored):
    model = build("genvis", **head)
    inputs, data = video(8)
    whole = run(model, inputs, data)
    assert [p.window.stop for p, _ in whole] == list(
        range(1, 9) if model.head.plan.length == 1 else (3, 6, 8)
    )
    for count in (1, len(whole) - 1):
        prediction, state = whole[count - 1]
        if stored:
            text = json.dumps(state.to_dict())
            state = TrackState.from_dict(json.loads(text))
        done = prediction.window.stop
        rest = run(model, inputs[:, done:], data, start=done, done=done, state=state)
        for (a, _), (b, _) in zip(rest, whole[count:], strict=True):
            assert a.tubes == b.tubes and a.window == b.window
            assert (a.slot_probs == b.slot_probs).all()
            assert (a.quality == b.quality).all()


def test_genvis_takes_the_best_probability_of_a_query():
    model = build("genvis", mask_quality=False, **PLAIN)
    inputs, data = video(5)
    windows = [prediction for prediction, _ in run(model, inputs, data)]
    best = torch.stack([torch.from_numpy(w.slot_probs) for w in windows]).amax(0)
    tracks = predict(model, 5)
    torch.testing.assert_close(tracks.scores, best.flatten().topk(10).values)


def test_genvis_keeps_as_many_clips_as_asked():
    model = build("genvis", memory=dict(max_entries=2), **PLAIN)
    full = build("genvis", **PLAIN)
    inputs, data = video(6)
    sizes = [state.tensors["keys"].shape[2] for _, state in run(model, inputs, data)]
    assert sizes == [1, 2, 2, 2, 2, 2]
    a, b = (run(m, inputs, data)[-1][0].slot_probs for m in (model, full))
    assert (a != b).any()


@pytest.mark.parametrize("part", ["read", "write"])
def test_what_came_before_matters(part, monkeypatch):
    """Neither the memory nor the queries of the clip before can go without notice."""
    model = build("genvis", **PLAIN)
    inputs, data = video(4)
    last = run(model, inputs, data)[-1][0].slot_probs
    memory = type(model.head.video.memory)
    if part == "read":
        monkeypatch.setattr(
            memory,
            "read",
            lambda self, queries, bank: queries + self.query_value(queries),
        )
    else:
        write = memory.write
        monkeypatch.setattr(
            memory, "write", lambda self, normed, bank: write(self, 0 * normed, bank)
        )
    assert abs(run(model, inputs, data)[-1][0].slot_probs - last).max() > 1e-6


@pytest.mark.parametrize(
    "host, sites", [("vita", ("frame", "video")), ("genvis", ("video",))]
)
def test_the_taxonomy_acts_where_it_is_told(host, sites):
    for site in sites:
        model = build(host, inject_to=site)
        guidance = model.head.guidance if site == "frame" else model.head.video_guidance
        other = model.head.video_guidance if site == "frame" else model.head.guidance
        assert guidance is not None and other is None
        for parameter in guidance.tim.parameters():
            parameter.data.normal_()
        changed = copy.deepcopy(model)
        for parameter in changed.head.get_submodule(
            "guidance" if site == "frame" else "video_guidance"
        ).tcm.parameters():
            parameter.data.normal_()
        a, b = (run(m, *video(3))[-1][0] for m in (model, changed))
        assert abs(a.slot_probs - b.slot_probs[: len(a.slot_probs)]).max() > 1e-4
        assert a.compiled


@pytest.mark.parametrize("host", MAKERS)
def test_the_gate_of_video_guidance_starts_shut(host):
    guided = build(host, inject_to="video")
    plain = build(host, **PLAIN)
    missing = plain.load_state_dict(guided.state_dict(), strict=False)
    assert not missing.missing_keys
    a, b = (run(m, *video(3))[-1][0] for m in (guided, plain))
    assert (a.slot_probs == b.slot_probs).all() and a.tubes == b.tubes


def test_genvis_learns_behind_the_frozen_frames_only():
    model = build("genvis", **PLAIN).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    losses = model.loss(*samples((SPACE,), frames=3))
    assert {name.rsplit("_", 1)[1] for name in losses} == {"clip0", "clip1", "clip2"}
    sum(losses.values()).backward()
    learning = {k for k, p in model.named_parameters() if p.grad is not None}
    assert learning == {k for k in dict(model.named_parameters()) if ".video." in k}
    assert not model.backbone.training and not model.head.query_decoder.training
    assert model.head.video.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_later_clips_teach_earlier_ones():
    model = build("genvis", **PLAIN).train()
    losses = model.loss(*samples((SPACE,), frames=3))
    last = sum(loss for name, loss in losses.items() if name.endswith("clip2"))
    last.backward()
    assert model.head.video.decoder.query_feat.weight.grad.abs().sum() > 0
    assert model.head.video.memory.memory_key.weight.grad.abs().sum() > 0


def test_more_objects_than_queries_are_counted():
    model = build("genvis", **PLAIN).train()
    losses = model.loss(*samples((SPACE,), frames=2, instances=8))
    assert losses["unmatched_objects"] == 2 * (8 - 6)
    assert "loss" not in "unmatched_objects"
    assert all(loss.isfinite() for loss in losses.values())


BAD = {
    r"GenVIS's window must be >= 1 frame, got 0": dict(host="genvis", window=0),
    r"GenVIS's window must be >= 1 frame, got -2": dict(host="genvis", window=-2),
    r"encoder's window must be >= 0 frames, got -1": dict(
        host="vita", video=dict(encoder=dict(window=-1))
    ),
    r"leave it out, head.window is the clip": dict(
        host="genvis", video=dict(encoder=dict(window=6))
    ),
    r"memory.max_entries must be >= 1 clip": dict(
        host="genvis", memory=dict(max_entries=0)
    ),
    r"VITAHead has no memory": dict(host="vita", video=dict(memory=dict())),
    r"takes encoder, decoder and memory, got \['encoders'\]": dict(
        host="vita", video=dict(encoders=dict())
    ),
    r"inject_to must be one of frame, video, both, got 'clip'": dict(
        host="vita", inject_to="clip"
    ),
    r"frames_in_memory must be >= 0": dict(
        host="vita", mask_store=dict(frames_in_memory=-1)
    ),
    r"frames_per_chunk must be >= 1, got 0": dict(host="vita", frames_per_chunk=0),
    r"concatenation appends queries": dict(
        host="vita",
        injection=dict(layers="first", layer=dict(type="TaxonomyConcatenationLayer")),
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_options(message):
    options = dict(BAD[message])
    with pytest.raises(ValueError, match=message):
        build(options.pop("host"), **options)


def test_training_clips_are_whole_windows():
    model = build("genvis", window=2, **PLAIN).train()
    with pytest.raises(
        ValueError, match="whole windows, got num_frames=3 with a window of 2"
    ):
        model.loss(*samples((SPACE,), frames=3))


def test_weights_of_genvis_are_none_of_vita():
    vita, genvis = build("vita", **PLAIN), build("genvis", **PLAIN)
    with pytest.raises(ValueError, match="is one of GenVIS.*VITAHead has no memory"):
        vita.load_state_dict(genvis.state_dict(), strict=False)
    found = genvis.load_state_dict(vita.state_dict(), strict=False)
    assert all(".video.memory." in key for key in found.missing_keys)
    assert len(found.missing_keys) == 8 and not found.unexpected_keys


def test_the_store_is_that_of_one_video():
    model = build("vita", frames_per_chunk=2, **PLAIN)
    first, second = predict(model, 3), predict(model, 3)
    assert same(first, second)
    assert not any(isinstance(v, MaskFeatureStore) for v in vars(model.head).values())
