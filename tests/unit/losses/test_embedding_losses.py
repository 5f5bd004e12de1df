"""VITA's similarity loss against a loop over pairs."""

import math

import torch

from tmt_vis.losses.embedding_losses import matched_embeddings, similarity_loss

LAYERS, FRAMES, FRAME_QUERIES, QUERIES, CHANNELS = 2, 3, 6, 5, 4


def video(objects, seed):
    generator = torch.Generator().manual_seed(seed)
    draw = dict(generator=generator)
    return (
        torch.randn(LAYERS, FRAMES, FRAME_QUERIES, CHANNELS, **draw),
        torch.randint(-1, FRAME_QUERIES, (LAYERS, FRAMES, objects), **draw),
        torch.randn(LAYERS, QUERIES, CHANNELS, **draw),
        torch.randint(-1, QUERIES, (LAYERS, objects), **draw),
    )


def vectors_of(layer, frame_embeds, frame_matches, video_embeds, video_matches):
    """Yield (object, vector) of one layer, as published: frames first."""
    for frame in range(FRAMES):
        for number, query in enumerate(frame_matches[layer, frame].tolist()):
            if query >= 0:
                yield number, frame_embeds[layer, frame, query]
    for number, query in enumerate(video_matches[layer].tolist()):
        if query >= 0:
            yield number, video_embeds[layer, query]


def written_out(videos):
    terms = []
    for each in videos:
        for layer in range(LAYERS):
            vectors = list(vectors_of(layer, *each))
            for one, a in vectors:
                for other, b in vectors:
                    x = float(a @ b)
                    sign = 1 if one == other else -1
                    terms.append(math.log1p(math.exp(-sign * x)))
    return sum(terms) / max(len(terms), 1), len(terms)


def test_all_pairs_of_a_video_and_layer():
    videos = [video(4, 0), video(0, 1), video(2, 2)]
    got = similarity_loss([matched_embeddings(*each) for each in videos])
    expected, pairs = written_out(videos)
    assert pairs > 100
    assert math.isclose(got.item(), expected, rel_tol=1e-5)


def test_pairs_of_different_videos_do_not_count():
    videos = [video(4, 0), video(2, 2)]
    terms = [written_out([each]) for each in videos]
    mean = sum(value * count for value, count in terms) / sum(n for _, n in terms)
    got = similarity_loss([matched_embeddings(*each) for each in videos])
    assert math.isclose(got.item(), mean, rel_tol=1e-5)


def test_nothing_matched_is_zero_with_a_graph():
    frame_embeds, frame_matches, video_embeds, video_matches = video(3, 0)
    embeds = frame_embeds.requires_grad_(), video_embeds.requires_grad_()
    nobody = torch.full_like(frame_matches, -1), torch.full_like(video_matches, -1)
    matched = matched_embeddings(embeds[0], nobody[0], embeds[1], nobody[1])
    loss = similarity_loss([matched])
    loss.backward()
    assert loss == 0
    assert (embeds[0].grad == 0).all() and (embeds[1].grad == 0).all()
