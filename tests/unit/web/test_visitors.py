"""Visitors do not see each other, and nothing of them stays."""

import time

import pytest
from helpers.tiny_web import upload_file, wait_until

from tmt_vis.web import Limits, Visitors, WebError
from tmt_vis.web.server import scratch_folder


@pytest.fixture
def visitors(tmp_path):
    made = Visitors(tmp_path / "root", Limits(jobs=1))
    made.root.mkdir()
    yield made
    made.close_all()


def upload(visitor, name="yard.avi"):
    path = upload_file(visitor.new_folder(), name=name, count=2)
    visitor.take_video(path)
    return path


def endless(job):
    job.begin("Counting")
    while True:
        job.count(1, None)
        time.sleep(0.001)


def test_two_sessions_are_two_visitors(visitors):
    one, two = visitors.of("a"), visitors.of("b")
    assert visitors.of("a") is one and one is not two
    assert one.token != two.token and one.folder != two.folder
    upload(one)
    assert two.video is None
    assert visitors.by_token(one.token) is one and visitors.by_token("x") is None


def test_a_new_video_replaces_the_one_before(visitors, tmp_path):
    visitor = visitors.of("a")
    first, second = upload(visitor), upload(visitor)
    assert not first.parent.exists() and second.exists()
    shipped = upload_file(tmp_path / "shipped")
    visitor.take_video(shipped)
    assert not second.parent.exists()
    upload(visitor)
    assert shipped.exists()


def test_the_video_of_the_results_stays_while_they_are_shown(visitors):
    visitor = visitors.of("a")
    first = upload(visitor)
    visitor.start(lambda job: [], visitors.places).join()
    upload(visitor)
    third = upload(visitor)
    assert first.exists()  # corrections are drawn on it
    visitor.start(lambda job: [], visitors.places).join()
    assert not first.exists() and third.exists()
    assert len(list(visitor.folder.iterdir())) == 1


def test_one_job_at_a_time(visitors):
    visitor = visitors.of("a")
    job = visitor.start(endless, visitors.places)
    with pytest.raises(WebError, match="cancel it first"):
        visitor.start(endless, visitors.places)
    visitor.cancel()
    again = visitor.start(lambda job: [], visitors.places)
    again.join()
    assert not job.is_running and again.result == []


def test_a_closed_tab_stops_the_job_and_leaves_nothing(visitors):
    visitor = visitors.of("a")
    upload(visitor)
    job = visitor.start(endless, visitors.places)
    wait_until(lambda: job.progress.done)
    visitors.close("a")
    assert not job.is_running
    assert list(visitors.root.iterdir()) == []
    with pytest.raises(WebError, match="reload"):
        visitor.start(endless, visitors.places)
    assert visitors.by_token(visitor.token) is None
    visitors.close("a")  # twice does no harm


def test_idle_visitors_are_forgotten(visitors):
    idle, busy, here = (visitors.of(name) for name in "abc")
    busy.start(endless, visitors.places)
    long_ago = time.monotonic() - 60 * visitors.limits.idle_minutes - 1
    idle.last_seen = busy.last_seen = long_ago
    visitors.close_idle()
    assert {path for path in visitors.root.iterdir()} == {busy.folder, here.folder}


def test_the_folder_of_a_server_goes_with_it(tmp_path):
    with scratch_folder(tmp_path) as folder:
        (folder / "upload").write_text("x")
        with scratch_folder(tmp_path) as other:  # does not touch the one that lives
            assert (folder / "upload").exists() and other != folder
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_is_removed(tmp_path):
    dead = tmp_path / "tmt_vis_web.killed"
    dead.mkdir()
    (dead / "video.mp4").write_text("x")
    mine = tmp_path / "tmt_vis_web.txt"
    mine.write_text("a file of somebody")
    with scratch_folder(tmp_path):
        assert not dead.exists() and mine.exists()
