"""Submissions: official content, complete or absent, read back and checked."""

import json
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
from ap_reference import official_evaluation
from vis_files import perfect_predictions, write_annotations

from tmt_vis.evaluation import (
    PredictedTubes,
    load_annotations,
    read_results,
    result_stream,
    results_io,
    write_results,
)
from tmt_vis.structures import TubeRLE
from tmt_vis.taxonomy import LabelSpace


@pytest.fixture
def annotations(tmp_path):
    path = write_annotations(tmp_path / "ann.json", "ytvis19")
    return load_annotations(path, label_space=LabelSpace.load("ytvis19"))


def test_written_results_are_official_and_come_back(tmp_path, annotations, monkeypatch):
    predictions = perfect_predictions(annotations)
    written = write_results(tmp_path / "out" / "run", predictions, annotations)
    assert written.json_file == tmp_path / "out" / "run.results.json"
    assert written.zip_file == tmp_path / "out" / "run.zip"
    with zipfile.ZipFile(written.zip_file) as archive:
        assert archive.namelist() == ["results.json"]
        assert archive.read("results.json") == written.json_file.read_bytes()
    entries = json.loads(written.json_file.read_text())
    assert written.num_tracks == len(entries) == sum(map(len, predictions.values()))
    assert {e["category_id"] for e in entries} <= {90, 3, 41}
    absent = [s for e in entries for s in e["segmentations"] if s is None]
    assert absent, "some objects are absent in some frames"
    monkeypatch.setattr(np, "float", float, raising=False)
    file = json.loads((tmp_path / "ann.json").read_text())
    for index, row in enumerate(file["annotations"]):
        row["id"] = index + 1
    assert official_evaluation(file, entries)[2][0] == pytest.approx(1.0)
    for path in written.json_file, written.zip_file:
        again = read_results(path, annotations)
        for video_id, tracks in again.items():
            assert list(tracks.tubes) == list(predictions[video_id].tubes)
            assert np.array_equal(tracks.slots, predictions[video_id].slots)
            assert np.array_equal(tracks.scores, predictions[video_id].scores)


def test_nothing_found_is_a_valid_submission(tmp_path, annotations):
    none = {video_id: PredictedTubes.none() for video_id in annotations.videos}
    written = write_results(tmp_path / "run", none, annotations)
    assert json.loads(written.json_file.read_text()) == []
    assert read_results(written.zip_file, annotations) == {}


def test_categories_the_file_does_not_list_are_left_out_and_counted(
    tmp_path, annotations
):
    predictions = perfect_predictions(annotations)
    lizard = LabelSpace.load("ytvis19").slot_of_name("lizard")
    predictions[2].slots[0] = lizard
    written = write_results(tmp_path / "run", predictions, annotations)
    assert written.num_dropped == 1
    assert written.num_tracks == sum(map(len, predictions.values())) - 1


def test_a_failed_write_leaves_the_old_files_and_no_draft(tmp_path, annotations):
    (tmp_path / "run.zip").write_text("old zip")
    (tmp_path / "run.results.json").write_text("old json")
    before = sorted(path.name for path in tmp_path.iterdir())
    small = TubeRLE.from_masks(np.ones((4, 2, 2), dtype=bool))
    slot = np.array([annotations.slot_of_source[3]])
    with pytest.raises(ValueError, match="frame 0: the RLE has size"):
        write_results(
            tmp_path / "run",
            {1: PredictedTubes([small], slot, np.ones(1))},
            annotations,
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "run.zip").read_text() == "old zip"
    assert (tmp_path / "run.results.json").read_text() == "old json"


@pytest.mark.parametrize(
    ("video_id", "shape", "message"),
    [
        (77, (4, 20, 28), "entry 0: video_id 77 is not in"),
        (1, (3, 20, 28), "entry 0: 3 segmentations for the 4 frames of video 1"),
        (1, (4, 28, 20), r"entry 0: frame 0: the RLE has size \[28, 20\]"),
    ],
)
def test_submissions_of_withheld_files_are_read_back(
    tmp_path, video_id, shape, message
):
    """Nothing but the annotation file's videos tells that a submission is wrong."""
    path = tmp_path / "withheld.json"
    write_annotations(path, "ytvis19")
    path.write_text(json.dumps({**json.loads(path.read_text()), "annotations": None}))
    annotations = load_annotations(path, label_space=LabelSpace.load("ytvis19"))
    assert annotations.ground_truth is None
    tube = TubeRLE.from_masks(np.ones(shape, dtype=bool))
    slot = np.array([annotations.slot_of_source[3]])
    tracks = PredictedTubes([tube], slot, np.ones(1))
    with pytest.raises(ValueError, match=message):
        write_results(tmp_path / "sub", {video_id: tracks}, annotations)
    assert not (tmp_path / "sub.zip").exists()
    good = TubeRLE.from_masks(np.ones((4, 20, 28), dtype=bool))
    tracks = PredictedTubes([good], slot, np.ones(1))
    written = write_results(tmp_path / "sub", {1: tracks}, annotations)
    (entry,) = json.loads(written.json_file.read_text())
    assert (entry["video_id"], entry["category_id"]) == (1, 3)


GOOD = {
    "video_id": 1,
    "category_id": 3,
    "score": 0.5,
    "segmentations": [None, None, {"size": [20, 28], "counts": [20 * 28]}, None],
}


WRONG = [None, None, {"size": [28, 20], "counts": [28 * 20]}, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(GOOD), "must be a JSON list"),
        (f"[{json.dumps(GOOD)}, {{", "not complete JSON"),
        (f"[{json.dumps(GOOD)}", "not complete JSON"),
        (json.dumps([GOOD, {**GOOD, "video_id": 77}]), "entry 1: video_id 77"),
        (
            json.dumps([{**GOOD, "video_id": "1"}]),
            "entry 0: video_id must be an integer",
        ),
        (json.dumps([{**GOOD, "segmentations": WRONG}]), "entry 0: frame 2: the RLE"),
        ("", "must be a JSON list of tracks, got ''"),
        (f"[{json.dumps(GOOD)} {json.dumps(GOOD)}]", "'{' follows an entry"),
        (json.dumps([{**GOOD, "category_id": 1}]), "entry 0: category_id 1"),
        (json.dumps([{"video_id": 1}]), "entry 0: lacks 'category_id'"),
        (json.dumps([{**GOOD, "segmentations": [None] * 3}]), "3 segmentations"),
        (json.dumps([{**GOOD, "segmentations": None}]), "entry 0"),
        (json.dumps([{**GOOD, "score": float("nan")}]), "finite"),
        ("[3]", "entry 0"),
    ],
)
def test_malformed_results_are_named(tmp_path, annotations, text, message):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_results(path, annotations)


def bomb(path, parts, method=zipfile.ZIP_DEFLATED):
    with (
        zipfile.ZipFile(path, "w", method) as archive,
        archive.open("results.json", "w", force_zip64=True) as stream,
    ):
        for part, times in parts:
            for _ in range(times):
                stream.write(part)
    return path


MIB = 1 << 20
BOMBS = {
    "blanks": ([(b"[" + b" " * MIB, 1), (b" " * MIB, 40)], "blanks in a row"),
    "a text": ([(b'["', 1), (b"x" * MIB, 40)], "more than .* characters; no track"),
    "a key": ([(b'[{"', 1), (b"x" * MIB, 40)], "more than .* characters; no track"),
    "digits": ([(b"[", 1), (b"1" * MIB, 40)], "digits|characters"),
    "brackets": ([(b"[" * MIB, 40)], "nested too deep"),
}


@pytest.mark.parametrize("case", BOMBS)
def test_what_no_track_of_these_videos_needs_is_not_collected(
    tmp_path, annotations, case
):
    """1.2 MB of zip with 1.2 GB of blanks took 8 minutes, with a text 3.9 GB."""
    parts, message = BOMBS[case]
    path = bomb(tmp_path / "bomb.zip", parts)
    assert path.stat().st_size < MIB // 4
    tracemalloc.start()
    with pytest.raises(ValueError, match=message):
        read_results(path, annotations)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * MIB


def test_blanks_are_skipped_at_once(tmp_path, annotations):
    path = tmp_path / "blanks.json"
    gap = " " * (MIB - 10)
    path.write_text(f"{gap}[{gap}{json.dumps(GOOD)}{gap}]{gap}")
    start = time.process_time()
    assert len(read_results(path, annotations)[1]) == 1
    assert time.process_time() - start < 0.5  # one by one: 0.4 s for each million


def test_more_tracks_than_anybody_keeps_are_refused(tmp_path, annotations, monkeypatch):
    monkeypatch.setattr(results_io, "MAX_TRACKS", 3)
    path = tmp_path / "results.json"
    path.write_text(json.dumps([GOOD] * 3))
    assert len(read_results(path, annotations)[1]) == 3
    path.write_text(json.dumps([GOOD] * 4))
    with pytest.raises(ValueError, match="entry 3: video 1 has more than 3 tracks"):
        read_results(path, annotations)


TRACK = GOOD["segmentations"][2]
STRICT = {
    "true score": ({"score": True}, "score must be a finite number, got True"),
    "text score": ({"score": "0.5"}, "score must be a finite number, got '0.5'"),
    "huge score": ({"score": 10**400}, "score must be a finite number"),
    "true video": ({"video_id": True}, "video_id must be an integer, got True"),
    "true category": ({"category_id": True}, "category_id must be an integer"),
    "float video": ({"video_id": 1.0}, "video_id must be an integer, got 1.0"),
    "true counts": ({"counts": [True] * 560}, "frame 2: counts must be text or a list"),
    "float counts": ({"counts": [559.5, 0.5]}, "frame 2: counts must be text or"),
    "text counts": ({"counts": ["560"]}, "frame 2: counts must be text or a list"),
    "huge counts": ({"counts": [2**64]}, "frame 2: run lengths must"),
    "size 20.9": ({"size": [20.9, 28.9]}, r"frame 2: the RLE has size \[20.9"),
    "size texts": ({"size": ["20", "28"]}, "frame 2: the RLE has size"),
    "empty object": ({"segmentations": [{}] * 4}, "frame 0: an RLE needs the keys"),
    "zero": ({"segmentations": [0] * 4}, "frame 0: a mask must be null or an RLE"),
    "polygon": ({"segmentations": [[[1, 1, 9, 1, 9, 9]]] * 4}, "frame 0: a mask must"),
    "text": ({"segmentations": "abcd"}, "segmentations must be a list"),
    "no score": ({"score": None}, "lacks 'score'"),
}


@pytest.mark.parametrize("case", STRICT)
def test_values_of_other_types_are_refused_by_entry(tmp_path, annotations, case):
    change, message = STRICT[case]
    entry = {**GOOD, **{k: v for k, v in change.items() if k in GOOD}}
    inner = {k: v for k, v in change.items() if k in TRACK}
    if inner:
        entry["segmentations"] = [None, None, {**TRACK, **inner}, None]
    path = tmp_path / "bad.json"
    path.write_text(json.dumps([GOOD, entry]))
    with pytest.raises(ValueError, match=f"entry 1: {message}") as error:
        read_results(path, annotations)
    assert "bad.json" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("case", ["mark", "sizes", "absent"])
def test_harmless_spellings_are_read(tmp_path, annotations, case):
    entry, mark = dict(GOOD), "\ufeff" if case == "mark" else ""
    if case == "sizes":
        entry["segmentations"] = [None, None, dict(TRACK, size=[20.0, 28.0]), None]
    elif case == "absent":
        entry["segmentations"] = [[], None, TRACK, []]
    path = tmp_path / "results.json"
    path.write_text(mark + json.dumps([entry]), encoding="utf-8")
    (tube,) = read_results(path, annotations)[1].tubes
    path.write_text(json.dumps([GOOD]))
    assert [tube] == list(read_results(path, annotations)[1].tubes)


def test_zip_needs_results_json_at_its_top(tmp_path, annotations):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("folder/results.json", "[]")
    with pytest.raises(ValueError, match="at its top"):
        read_results(tmp_path / "bad.zip", annotations)


def test_files_that_are_neither_json_nor_zip_are_named(tmp_path, annotations):
    path = tmp_path / "results.pkl"
    path.write_bytes(b"[\x80\x04\x95")
    with pytest.raises(ValueError, match="must be JSON text or a whole zip"):
        read_results(path, annotations)
    tracks = perfect_predictions(annotations)
    whole = write_results(tmp_path / "run", tracks, annotations).zip_file.read_bytes()
    for at in (60, len(whole) // 2):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        with pytest.raises(ValueError, match="results.pkl"):
            read_results(path, annotations)


@pytest.mark.parametrize("chunk", [1, 7, 64, 10_000])
def test_files_larger_than_the_window_are_read_piece_by_piece(
    tmp_path, annotations, monkeypatch, chunk
):
    """Every entry is cut somewhere: in a name, a number, a string, white space."""
    monkeypatch.setattr(result_stream, "_CHUNK", chunk)
    predictions = perfect_predictions(annotations)
    written = write_results(tmp_path / "run", predictions, annotations)
    steps = []
    for path in written.json_file, written.zip_file:
        read = read_results(path, annotations, progress=lambda *n: steps.append(n))
        assert {i: list(v.tubes) for i, v in read.items()} == {
            i: list(v.tubes) for i, v in predictions.items() if len(v)
        }
    size = written.json_file.stat().st_size
    assert steps[-1] == (size, size)
    long = {**GOOD, "note": "x" * 500}
    written.json_file.write_text(json.dumps([long] * 20, indent=40))
    assert len(read_results(written.json_file, annotations)[1]) == 20


def test_a_mistake_is_noticed_before_the_rest_is_read(
    tmp_path, annotations, monkeypatch
):
    monkeypatch.setattr(result_stream, "_CHUNK", 200)
    path = tmp_path / "bad.json"
    entries = ", ".join([json.dumps(GOOD)] * 50)
    path.write_text(f'[{{"video_id": 1 "score": 2}}, {entries}]')
    steps = []
    with pytest.raises(ValueError, match="not complete JSON: Expecting ',' delimiter"):
        read_results(path, annotations, progress=lambda *n: steps.append(n))
    assert len(steps) == 1


@pytest.mark.parametrize("separator", [",", " ,\n ", ",\r\n\t"])
def test_layout_of_the_json_does_not_matter(tmp_path, annotations, separator):
    path = tmp_path / "results.json"
    path.write_text(f" [ {separator.join([json.dumps(GOOD)] * 3)} ] ")
    assert len(read_results(path, annotations)[1]) == 3
