"""What is shown: nothing that visitors type acts on the page."""

import html
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tmt_vis.inference import CompiledCategory, Track, VideoResult
from tmt_vis.structures import TubeRLE
from tmt_vis.taxonomy import LabelSpace
from tmt_vis.web import Edits, Progress, Question
from tmt_vis.web.view import safe, show_error, show_progress, show_run, spans

HOSTILE = "<img src=x onerror=alert(1)>\"'`${1+1}{{value}}\\"


def track(track_id, shown, name="dog"):
    masks = np.zeros((8, 4, 6), dtype=bool)
    masks[list(shown), 1:3, 2:4] = True
    tube = TubeRLE.from_masks(masks)
    return Track(track_id, name, 1, 0.75, tube, min(shown), max(shown))


def result(*tracks, **changes):
    made = VideoResult("yard", "ovis", tracks, (), 4, 6, 4.0, 8)
    return replace(made, **changes)


def run_of(made, *, words=None, edits=None):
    return SimpleNamespace(
        token="TOKEN",
        question=Question(model="tiny", label_space="ovis", words=words),
        result=made,
        video=SimpleNamespace(name="tracks-1.mp4"),
        label_space=LabelSpace.load("ovis"),
        edits=edits or Edits(),
    )


def test_spans_of_a_track():
    assert spans(track(1, [0, 1, 2, 5, 7])) == [(0, 2), (5, 5), (7, 7)]


def test_bars_lie_where_the_track_is_seen():
    shown = show_run(run_of(result(track(2, [2, 3]), track(1, [0, 7]))))
    bars = re.findall(r"left:([\d.]+)%;width:([\d.]+)%", shown)
    assert bars == [("0.00", "12.50"), ("87.50", "12.50"), ("25.00", "25.00")]
    assert re.findall(r'class="tv-row" data-track="(\d)"', shown) == ["1", "2"]


@pytest.mark.parametrize("place", ["name", "word", "compiled", "edit"])
def test_hostile_names_are_text(place):
    made = result(track(1, [0], HOSTILE if place == "name" else "dog"))
    if place == "compiled":
        made = replace(made, taxonomy=(CompiledCategory(HOSTILE, 0.5),))
    words = (HOSTILE,) if place == "word" else None
    edits = Edits({1: HOSTILE}) if place == "edit" else None
    shown = show_run(run_of(made, words=words, edits=edits))
    assert HOSTILE in html.unescape(shown)
    assert "<img" not in shown and "${" not in shown and "{{" not in shown
    assert "`" not in shown and "\\" not in shown


def test_safe_changes_nothing_that_is_read():
    assert html.unescape(safe(HOSTILE)) == HOSTILE


def test_facts_for_the_page():
    made = result(track(1, [0]), frame_times=tuple(t / 4 for t in range(8)))
    (text,) = re.findall(r'data-facts="([^"]*)"', show_run(run_of(made)))
    facts = json.loads(html.unescape(text))
    assert facts["outlines"] == "/runs/TOKEN/outlines"
    assert (facts["frames"], facts["fps"], facts["times"][1]) == (8, 4.0, 0.25)


def test_downloads_need_tracks():
    with_tracks, without = (
        show_run(run_of(result(track(1, [0])))),
        show_run(run_of(result())),
    )
    assert "/runs/TOKEN/export/cvat-video" in with_tracks
    assert "/runs/TOKEN/tracks.json" in with_tracks
    assert "export" not in without and "tracks-1.mp4?download=1" in without
    assert "No tracks in 8 frames" in without and "least score" in without


def test_corrections_can_be_undone():
    made = result(track(1, [0]))
    assert "Undo all" not in show_run(run_of(made))
    edited = show_run(run_of(made, edits=Edits({1: "cat"}, frozenset({2}))))
    assert "1 renamed, 1 dropped" in edited and 'data-action="restore"' in edited


def test_a_damaged_file_is_said():
    made = result(track(1, [0]), truncated="/srv/secret/yard.mp4: 8 of 20 frames")
    shown = show_run(run_of(made))
    assert "damaged or missing" in shown and "secret" not in shown


def test_progress_has_frames_per_second():
    shown = show_progress(Progress("Finding objects", 3, 12, 4.25))
    assert "Finding objects · frame 3 of 12 · 4.2 frames per second" in shown
    assert "width:25.0%" in shown
    assert "frame" not in show_progress(Progress("Loading a model"))
    assert "width:0.0%" in show_progress(Progress("Drawing", 3, None, 1.0))


def test_errors_begin_with_a_capital():
    assert '<div class="tv-error" role="alert">A &lt;b' in show_error("a <b")
