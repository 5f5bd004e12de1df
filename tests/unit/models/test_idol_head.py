"""IDOL: losses of pairs, the taxonomy modules on it, and tracks frame by frame."""

import json

import pytest
import torch
from helpers import tiny_idol
from mmengine.structures import InstanceData

from tmt_vis.engine import StepCounter
from tmt_vis.streaming import TrackState, VideoEngine

BOTH, KEY, REFERENCE, NEVER = (True, True), (True, False), (False, True), (False, False)
STAGE_LOSSES = ("cls", "bbox", "giou", "mask", "dice")


@pytest.fixture(scope="module")
def plain():
    return tiny_idol.build().train()


@pytest.fixture(scope="module")
def guided():
    return tiny_idol.build(taxonomy=True).train()


@pytest.fixture(scope="module")
def confident():
    """A detector some of whose queries are sure of something."""
    model = tiny_idol.build().eval()
    for branch in model.head.query_decoder.cls_branches:
        torch.nn.init.normal_(branch.weight, std=0.6, generator=torch.manual_seed(5))
        torch.nn.init.constant_(branch.bias, -1.0)
    return model


def losses_of(model, samples, seed=0):
    clips = torch.stack([tiny_idol.clip(seed=seed + i) for i in range(len(samples))])
    return model.loss(clips, samples)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.requires_grad}


def test_names_of_the_losses(plain, guided):
    names = {f"loss_{name}" for name in STAGE_LOSSES}
    names |= {f"d1.{name}" for name in names} | {"loss_reid", "loss_reid_aux"}
    losses = losses_of(plain, [tiny_idol.sample(), tiny_idol.sample()])
    assert set(losses) == names
    taxonomy = {"d0.loss_taxo", "loss_taxo_comp"}
    assert set(losses_of(guided, [tiny_idol.sample()])) == names | taxonomy
    assert all(value.isfinite() and value > 0 for value in losses.values())


def test_every_parameter_learns(guided):
    model = tiny_idol.build(taxonomy=True).train()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "scale" in name or ("reg_branches" in name and name.endswith("weight")):
                parameter.add_(0.1 * torch.randn_like(parameter))
    samples = [tiny_idol.sample(), tiny_idol.sample(label_space="ytvis19")]
    found = gradients(model, sum(losses_of(model, samples).values()))
    without = [n for n, g in found.items() if g is None or not g.abs().sum() > 0]
    # The extra level, of one pixel, is a constant behind its norm.
    assert [n for n in without if "extra_convs" not in n] == []


@pytest.mark.parametrize(
    "present, compared",
    [
        ((BOTH, BOTH), 2),
        ((BOTH, KEY), 1),  # absent from the reference frame: detected, not compared
        ((BOTH, REFERENCE), 1),  # absent from the key frame: no target in either
        ((KEY, REFERENCE), 0),
        ((NEVER, REFERENCE), 0),  # nothing in the key frame
    ],
)
def test_objects_that_are_absent(plain, present, compared, monkeypatch):
    seen = []
    losses = plain.head.pair_losses
    contrast = losses.contrast

    def spy(*args):
        seen.append(args[2])
        return contrast(*args)

    monkeypatch.setattr(losses, "contrast", spy)
    losses = losses_of(plain, [tiny_idol.sample(present)])
    assert all(loss.isfinite() for loss in losses.values())
    ((match,),) = seen
    assert len(match.key) == compared
    assert (losses["loss_reid"] > 0) == (compared > 0)
    in_key = any(row[0] for row in present)
    assert (losses["loss_dice"] > 0) == in_key
    assert losses["loss_cls"] > 0
    # Nothing is left out of the graph, or distributed training waits for it.
    found = gradients(plain, sum(losses.values()))
    assert all(gradient is not None for gradient in found.values())


def test_a_pair_does_not_see_the_other_pairs(plain):
    samples = [tiny_idol.sample(), tiny_idol.sample((KEY, BOTH))]
    together = losses_of(plain, samples)
    apart = [losses_of(plain, [one], seed=i) for i, one in enumerate(samples)]
    counts = [2, 1]  # objects that are compared
    expected = sum(n * one["loss_reid"] for n, one in zip(counts, apart, strict=True))
    assert torch.allclose(together["loss_reid"], expected / 3, rtol=1e-4)


def test_losses_are_repeatable(plain):
    first, again = (losses_of(plain, [tiny_idol.sample()]) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_clips_that_are_no_pairs(plain):
    with pytest.raises(
        ValueError, match="trains on pairs of frames, got 3 frames of 1"
    ):
        plain.loss(tiny_idol.clip(3)[None], [tiny_idol.sample()])


def test_two_waits_for_the_device(plain):
    samples = [tiny_idol.sample(), tiny_idol.sample((KEY, BOTH))]
    with StepCounter() as count:
        losses_of(plain, samples)
    assert count.num_syncs == 2, count.syncs


def test_other_label_spaces_are_not_judged(plain):
    losses = losses_of(plain, [tiny_idol.sample(label_space="ovis")])
    found = gradients(plain, sum(losses.values()))
    keep = plain.head.vocabulary.class_keep(["ovis"])[0]
    bias = found["head.query_decoder.cls_branches.1.bias"]
    assert (bias[~keep] == 0).all() and (bias[keep] != 0).all()


def test_crowds_reach_the_losses(plain):
    sample = tiny_idol.sample()
    before = losses_of(plain, [sample])
    crowds = torch.ones(1, 2, *tiny_idol.PADDED, dtype=torch.bool)
    sample.ignored_instances = InstanceData(labels=torch.tensor([1]), masks=crowds)
    after = losses_of(plain, [sample])
    assert after["loss_cls"] < before["loss_cls"]
    assert after["loss_bbox"] == before["loss_bbox"]


def test_the_gate_starts_closed():
    """A converted IDOL and the same with TCM and TIM predict the same at first."""
    plain, guided = tiny_idol.build().eval(), tiny_idol.build(taxonomy=True).eval()
    missing, unexpected = guided.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert all("guidance" in name or "text" in name for name in missing)
    frames = tiny_idol.clip(1)
    outputs = [
        model.head(model.pixel_features(frames), ["ovis"]) for model in (plain, guided)
    ]
    for ours, theirs in zip(*outputs, strict=True):
        assert torch.equal(ours, theirs)
    with torch.no_grad():
        for name, parameter in guided.named_parameters():
            if "tim" in name and "scale" in name:
                parameter.fill_(0.5)
    moved = guided.head(guided.pixel_features(frames), ["ovis"])[0]
    assert not torch.allclose(moved, outputs[0][0], atol=1e-3)


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            dict(compilation=dict(features="mask_feature")),
            "mask features have 8 channels",
        ),
        (
            dict(injection=dict(layer=dict(type="TaxonomyConcatenationLayer"))),
            "reference points, which appended ones lack",
        ),
        (dict(selection=dict(box_nms=2)), r"box_nms must be in \[0, 1\], got 2"),
        (dict(tracker=dict(match=-1)), r"match must be in \[0, 1\], got -1"),
        (dict(test_cfg=dict(min_score=1)), r"min_score must be in \[0, 1\), got 1"),
        (dict(criterion=dict(loss_weights=dict(l1=1))), "must be among .* got .'l1'"),
    ],
)
def test_impossible_configs(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny_idol.build(taxonomy=True, **changes)


def predict(model, num_frames=4):
    (sample,) = model.predict(tiny_idol.clip(num_frames)[None], [tiny_idol.sample()])
    return sample


def test_tracks_of_a_video(confident):
    tracks = predict(confident).pred_tracks
    assert 0 < len(tracks) <= 100
    assert (tracks.scores > 0.05).all() and (tracks.scores.diff() <= 0).all()
    assert tracks.labels.max() < 25  # slots of OVIS
    groups = {}
    for index, track in enumerate(tracks.track_ids.tolist()):
        groups.setdefault(track, []).append(index)
    assert max(map(len, groups.values())) > 1
    for rows in groups.values():
        assert len({tracks.tubes[row].counts for row in rows}) == 1
        assert len(set(tracks.labels[rows].tolist())) == len(rows)
    assert tracks.tubes[0].num_frames == 4


def test_frames_are_detected_by_themselves(confident):
    frames = tiny_idol.clip(3)
    together = confident.head(confident.pixel_features(frames), ["ovis"])
    alone = confident.head(confident.pixel_features(frames[1:2]), ["ovis"])
    for ours, theirs in zip(together, alone, strict=True):
        assert torch.allclose(ours[1], theirs[0], atol=1e-5)


def test_a_stored_state_goes_on_with_the_same_bits(confident):
    frames = [
        dict(inputs=frame[None], data_samples=tiny_idol.sample())
        for frame in tiny_idol.clip(6)
    ]
    engine = VideoEngine(confident, label_space="ovis")
    whole = list(engine.run(frames, preprocessed=True))
    assert [len(window.tubes) for window, _ in whole] != [0] * 6
    text = json.dumps(whole[2][1].to_dict())
    rest = engine.run(
        frames[3:],
        start=3,
        done=3,
        state=TrackState.from_dict(json.loads(text)),
        preprocessed=True,
    )
    for (ours, _), (theirs, _) in zip(rest, whole[3:], strict=True):
        assert json.dumps(ours.to_dict()) == json.dumps(theirs.to_dict())


def test_at_most_the_objects_that_are_asked_for(confident):
    frames = [dict(inputs=tiny_idol.clip(1), data_samples=tiny_idol.sample())]
    counts = []
    for limit in (None, 1):
        engine = VideoEngine(confident, label_space="ovis", max_objects=limit)
        ((window, _),) = engine.run(frames, preprocessed=True)
        counts.append(len(window))
    assert counts[0] > counts[1] == 1
