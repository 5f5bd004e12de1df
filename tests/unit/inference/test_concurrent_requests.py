"""Two requests with different words on one model at the same time."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from helpers.tiny_inference import frames, tiny_inferencer

from tmt_vis.inference import WindowPlan

WORDS = ["dog,red bus,dragon", "person,horse"]


@pytest.fixture
def find():
    head = dict(
        classifier=dict(type="TextSimilarityClassifier"),
        label_spaces=["ytvis19", "ovis"],
        per_frame=True,  # a head that remembers something between windows
    )
    return tiny_inferencer(head=head, windows=WindowPlan(3, 1))


@pytest.fixture
def busy_threads():
    """Let threads take turns ten times as often as usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 10)
    yield
    sys.setswitchinterval(interval)


def _facts(result):
    tracks = [(t.id, t.name, t.score, t.tube) for t in result.tracks]
    return tracks, result.taxonomy


def test_each_gets_what_it_gets_alone(find, busy_threads):
    videos = [frames(9), frames(7)[::-1]]
    requests = [(video, words) for video in videos for words in WORDS]

    def predict(request):
        video, words = request
        return _facts(find(video, vocabulary=words, score_thr=0))

    alone = [predict(request) for request in requests]
    names = [{name for _, name, _, _ in tracks} for tracks, _ in alone]
    assert names[0] <= set(WORDS[0].split(",")) and names[1] <= {"person", "horse"}
    assert alone[0] != alone[2] and alone[1] != alone[3]
    before = torch.get_rng_state()
    with ThreadPoolExecutor(len(requests)) as pool:
        together = list(pool.map(predict, requests))
    assert together == alone
    assert torch.equal(torch.get_rng_state(), before)


def test_a_task_and_an_evaluation_do_not_meet(find):
    """Window by window in turns, in one thread: nothing is kept on the model."""
    tasks = [find.task(frames(9), vocabulary=words, score_thr=0) for words in WORDS]
    expected = [_facts(task.run()) for task in tasks]
    runs = [task._windows(False, None) for task in tasks]
    seen = [[], []]
    for pair in zip(*runs, strict=True):
        for found, window in zip(seen, pair, strict=True):
            found.append(window)
    for task, windows, facts in zip(tasks, seen, expected, strict=True):
        linker = task.engine.linker(task.link)
        for window in windows:
            linker.add(window)
        scores = {one.slot_probs.max().item() for one in linker.finish()}
        assert {score for _, _, score, _ in facts[0]} <= scores
