"""IDOL's tracker: the golden kit, the written-out version, state and bad options."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from helpers import golden_kit, synthetic_detections

from benchmarks.tracking import WrittenTracker
from tmt_vis.models.trackers import (
    UNTRACKED,
    EmbeddingTracker,
    FrameDetections,
    Selection,
    TrackMemory,
    match_tracks,
)
from tmt_vis.ops import keep_best, mask_overlaps

OVIS = dict(mask_nms=0.3, new_track=0.3)
CHANNELS = 8


class Tracked(NamedTuple):
    """Lists of all frames, as in the kit."""

    before: list
    after: list
    ids: list
    memory: list
    probs: dict


def scripted(*frames):
    """Make frames of detections: (object, score), each with a mask of its own."""
    looks = 8 * torch.eye(CHANNELS)
    return [
        FrameDetections(
            torch.tensor([score for _, score in frame]),
            torch.stack([looks[one] for one, _ in frame])
            if frame
            else looks.new_zeros(0, CHANNELS),
            torch.eye(CHANNELS, dtype=torch.bool)[[one for one, _ in frame]][:, None],
        )
        for frame in frames
    ]


def ids_of(frames, **options):
    """Track frames; return ids and the ids retracted in each frame."""
    tracker = EmbeddingTracker(**options)
    state = tracker.start(CHANNELS)
    ids, retracted = [], []
    for frame in frames:
        ids.append(tracker.update(frame, state).tolist())
        retracted.append(state.retracted)
    return ids, retracted


def random_frames(count, objects, seed=0):
    """Make noisy detections of objects that come, go, and are found twice."""
    draw = torch.Generator().manual_seed(seed)
    looks = torch.randn(objects, CHANNELS, generator=draw)
    frames = []
    for _ in range(count):
        seen = (torch.rand(objects, generator=draw) < 0.7).nonzero().flatten()
        seen = torch.cat([seen, seen[: len(seen) // 3]])  # found twice
        scores = torch.rand(len(seen), generator=draw)
        noise = 0.4 * torch.randn(len(seen), CHANNELS, generator=draw)
        masks = torch.rand(len(seen), 8, 9, generator=draw) < 0.1
        masks |= torch.arange(72).view(8, 9) // 4 == seen[:, None, None]
        frames.append(FrameDetections(scores, 1.5 * looks[seen] + noise, masks))
    return frames


@pytest.fixture(scope="module")
def tracked():
    """Track the video of the kit with the settings for OVIS."""
    video = synthetic_detections.make_video()
    tracker = EmbeddingTracker(**OVIS)
    state = tracker.start(synthetic_detections.CHANNELS)
    out = Tracked([], [], [], [], {})
    for frame in map(_tensors, zip(*video, strict=True)):
        probs = frame["logits"].sigmoid()
        centre, size = frame["boxes"].split(2, -1)
        corners = torch.cat([centre - size / 2, centre + size / 2], -1)
        chosen = Selection()(probs, corners)
        detections = FrameDetections(
            probs[chosen].amax(1),
            frame["embeds"][chosen],
            frame["masks"][chosen] > 0,
        )
        overlaps = mask_overlaps(detections.masks).numpy()
        kept = keep_best(detections.scores.numpy(), overlaps, tracker.mask_nms)
        ids = tracker.update(detections, state)
        out.before.append(chosen)
        out.after.append(chosen[kept])
        out.ids.append(ids[kept])
        out.memory.append(np.sort(state.ids))
        for track in state.retracted:
            del out.probs[track]
        for track, row in zip(ids.tolist(), probs[chosen], strict=True):
            if track != UNTRACKED:
                out.probs.setdefault(track, []).append(row.numpy())
    return out


def _tensors(arrays):
    names = synthetic_detections.Video._fields
    return dict(zip(names, map(torch.from_numpy, arrays), strict=True))


def golden(name):
    return golden_kit.golden("idol_tracker")[f"synthetic/{name}"]


@pytest.mark.parametrize("name", ["before", "after", "ids", "memory"])
def test_every_frame_of_the_kit(tracked, name):
    ours = getattr(tracked, name)
    assert [len(frame) for frame in ours] == golden(f"n_{name}").tolist()
    # The reference tells backdrops (-1) from the rest (-2); neither is ever used.
    assert np.array_equal(np.concatenate(ours), golden(name).clip(min=UNTRACKED))


def test_tracks_of_the_kit(tracked):
    entries = [
        (float(score), label, track)
        for track, rows in tracked.probs.items()
        for label, score in enumerate(np.mean(rows, 0, dtype=np.float64))
        if score > 0.05
    ]
    scores, labels, tracks = zip(*sorted(entries, reverse=True), strict=True)
    assert np.abs(np.array(scores) - golden("final/scores")).max() < 1e-6
    assert list(labels) == golden("final/labels").tolist()
    assert list(tracks) == golden("final/track_id").tolist()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("options", [{}, OVIS], ids=["default", "ovis"])
def test_equals_the_written_out_version(seed, options):
    frames = random_frames(40, 6, seed)
    reference = WrittenTracker(**options)
    ids, retracted = ids_of(frames, **options)
    assert ids == [reference.update(frame) for frame in frames]
    reported = {}
    for number, (frame, void) in enumerate(zip(ids, retracted, strict=True)):
        for track in void:
            del reported[track]
        for track in frame:
            if track != UNTRACKED:
                reported.setdefault(track, []).append(number)
    theirs = {i: t.reported for i, t in reference.outputs.items() if t.reported}
    assert reported == theirs
    assert max(reported) >= 6  # tracks were born later as well


def test_memory_weights():
    state = TrackMemory.empty(length=3, channels=2)
    state.add(1)
    embeddings = torch.randn(4, 2, generator=torch.manual_seed(0)).numpy()
    scores = np.array([0.9, 0.2, 0.5, 0.7], np.float32)
    for n, (score, embedding) in enumerate(zip(scores, embeddings, strict=True)):
        state.push(np.array([0]), score[None], embedding[None])
        first = max(0, n - 2)
        count = n + 1 - first
        weights = scores[first : n + 1] + np.arange(1, count + 1) / count
        expected = (weights[:, None] * embeddings[first : n + 1]).sum(0) / weights.sum()
        assert np.allclose(state.mean_embeddings()[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "similarity, times_seen, tracks",
    [
        ([[0.9, 0.1], [0.8, 0.7]], [1, 1], [0, 1]),  # a track is taken once
        ([[0.9, 0.1], [0.8, 0.2]], [1, 1], [0, -1]),
        ([[0.8, 0.6]], [1, 5], [1]),  # the older one of two
        ([[0.8, 0.6, 0.49]], [2, 2, 99], [0]),  # others are raised by the mean only
        ([[0.5, 0.5]], [9, 9], [-1]),  # above, not at the threshold
        ([[0.52, 0.51, 0.5]], [1, 9, 1], [1]),
    ],
)
def test_matching(similarity, times_seen, tracks):
    values = np.array(similarity, np.float32)
    assert match_tracks(values, np.array(times_seen), 0.5).tolist() == tracks


def test_a_track_is_continued_until_its_patience_ends():
    for gap, expected in ((10, 0), (11, 2)):
        away = [[(1, 0.9)]] * (gap - 1)
        frames = scripted([(0, 0.9), (1, 0.8)], *away, [(0, 0.9), (1, 0.8)])
        assert ids_of(frames)[0][-1] == [expected, 1]


def test_thresholds_of_new_tracks():
    frames = scripted([(0, 0.25)], [(0, 0.9), (1, 0.25)], [(0, 0.9), (2, 0.31)])
    # In front of an empty memory the lower threshold holds.
    assert ids_of(frames, **OVIS)[0] == [[0], [0, UNTRACKED], [0, 1]]


def test_noise_is_retracted_and_may_come_back():
    seen = [[(0, 0.9)]] * 8
    both = [(0, 0.9), (1, 0.8)]
    frames = scripted(*seen, both, both, *seen[:2], both, both, both, *seen[:3])
    ids, retracted = ids_of(frames)
    assert retracted == [()] * 11 + [(1,)] + [()] * 6
    assert ids[12:15] == [[0, 1]] * 3


def test_frames_without_detections():
    frames = scripted([(0, 0.9)], [], [(0, 0.9), (1, 0.1)], *[[]] * 10, [(0, 0.9)])
    ids, retracted = ids_of(frames)
    assert ids == [[0], [], [0, UNTRACKED], *[[]] * 10, [1]]
    assert (0,) in retracted


def test_a_stored_state_goes_on_with_the_same_bits(tmp_path):
    tracker, frames = EmbeddingTracker(), random_frames(30, 5)
    state = tracker.start(CHANNELS)
    for frame in frames[:14]:
        tracker.update(frame, state)
    np.savez(tmp_path / "state.npz", **state.to_arrays())
    with np.load(tmp_path / "state.npz") as arrays:
        loaded = TrackMemory.from_arrays(arrays)
    aside = state.copy()
    for frame in frames[14:]:
        ids = tracker.update(frame, state).tolist()
        assert tracker.update(frame, loaded).tolist() == ids
        assert state.retracted == loaded.retracted
    ours, theirs = state.to_arrays(), loaded.to_arrays()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert aside.frame == 14


def test_memory_does_not_grow_with_the_video():
    tracker, frames = EmbeddingTracker(), random_frames(500, 6)
    state, sizes = tracker.start(CHANNELS), []
    for frame in frames:
        tracker.update(frame, state)
        sizes.append(state.nbytes)
    assert state.next_id > 100
    assert max(sizes[250:]) <= 1.5 * max(sizes[20:250])


@pytest.mark.parametrize(
    "options",
    [
        dict(mask_nms=1.5),
        dict(match=-0.1),
        dict(new_track=2),
        dict(first_track=-1),
        dict(memory=0),
        dict(patience=0),
        dict(noise_gap=0),
    ],
)
def test_options_out_of_range(options):
    (name,) = options
    with pytest.raises(ValueError, match=rf"^{name} must be .*, got"):
        EmbeddingTracker(**options)


def test_selection_keeps_the_best_query_of_a_faint_frame():
    probs = torch.tensor([[0.02, 0.01], [0.03, 0.05], [0.01, 0.02]])
    boxes = torch.tensor([[0.0, 0, 1, 1]] * 3)
    for threshold, expected in ((0.1, [1]), (0.015, [1, 0])):
        chosen = Selection(threshold=threshold)(probs, boxes)
        assert chosen.tolist() == expected  # query 2 is the same object as query 1
    with pytest.raises(ValueError, match=r"^threshold must be in \[0, 1\], got 10"):
        Selection(threshold=10)
