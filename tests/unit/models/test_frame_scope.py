"""MinVIS: frames are decoded one by one and linked by their queries."""

import copy

import pytest
import torch
import torch.nn.functional as F
from helpers.golden_kit import synthetic_tracks
from helpers.readable_tracking import tracked
from helpers.tiny_model import build, head_cfg, samples
from mmdet.models.layers import SinePositionalEncoding
from mmdet.registry import MODELS

from tmt_vis.models import QuerySimilarityTracker, TrackReference
from tmt_vis.models.features import PixelFeatures
from tmt_vis.models.query_decoder import StageOutput
from tmt_vis.structures import ClipTargets, frame_targets


@pytest.fixture(scope="module")
def minvis():
    return build(per_frame=True, taxonomy_modules=False).eval()


@pytest.fixture(scope="module")
def tmt():
    return build(per_frame=True).eval()


def features_of(model, inputs):
    return model.head.clip_features(model.extract_feat(inputs), len(inputs))


# ------------------------------------------------------------------------- tracker


@pytest.mark.parametrize("frames, count", [(1, 4), (2, 9), (6, 12)])
def test_tracker_is_the_readable_loop(frames, count):
    queries = synthetic_tracks(frames, count, 16)
    # Their lengths differ, as those of decoder states do not quite.
    queries *= torch.arange(1.0, 1 + count)[:, None]
    order = QuerySimilarityTracker()(queries)
    assert order.tolist() == tracked(queries.numpy()).tolist()
    if frames == 6:
        inverse = order.argsort(1)
        assert (order != inverse).any() and (order[1:] != order[1]).any()


def test_tracker_at_full_size_finds_the_permutations():
    queries = synthetic_tracks()
    order = QuerySimilarityTracker()(queries)
    assert order.shape == (5, 100)
    assert order[0].tolist() == list(range(100))
    assert (order.sort(1).values == torch.arange(100)).all()


def test_tracker_looks_at_the_previous_frame_only():
    """Two looks that drift into each other's place are followed, not swapped."""
    turns = torch.linspace(0, torch.pi / 2, 7)
    first = torch.stack([turns.cos(), turns.sin()], -1)
    second = torch.stack([-turns.sin(), turns.cos()], -1)
    order = QuerySimilarityTracker()(torch.stack([first, second], 1))
    assert order.tolist() == [[0, 1]] * 7


@pytest.mark.parametrize("frame", [-1, 0, 2, 4])
def test_tracker_continues_tracks(frame):
    """The whole video in one piece and in two, at any common frame or at none."""
    whole = synthetic_tracks(9, 12, 16)
    tracker = QuerySimilarityTracker()
    order = tracker(whole)
    last = 5  # the reference
    start = last - frame
    reference = TrackReference(whole[last][order[last]], frame)
    piece = tracker(whole[start:], reference)
    assert piece.tolist() == order[start:].tolist()


# --------------------------------------------------------------------------- scope


def test_classes_are_the_softmax_of_the_mean_logits(minvis):
    generator = torch.Generator().manual_seed(0)
    draw = [torch.randn(6, 5, n, generator=generator) for n in (8, 3, 4)]
    output = StageOutput(draw[0] * 4, draw[1], draw[2], draw[2])
    for rows in (slice(0, 3), slice(3, 6)):
        video = minvis.head.query_tracks(StageOutput(*(x[rows] for x in output)))
        order = tracked(output.queries[rows].numpy())
        logits = [f[o] for f, o in zip(output.class_logits[rows], order, strict=True)]
        embeds = [f[o] for f, o in zip(output.mask_embeds[rows], order, strict=True)]
        torch.testing.assert_close(video.class_logits, torch.stack(logits).mean(0))
        torch.testing.assert_close(video.mask_embeds, torch.stack(embeds))
        last = output.queries[rows][-1][order[-1]]
        torch.testing.assert_close(video.last_queries, last)


def test_scores_of_a_video_by_hand(minvis):
    """The mean over frames comes first, then the softmax over the label space."""
    inputs, data = samples(("ytvis19",), frames=3)
    inputs[:, 1] *= 3
    head, features = minvis.head, features_of(minvis, inputs)
    final = head.decode(features, None, head.supervision.stages[-1:])[0]
    order = tracked(final.queries.detach().numpy())
    logits = [f[o] for f, o in zip(final.class_logits, order, strict=True)]
    keep = head.class_keep(["ytvis19"])[0]
    slots = head.vocabulary.slots_to_union("ytvis19")
    masked = torch.stack(logits).mean(0)
    masked[:, :-1] = masked[:, :-1].masked_fill(~keep, float("-inf"))
    expected = masked.softmax(-1)[:, slots].flatten().topk(10).values
    tracks = minvis.predict(inputs, data)[0].pred_tracks
    torch.testing.assert_close(tracks.scores, expected.detach())


@pytest.mark.parametrize("size", [(2, 3), (5, 4)])
def test_positions_have_no_time(minvis, size):
    """Nothing else would tell: a code that all keys share does not move attention."""
    levels = tuple(torch.zeros(3, 32, *size) for _ in range(3))
    pixels = PixelFeatures(torch.zeros(3, 32, *size), levels)
    features = minvis.head.clip_features(pixels, 1)
    assert features.clips_per_sample == 3
    assert len(features) == 3 and features.mask_features.shape[1] == 1
    code = SinePositionalEncoding(16, normalize=True)(torch.zeros(1, *size).bool())
    for level in features.levels:
        assert torch.equal(level.pos, code.flatten(2).transpose(1, 2))
    joined = features.joined().levels[0]
    assert joined.pos.shape[1] == joined.tokens.shape[1] == 3 * size[0] * size[1]
    assert torch.equal(joined.pos, level.pos.repeat(1, 3, 1))


def test_frames_do_not_see_each_other(minvis):
    inputs, _ = samples(("ytvis19",), frames=3)
    inputs.requires_grad_()
    features = features_of(minvis, inputs)
    final = minvis.head.decode(features, None, minvis.head.supervision.stages[-1:])[0]
    final.class_logits[1].sum().backward()
    touched = inputs.grad[0].flatten(1).abs().sum(1) > 0
    assert touched.tolist() == [False, True, False]


@pytest.mark.parametrize("test_taxonomy", ["frame", "video"])
def test_videos_of_a_batch_do_not_see_each_other(test_taxonomy):
    model = build(per_frame=True, test_taxonomy=test_taxonomy).eval()
    inputs, data = samples(frames=3)  # of two label spaces
    together = [s.pred_tracks for s in model.predict(inputs, data)]
    for index, expected in enumerate(together):
        rows = slice(index, index + 1)
        (sample,) = model.predict(inputs[rows], data[rows])
        torch.testing.assert_close(sample.pred_tracks.scores, expected.scores)
        assert torch.equal(sample.pred_tracks.labels, expected.labels)


@pytest.mark.parametrize("frames_per_chunk", [1, 2, 7])
def test_chunks_change_memory_only(tmt, monkeypatch, frames_per_chunk):
    inputs, data = samples(frames=5)
    whole = [s.pred_tracks for s in tmt.predict(inputs, data)]
    monkeypatch.setattr(tmt.head, "frames_per_chunk", frames_per_chunk)
    taxonomies = [s.pred_taxonomy for s in data]
    for before, sample in zip(whole, tmt.predict(inputs, data), strict=True):
        tracks = sample.pred_tracks
        torch.testing.assert_close(tracks.scores, before.scores)
        assert torch.equal(tracks.labels, before.labels)
        assert tracks.tubes == before.tubes
    for before, sample in zip(taxonomies, data, strict=True):
        assert torch.equal(sample.pred_taxonomy.union_ids, before.union_ids)


def test_masks_are_those_of_each_frame(minvis):
    """Frame t of a tube is the mask of the query that carries the track there."""
    inputs, data = samples(("ytvis19",), frames=3)
    pixels = minvis.extract_feat(inputs)
    final, _ = minvis.head.decode_final(minvis.head.clip_features(pixels, 1), "ytvis19")
    queries = minvis.head.query_tracks(final)
    assert queries.mask_embeds.shape == (3, 8, 32)
    sample = minvis.predict(inputs, data)[0]
    tracks, padded = sample.pred_tracks, sample.batch_input_shape
    for row in range(len(tracks.scores)):
        masks = tracks.tubes[row].decode()
        for t in range(3):
            embed = queries.mask_embeds[t, tracks.queries[row]]
            logits = torch.einsum("c,chw->hw", embed, pixels.mask_features[t])
            resized = F.interpolate(logits[None, None], padded, mode="bilinear")
            resized = F.interpolate(resized, sample.ori_shape, mode="bilinear")
            assert ((resized[0, 0] > 0).numpy() != masks[t]).sum() <= 1


# ------------------------------------------------------------------------ training


def test_an_absent_instance_is_no_target():
    masks = torch.zeros(2, 3, 4, 4, dtype=torch.bool)
    masks[0, :, 1, 1] = True
    masks[1, 2, 3, 3] = True
    other = ClipTargets(torch.tensor([4]), masks[:1, :2], None)
    *frames, fourth, fifth = frame_targets(
        [ClipTargets(torch.tensor([7, 3]), masks, 5), other]
    )
    assert [f.labels.tolist() for f in frames] == [[7], [7], [7, 3]]
    assert fourth.labels.tolist() == fifth.labels.tolist() == [4]
    assert [tuple(f.masks.shape) for f in frames] == [(1, 1, 4, 4)] * 2 + [(2, 1, 4, 4)]
    assert all(f.masks.flatten(1).any(1).all() for f in frames)
    assert {f.seed for f in frames} == {5}


def test_a_clip_is_trained_like_its_frames(tmt):
    """Two clips of three frames, or six clips of one frame: the same losses."""
    inputs, data = samples(frames=3)
    together = tmt.loss(inputs, data)
    singles = []
    for clip in data:
        for t in range(3):
            sample = copy.deepcopy(clip)
            sample.gt_instances.masks = clip.gt_instances.masks[:, t : t + 1]
            singles.append(sample)
    alone = tmt.loss(inputs.flatten(0, 1).unsqueeze(1), singles)
    assert together.keys() == alone.keys()
    for name, value in together.items():
        torch.testing.assert_close(value, alone[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("instances", [0, 2])
def test_every_parameter_gets_a_gradient(instances):
    model = build(per_frame=True)
    inputs, data = samples(frames=2, size=(32, 32), instances=instances)
    sum(model.loss(inputs, data).values()).backward()
    missing = [
        key
        for key, value in model.named_parameters()
        if value.requires_grad and value.grad is None
    ]
    assert not missing


@pytest.mark.parametrize("frames", [1, 2])
def test_weights_are_those_of_the_clip_model(minvis, frames):
    """And so are the numbers for one frame: a code that all keys share does nothing."""
    clip = build(1, taxonomy_modules=False).eval()
    clip.load_state_dict(minvis.state_dict(), strict=True)
    assert list(clip.state_dict()) == list(minvis.state_dict())
    inputs, data = samples(("ytvis19",), frames=frames)
    scores = [m.predict(inputs, data)[0].pred_tracks.scores for m in (clip, minvis)]
    assert (frames == 1) == torch.allclose(*scores, rtol=1e-4)


# ------------------------------------------------------------------------ taxonomy


@pytest.mark.parametrize("test_taxonomy", ["frame", "video"])
def test_what_the_taxonomy_is_compiled_from(tmt, test_taxonomy):
    model = build(per_frame=True, test_taxonomy=test_taxonomy).eval()
    seen = []
    model.head.guidance.tcm.register_forward_hook(lambda m, args, out: seen.append(out))
    inputs, data = samples(frames=3)
    predicted = model.predict(inputs, data)
    shared = test_taxonomy == "video"
    assert [len(c.keep) for c in seen] == ([1, 1] if shared else [3, 3])
    limits = {"ytvis19": 40, "ovis": 25}
    for index, sample in enumerate(predicted):
        found = sample.pred_taxonomy
        assert (found.scores.diff() <= 0).all()
        assert len(found.union_ids.unique()) == len(found.union_ids)
        assert 5 <= len(found.union_ids) <= (5 if shared else 15)
        assert len(found.union_ids) <= limits[sample.label_space]
        best = seen[index].score_logits.amax(0).sigmoid()
        torch.testing.assert_close(found.scores, best[found.union_ids])


def test_a_shared_taxonomy_reaches_every_frame_of_its_video(monkeypatch):
    model = build(per_frame=True, test_taxonomy="video", frames_per_chunk=2).eval()
    head, given = model.head, []
    plain = head.decode

    def watched(features, compiled, *args):
        given.extend(compiled.union_ids.tolist())
        return plain(features, compiled, *args)

    monkeypatch.setattr(head, "decode", watched)
    inputs, data = samples(frames=3)
    inputs[1] *= 5
    model.predict(inputs, data)
    assert given[0] == given[1] == given[2] and given[3] == given[4] == given[5]
    assert given[0] != given[3]


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(test_taxonomy="clip"), "'frame' or 'video', got 'clip'"),
        (dict(frames_per_chunk=0), "must be >= 1, got 0"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(head_cfg(per_frame=True, **options))
