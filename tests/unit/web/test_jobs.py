"""Jobs: progress, places, errors, and a stop between two layers."""

import threading
import time

import pytest
import torch
from helpers.tiny_web import wait_until
from torch import nn

from tmt_vis.web import Job
from tmt_vis.web.cancellation import Cancellation, Cancelled, cancellable, watch


def finished(work, places=None):
    job = Job(work, places=places or threading.Semaphore())
    job.join()
    return job


def test_result_and_progress():
    def work(job):
        job.begin("Counting", 4)
        time.sleep(0.01)
        job.count(2, 4)
        return "done"

    job = finished(work)
    assert (job.result, job.error, job.is_running) == ("done", None, False)
    progress = job.progress
    assert (progress.phase, progress.done, progress.total) == ("Counting", 2, 4)
    assert 0 < progress.rate <= 2 / 0.01


def test_an_error_is_kept():
    def work(job):
        raise ValueError("no such thing")

    job = finished(work)
    assert job.result is None and str(job.error) == "no such thing"


def test_a_cancelled_job_has_neither_result_nor_error():
    started = threading.Event()

    def work(job):
        job.begin("Counting")
        started.set()
        for number in range(10**6):
            job.count(number, None)
            time.sleep(0.001)

    job = Job(work, places=threading.Semaphore())
    started.wait(5)
    start = time.monotonic()
    job.cancel()
    job.join()
    assert time.monotonic() - start < 1
    assert job.is_cancelled and job.result is None and job.error is None


def test_a_job_waits_for_a_place_and_gives_it_back():
    places, go, order = threading.Semaphore(1), threading.Event(), []

    def first(job):
        go.wait(5)
        order.append(1)

    one = Job(first, places=places)
    two = Job(lambda job: order.append(2), places=places)
    assert "Waiting" in two.progress.phase
    third = Job(lambda job: order.append(3), places=places)
    third.cancel()  # while it waits
    third.join()
    go.set()
    one.join(), two.join()
    assert order == [1, 2]
    assert places.acquire(blocking=False)


class Slow(nn.Module):
    """Layers that take a while and count themselves."""

    def __init__(self, count):
        super().__init__()
        self.layers = nn.ModuleList(nn.Identity() for _ in range(count))
        self.done = 0

    def forward(self, value):
        for layer in self.layers:
            value = layer(value)
            self.done += 1
            time.sleep(0.002)
        return value


def test_a_watched_model_stops_between_layers():
    model = Slow(5000)  # ten seconds
    watch(model)
    cancellation = Cancellation()
    ended = []

    def compute():
        with cancellable(cancellation), pytest.raises(Cancelled):
            model(torch.zeros(1))
        ended.append(model.done)

    thread = threading.Thread(target=compute)
    thread.start()
    wait_until(lambda: model.done > 3)
    start = time.monotonic()
    cancellation.cancel()
    thread.join()
    assert time.monotonic() - start < 1
    assert ended and ended[0] < 5000


def test_other_threads_are_not_stopped():
    model = nn.Sequential(nn.Identity(), nn.Identity())
    watch(model)
    cancellation = Cancellation()
    cancellation.cancel()
    results = []
    with cancellable(cancellation):
        thread = threading.Thread(target=lambda: results.append(model(torch.ones(1))))
        thread.start()
        thread.join()
        with pytest.raises(Cancelled):
            model(torch.ones(1))
    assert results == [torch.ones(1)]
    model(torch.ones(1))  # nobody waits for a cancellation here any more
