"""An object keeps its identity over windows, absence and crossings."""

import numpy as np
import pytest
from helpers.scripted_windows import Actor, Play

from tmt_vis.inference import LinkOptions, TrackLinker, WindowPlan, WindowPrediction
from tmt_vis.streaming import Window
from tmt_vis.structures import TubeRLE

PLAN = WindowPlan(36, 6)


def _link(play, options=None):
    linker = TrackLinker(options)
    ids = [linker.add(prediction) for prediction in play.predictions()]
    return linker, ids


def _identities(play, ids):
    """Return the set of identities each actor was given."""
    given = {i: set() for i in range(len(play.actors))}
    for cast, row_ids in zip(play.casts, ids, strict=True):
        assert len(set(row_ids)) == len(row_ids)
        for actor, identity in zip(cast, row_ids, strict=True):
            given[actor].add(identity)
    return given


def test_600_frames_with_actors_that_leave_and_return():
    stages = [range(0, 130), range(300, 420), range(560, 600)]
    play = Play(
        [
            Actor(look=1, row=0, on_stage=[range(600)]),
            Actor(look=2, row=8, on_stage=stages, slot=1),
            Actor(look=3, row=16, on_stage=[range(45, 47), range(400, 600)], slot=2),
            Actor(look=4, row=10, on_stage=[range(200, 290)], slot=3),
        ],
        num_frames=600,
        plan=PLAN,
    )
    linker, ids = _link(play, LinkOptions(memory_windows=20))
    given = _identities(play, ids)
    assert [len(identities) for identities in given.values()] == [1, 1, 1, 1]
    objects = linker.finish()
    assert len(objects) == 4
    for actor, (identity,) in given.items():
        assert objects[identity].tube.counts == play.actors[actor].tube(600).counts
        np.testing.assert_array_equal(
            objects[identity].slot_probs, play.actors[actor].probs()
        )


@pytest.mark.parametrize("memory, same", [(3, True), (2, False)])
def test_memory_is_counted_in_windows(memory, same):
    # Windows of 10 without overlap: seen in window 0 and again in window 3.
    stages = [range(0, 10), range(30, 40)]
    play = Play([Actor(1, 0, stages)], 40, WindowPlan(10, 0), noise=0.0)
    _, ids = _link(play, LinkOptions(memory_windows=memory))
    assert (ids[0] == ids[3]) is same


def test_twins_are_told_apart_by_place():
    """Equal embeddings: only the tubes in the common frames differ."""
    twins = [Actor(7, 0, [range(100)]), Actor(7, 12, [range(100)])]
    play = Play(twins, 100, PLAN, noise=0.0)
    _, ids = _link(play)
    assert [len(given) for given in _identities(play, ids).values()] == [1, 1]


def test_crossing_objects_are_told_apart_by_look():
    """At one place in all common frames: only the embeddings differ."""
    pair = [Actor(1, 4, [range(100)]), Actor(2, 4, [range(100)])]
    play = Play(pair, 100, PLAN)
    _, ids = _link(play)
    assert [len(given) for given in _identities(play, ids).values()] == [1, 1]


def test_same_look_elsewhere_in_common_frames_is_another_object():
    """Each window misses one of two; the cosine alone would make them one."""
    here, there = Actor(7, 0, [range(66)]), Actor(7, 16, [range(66)])
    first, _ = Play([here], 66, PLAN, noise=0.0).predictions()
    _, second = Play([there], 66, PLAN, noise=0.0).predictions()
    linker = TrackLinker()
    assert linker.add(first) == [0]
    assert linker.add(second) == [1]


def test_strangers_are_not_linked():
    first, second = Actor(1, 0, [range(0, 10)]), Actor(2, 0, [range(10, 20)])
    play = Play([first, second], 20, WindowPlan(10, 0))
    _, ids = _link(play)
    assert ids == [[0], [1]]


def test_scores_are_weighted_by_frames():
    """10 frames of the first window and 6 of the second, which shares 4."""
    actors = [Actor(1, 0, [range(16)])]
    play = Play(actors, 16, WindowPlan(10, 4), noise=0.0)
    predictions = list(play.predictions())
    predictions[1].slot_probs[:] = [[0.1, 0.7, 0.1, 0.1]]
    linker = TrackLinker()
    for prediction in predictions:
        linker.add(prediction)
    (only,) = linker.finish()
    # The four common frames are shared half and half: 8 and 8.
    expected = (
        8 * predictions[0].slot_probs[0] + 8 * predictions[1].slot_probs[0]
    ) / 16
    np.testing.assert_allclose(only.slot_probs, expected, rtol=1e-6)


def test_the_largest_score_of_a_window_counts():
    actor = Actor(0, 2, [range(0, 30)], confidence=0.4)
    play = Play([actor], 30, WindowPlan(10, 2))
    windows = list(play.predictions())
    windows[1].slot_probs[0] = [0.1, 0.8, 0.05, 0.05]
    linkers = {name: TrackLinker(aggregate=name) for name in ("mean", "max")}
    for linker in linkers.values():
        for window in windows:
            linker.add(window)
    (mean,), (largest,) = (linker.finish() for linker in linkers.values())
    np.testing.assert_allclose(largest.slot_probs, [0.4, 0.8, 0.2, 0.2], rtol=1e-6)
    assert mean.slot_probs[1] < 0.5 and mean.tube == largest.tube
    with pytest.raises(ValueError, match="'mean' or 'max', got 'sum'"):
        TrackLinker(aggregate="sum")


def test_common_frames_come_from_the_nearer_window():
    play = Play([Actor(1, 0, [range(16)], speed=0)], 16, WindowPlan(10, 4), noise=0.0)
    first, second = play.predictions()
    moved = Actor(1, 1, [range(16)], speed=0)
    shifted = moved.masks(range(second.window.start, second.window.stop))
    second.__dict__["tubes"] = (type(first.tubes[0]).from_masks(shifted),)
    linker = TrackLinker()
    assert linker.add(first) == linker.add(second)
    masks = linker.finish()[0].tube.decode()
    top = masks.any(axis=2).argmax(axis=1)
    assert top.tolist() == [0] * 8 + [1] * 8


def test_linking_is_deterministic():
    play = Play([Actor(i, 3 * i, [range(90)]) for i in range(6)], 90, PLAN, noise=1.0)
    again = Play(play.actors, 90, PLAN, noise=1.0)
    assert _link(play)[1] == _link(again)[1]


def test_windows_without_objects():
    linker, ids = _link(Play([], 80, PLAN))
    assert ids == [[], [], []]
    assert linker.finish() == []


def test_no_window_at_all():
    with pytest.raises(ValueError, match="there was no frame"):
        TrackLinker().finish()


@pytest.mark.parametrize(
    "options", [{"embed_weight": 1.1}, {"memory_windows": 0}, {"min_similarity": 0.0}]
)
def test_impossible_options(options):
    with pytest.raises(ValueError, match="got"):
        LinkOptions(**options)


def _tracked(frame, tracks, retracted=()):
    """Make what a model with a tracker of its own says of one frame."""
    tube = TubeRLE.from_masks(np.ones((1, 2, 3), bool))
    return WindowPrediction(
        window=Window(frame, frame + 1),
        embeddings=np.zeros((len(tracks), 2), np.float32),
        slot_probs=np.full((len(tracks), 1), 0.1 * (frame + 1), np.float32),
        tubes=(tube,) * len(tracks),
        tracks=tuple(tracks),
        retracted=tuple(retracted),
    )


def test_retracted_tracks_are_forgotten_and_may_return():
    linker = TrackLinker()
    frames = [(3, 8), (3,), (3,), (3, 8)]
    for frame, tracks in enumerate(frames):
        linker.add(_tracked(frame, tracks, retracted=(8,) if frame == 2 else ()))
    first, second = linker.finish()
    assert (first.identity, second.identity) == (0, 2)
    assert [mask.any() for mask in second.tube.decode()] == [False] * 3 + [True]
    np.testing.assert_allclose(second.slot_probs, 0.4, rtol=1e-6)  # of the last frame
    np.testing.assert_allclose(first.slot_probs, 0.25, rtol=1e-6)
    stored = _tracked(2, (3,), retracted=(8,)).to_dict()
    assert WindowPrediction.from_dict(stored).retracted == (8,)
