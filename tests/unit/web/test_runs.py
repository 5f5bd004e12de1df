"""A finished prediction: its video, outlines, corrections and downloads."""

import json
import zipfile

import cv2
import numpy as np
import pytest
from helpers.tiny_web import TEXT, tiny_run

from tmt_vis.dataset_tools.exporters import EXPORTERS, ExportError
from tmt_vis.inference import open_source
from tmt_vis.web import Edits, Run, WebError
from tmt_vis.web.exports import LABELLING, write_archive, write_results
from tmt_vis.web.runs import outline_polygons


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return tiny_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(autouse=True)
def without_edits(request):
    yield
    if "run" in request.fixturenames:
        request.getfixturevalue("run").edits = Edits()


def test_the_video_has_every_frame(run):
    assert run.result.tracks
    video = open_source(run.video)
    # 48x32, enlarged to 480 pixels of the shorter side, no legend under it.
    assert (video.num_frames, video.width, video.height) == (6, 720, 480)


def test_words_are_the_label_space(tmp_path):
    run = tiny_run(tmp_path, model=TEXT, label_space=None, words=("dog", "bus"))
    assert {track.name for track in run.result.tracks} <= {"dog", "bus"}
    assert run.question.what == "dog, bus"


def test_outlines_of_a_ring():
    rows, columns = np.mgrid[:40, :60]
    distance = np.hypot(rows - 20, columns - 30)
    mask = (distance < 15) & (distance > 6)
    polygons = outline_polygons(mask)
    assert len(polygons) == 2
    drawn = np.zeros(mask.shape, np.uint8)
    cv2.fillPoly(drawn, [np.array(p).reshape(-1, 1, 2) for p in polygons], 1)
    # Through the outermost pixels, and corners are cut by less than a pixel.
    assert ((drawn > 0) & mask).sum() / ((drawn > 0) | mask).sum() > 0.9
    assert not drawn[20, 30] and drawn[20, 40]


def test_outlines_of_a_track(run):
    track = run.result.tracks[0]
    shown = [bool(polygons) for polygons in run.outlines(track.id)]
    assert shown == (track.tube.frame_areas() > 0).tolist()


def test_renaming_takes_the_id_of_the_label_space(run):
    first, second = run.result.tracks[:2]
    run.edits = run.edits.renamed(first.id, " Giant_panda ", max_length=20)
    run.edits = run.edits.renamed(second.id, "robot", max_length=20)
    third = run.result.tracks[2]
    run.edits = run.edits.renamed(third.id, "drone", max_length=20)
    by_id = {track.id: track for track in run.result.tracks}
    ids = {c.name: c.source_id for c in run.label_space.categories}
    assert (by_id[first.id].name, by_id[first.id].source_id) == (
        "Giant_panda",
        ids["Giant_panda"],
    )
    assert by_id[second.id].name == "robot"
    new = {by_id[second.id].source_id, by_id[third.id].source_id}
    assert new == {max(ids.values()) + 1, max(ids.values()) + 2}
    assert by_id[first.id].tube is first.tube


@pytest.mark.parametrize("name", ["", "  ", "x" * 21])
def test_names_that_are_refused(name):
    with pytest.raises(WebError, match="1 to 20 characters"):
        Edits().renamed(1, name, max_length=20)


def test_a_dropped_track_is_in_nothing(run, tmp_path):
    track = run.result.tracks[0]
    run.edits = run.edits.without(track.id)
    assert track.id not in {t.id for t in run.result.tracks}
    with pytest.raises(WebError, match=f"no track {track.id}"):
        run.outlines(track.id)
    rows = json.loads(write_results(run.result, tmp_path).read_text())
    assert track.id not in {row["track_id"] for row in rows}
    assert len(rows) == len(run.result.tracks) > 0


def test_drawing_again_replaces_the_video(run):
    before = run.video
    counted = []
    run.draw(counted.append)
    assert counted == [1, 2, 3, 4, 5, 6]
    assert run.video != before and run.video.exists() and not before.exists()


def test_a_drawing_that_is_stopped_leaves_the_one_before(run):
    before = run.video

    def stop(count):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run.draw(stop)
    assert run.video == before
    assert [p.name for p in run.folder.iterdir()] == [before.name]


def test_every_export_is_offered():
    assert set(LABELLING) == set(EXPORTERS)


@pytest.mark.parametrize("target", LABELLING)
def test_archives(run, tmp_path, target):
    path = write_archive(run.result, target, tmp_path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert names and all(name.startswith(f"yard-{target}/") for name in names)


def test_archives_that_cannot_be_made(run, tmp_path):
    with pytest.raises(ExportError, match="must be one of cvat-video"):
        write_archive(run.result, "../x", tmp_path)
    for track in run.result.tracks:
        run.edits = run.edits.without(track.id)
    with pytest.raises(ExportError, match="no track"):
        write_archive(run.result, "coco", tmp_path)
