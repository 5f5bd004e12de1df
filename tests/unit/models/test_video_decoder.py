"""VITA's object encoder and decoder against a version that writes the masks out."""

import math

import pytest
import torch
import torch.nn.functional as F

from tmt_vis.models.video_decoder import (
    ObjectEncoder,
    VideoQueryDecoder,
    window_boundaries,
)

WINDOW = 6
SMALL = dict(channels=16, num_heads=2, ffn_channels=24)
LENGTHS = (1, 2, 3, 4, 5, 6, 7, 12, 13, 16)


def visible(frames, window, *, shifted=True, split=True, padding_hidden=True):
    """Say which frames see which in a moved layer, (padded, padded) bool, as published.

    Frames are padded to whole windows and rolled by half a window. The first window
    then holds the end and the start of the video, which do not see each other, and
    nobody sees padding.
    """
    padded = math.ceil(frames / window) * window
    time = torch.arange(padded)
    half = math.ceil(window / 2) if shifted else 0
    place = (time + half) % padded
    group = place // window
    if split:
        group = torch.where(place < half, -1, group)
    keep = group[:, None] == group[None]
    if padding_hidden:
        keep = keep & (time < frames)
    return keep


def written_out(encoder, queries, *, moving=True, **changed):
    """Encode (B, T, Q, C) with dense masks over all padded frames."""
    batch, frames, per_frame, channels = queries.shape
    padded = math.ceil(frames / WINDOW) * WINDOW
    x = encoder.input_proj(queries)
    x = F.pad(x, (0, 0, 0, 0, 0, padded - frames)).flatten(1, 2)
    for index, layer in enumerate(encoder.layers):
        rule = {"shifted": False, "split": False, **changed}
        if moving and index % 2:
            rule = changed
        keep = visible(frames, WINDOW, **rule)
        keep = keep.repeat_interleave(per_frame, 0).repeat_interleave(per_frame, 1)
        bias = torch.where(keep, 0.0, -1000.0)
        attn = layer.self_attn.attn
        weights, biases = attn.in_proj_weight.chunk(3), attn.in_proj_bias.chunk(3)
        q, k, v = (
            F.linear(x, w, b).unflatten(-1, (attn.num_heads, -1)).transpose(1, 2)
            for w, b in zip(weights, biases, strict=True)
        )
        scores = q @ k.mT / q.shape[-1] ** 0.5 + bias
        out = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = layer.norms[0](x + attn.out_proj(out))
        x = layer.norms[1](x + layer.ffn(x))
    return x.view(batch, padded, per_frame, channels)[:, :frames]


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    made = ObjectEncoder(num_layers=4, window=WINDOW, **SMALL)
    for parameter in made.parameters():
        # Sharp attention, so that one frame more or less is seen.
        parameter.data.normal_().mul_(0.5)
    return made


def frame_queries(frames):
    return torch.randn(
        2, frames, 3, 16, generator=torch.Generator().manual_seed(frames)
    )


@torch.no_grad()
@pytest.mark.parametrize("frames", LENGTHS)
def test_moved_windows_in_a_test(encoder, frames):
    queries = frame_queries(frames)
    expected = written_out(encoder, queries)
    torch.testing.assert_close(encoder.eval()(queries), expected, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("frames", [2, 6, 7])
def test_plain_windows_in_training(encoder, frames):
    queries = frame_queries(frames)
    expected = written_out(encoder, queries, moving=False)
    torch.testing.assert_close(encoder.train()(queries), expected, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(
    ("change", "seen_at"),
    [
        (dict(moving=False), (4, 5, 13, 16)),
        # At 13 frames, nothing but padding is rolled around.
        (dict(split=False), (4, 5, 16)),
        (dict(padding_hidden=False), (2, 4, 5, 13, 16)),
    ],
)
def test_each_rule_of_the_windows_is_seen(encoder, change, seen_at):
    for frames in seen_at:
        queries = frame_queries(frames)
        changed = written_out(encoder, queries, **change)
        assert (encoder.eval()(queries) - changed).abs().max() > 1e-3, frames


@torch.no_grad()
def test_no_window_attends_to_the_whole_clip(encoder):
    queries = frame_queries(13)
    whole = ObjectEncoder(num_layers=4, window=0, **SMALL).eval()
    whole.load_state_dict(encoder.state_dict())
    wide = ObjectEncoder(num_layers=4, window=13, **SMALL).train()
    wide.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(whole(queries), wide(queries))
    assert (whole(queries) - encoder.eval()(queries)).abs().max() > 1e-2


@torch.no_grad()
def test_videos_of_a_batch_do_not_meet(encoder):
    queries = frame_queries(7)
    alone = encoder.eval()(queries[1:])
    torch.testing.assert_close(encoder(queries)[1:], alone, rtol=0, atol=1e-5)


def test_boundaries():
    assert window_boundaries(13, 6, moved=False) == [0, 6, 12, 13]
    assert window_boundaries(13, 6, moved=True) == [0, 3, 9, 13]
    assert window_boundaries(13, 5, moved=True) == [0, 2, 7, 12, 13]
    assert window_boundaries(3, 1, moved=True) == [0, 1, 2, 3]
    assert window_boundaries(2, 6, moved=True) == [0, 2]


def test_a_negative_window_is_refused():
    with pytest.raises(ValueError, match=r"must be >= 0 frames, got -1; VITA uses 6"):
        ObjectEncoder(window=-1)


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(0)
    return VideoQueryDecoder(num_queries=5, num_frame_queries=3, num_layers=2, **SMALL)


@torch.no_grad()
def decoded(decoder, tokens, frame_pos):
    """Decode with mmdet's order of blocks, written out."""
    queries = decoder.query_feat.weight.expand(len(tokens), -1, -1)
    pos = decoder.query_embed.weight
    memory, memory_pos = tokens.flatten(1, 2), frame_pos.flatten(0, 1)
    stages = []
    for layer in decoder.transformer_decoder.layers:
        cross, own = layer.cross_attn.attn, layer.self_attn.attn
        seen, _ = cross(queries + pos, memory + memory_pos, memory)
        queries = layer.norms[0](queries + seen)
        seen, _ = own(queries + pos, queries + pos, queries)
        queries = layer.norms[1](queries + seen)
        queries = layer.norms[2](queries + layer.ffn(queries))
        stages.append(queries)
    return decoder.transformer_decoder.post_norm(torch.stack(stages)), stages[-1]


@torch.no_grad()
def test_video_queries(decoder):
    tokens = frame_queries(4)
    normed, last = decoder(tokens, decoder.initial_queries(2))
    frame_pos = decoder.frame_query_pos.weight.expand(4, -1, -1)
    expected, expected_last = decoded(decoder, tokens, frame_pos)
    torch.testing.assert_close(normed, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(last, expected_last, rtol=0, atol=1e-5)
    short = decoder(tokens, decoder.initial_queries(2), all_layers=False)
    torch.testing.assert_close(short.normed, normed[-1:])
    # Without the position of frame queries, or with that of another one.
    for wrong in (torch.zeros_like(frame_pos), frame_pos.flip(1)):
        assert (normed - decoded(decoder, tokens, wrong)[0]).abs().max() > 1e-2


@torch.no_grad()
def test_what_is_injected_enters_the_layer(decoder):
    def doubled(index, queries, pos):
        return (2 * queries, pos) if index == 0 else (queries, pos)

    tokens, start = frame_queries(4), decoder.initial_queries(2)
    injected = decoder(tokens, start, before_layer=doubled)
    expected = decoder(tokens, 2 * start)
    torch.testing.assert_close(injected.normed, expected.normed)
