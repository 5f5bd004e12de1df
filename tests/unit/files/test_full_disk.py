"""On a full disk every writer fails, keeps the old file and leaves nothing behind."""

import json

import cv2
import numpy as np
import pytest
from helpers.full_disk import full_disk

from tmt_vis.annotations import VideoEntry
from tmt_vis.evaluation import AnnotationFile, PredictedTubes, write_results
from tmt_vis.evaluation.analysis.files import write_report
from tmt_vis.evaluation.taxonomy_record import TaxonomyRecord
from tmt_vis.files import replacing
from tmt_vis.inference import Track, VideoResult, write_json, write_masks
from tmt_vis.structures import encode_tubes
from tmt_vis.taxonomy import LabelSpace
from tmt_vis.text import TextEmbeddings
from tmt_vis.visualization import plot_losses, write_image, write_video

NOISE = np.random.default_rng(0).integers(0, 255, (6, 64, 64, 3), dtype=np.uint8)
TUBES = encode_tubes(NOISE[None, ..., 0] > 127)
SPACE = LabelSpace.load("ovis")


def save_results(path):
    info = VideoEntry(1, "v", 64, 64, ("f",) * 6, 6)
    slots = {source_id: slot for slot, source_id in enumerate(SPACE.source_ids)}
    annotations = AnnotationFile("ann.json", SPACE, slots, {1: info}, None)
    tracks = PredictedTubes(TUBES, np.zeros(1, dtype=np.int64), np.ones(1))
    write_results(str(path).removesuffix(path.suffix), {1: tracks}, annotations)


def video_result():
    track = Track(1, "Person", 1, 0.5, TUBES[0], 0, 5)
    return VideoResult("v", "ovis", (track,), (), 64, 64, 5.0, 6)


def save_embeddings(folder):
    vectors = np.eye(64, dtype=np.float32)
    prompts = tuple(f"prompt {i}" for i in range(64))
    TextEmbeddings("hash", ("{}",), {"x": prompts}, prompts, vectors, {}).save(folder)


def save_record(path):
    ranks = np.tile(np.arange(40), (20, 1))
    names = tuple(map(str, range(40)))
    TaxonomyRecord(
        "zoo", names, names[:20], ranks, ranks / 7, ranks < 10, ranks[:, 0], None
    ).save(path)


WRITERS = {
    "run.zip": save_results,
    "tracks.json": lambda path: write_json(path, {1: video_result()}),
    "masks": lambda path: write_masks(path, video_result()),
    "clip.mp4": lambda path: write_video(path, NOISE, fps=5),
    "clip.gif": lambda path: write_video(path, NOISE, fps=5),
    "image.png": lambda path: write_image(path, NOISE[0]),
    "plot.png": lambda path: plot_losses(path, {"loss": (np.arange(3), np.ones(3))}),
    "embeddings": save_embeddings,
    "record.json": save_record,
    "report.json": lambda path: write_report(path, {"x": list(range(999))}),
}


def content(folder):
    """Every file below a folder, hidden ones included."""
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", WRITERS)
def test_old_files_survive(tmp_path, name):
    write = WRITERS[name]
    write(tmp_path / name)
    before = content(tmp_path)
    assert before and max(map(len, before.values())) > 500
    with full_disk(), pytest.raises((OSError, cv2.error)):
        write(tmp_path / name)
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", WRITERS)
def test_no_partial_file_appears(tmp_path, name):
    with full_disk(), pytest.raises((OSError, cv2.error)):
        WRITERS[name](tmp_path / name)
    assert content(tmp_path) == {}


def test_interruption(tmp_path):
    """Control-C in the middle is no OSError and leaves as little."""
    path = tmp_path / "report.json"
    write_report(path, {"x": 1})
    with pytest.raises(KeyboardInterrupt), replacing(path) as draft:
        draft.write_text("half")
        raise KeyboardInterrupt
    assert json.loads(path.read_text()) == {"x": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_file_never_takes_the_place_of_a_folder(tmp_path):
    folder = tmp_path / "report.json"
    folder.mkdir()
    (folder / "precious").write_text("kept")
    with pytest.raises(OSError):
        write_report(folder, {"x": 1})
    assert (folder / "precious").read_text() == "kept"
    assert list(tmp_path.iterdir()) == [folder]
