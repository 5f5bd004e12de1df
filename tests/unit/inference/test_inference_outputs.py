"""Files that say what was found, and never replace what they should not."""

import json

import cv2
import numpy as np
import pytest
from helpers.scripted_windows import HEIGHT, WIDTH, Actor
from helpers.tiny_inference import frames
from PIL import Image

from tmt_vis.evaluation import load_annotations, read_results
from tmt_vis.inference import (
    ArrayFrames,
    InferenceError,
    LinkedObject,
    OutputPlan,
    Track,
    TrackSelection,
    VideoOutputs,
    VideoResult,
    check_free,
    select_tracks,
    write_json,
    write_masks,
    write_rendering,
)
from tmt_vis.taxonomy import LabelSpace
from tmt_vis.visualization import track_color

NUM_FRAMES = 5
SPACE = LabelSpace.load("ovis")


def _object(actor, probs):
    full = np.zeros(len(SPACE), np.float32)
    full[: len(probs)] = probs
    return LinkedObject(full, actor.tube(NUM_FRAMES))


def _objects():
    return [
        _object(Actor(0, 2, [range(1, 3)]), [0.2, 0.5]),
        _object(Actor(0, 4, [range(0, 5)]), [0.9, 0.05]),
        _object(Actor(0, 12, []), [0.1, 0.8]),  # never visible
        _object(Actor(0, 17, [range(0, 2), range(3, 4)]), [0.3, 0.25]),
    ]


def _select(**options):
    selection = TrackSelection(**(dict(score_thr=0.0, limit=10) | options))
    return select_tracks(_objects(), SPACE, selection, num_windows=1)


def _result(tracks=None, name="clip"):
    return VideoResult(
        name=name,
        label_space="ovis",
        tracks=_select(score_thr=0.25) if tracks is None else tuple(tracks),
        taxonomy=(),
        height=HEIGHT,
        width=WIDTH,
        fps=5.0,
        num_frames=NUM_FRAMES,
    )


# ------------------------------------------------------------------ selection


def test_best_category_of_each_visible_object():
    tracks = _select()
    assert [(t.id, round(t.score, 2)) for t in tracks] == [(1, 0.9), (3, 0.5), (2, 0.3)]
    assert [t.source_id for t in tracks] == [SPACE.source_ids[s] for s in (0, 1, 0)]
    assert [t.name for t in tracks] == [SPACE.names[s] for s in (0, 1, 0)]
    assert [(t.first_frame, t.last_frame) for t in tracks] == [(0, 4), (1, 2), (0, 3)]


def test_several_categories_share_the_id_of_their_object():
    tracks = _select(several_categories=True, score_thr=0.2)
    rows = [(t.id, round(t.score, 2)) for t in tracks]
    assert rows == [(1, 0.9), (3, 0.5), (2, 0.3), (2, 0.25), (3, 0.2)]


def test_limit_grows_with_the_video():
    assert len(_select(limit=1)) == 1
    selection = TrackSelection(score_thr=0.0, limit=1)
    tracks = select_tracks(_objects(), SPACE, selection, num_windows=3)
    # Three windows' worth; one of the three places goes to the invisible object.
    assert len(tracks) == 2


def test_overlapping_object_is_dropped():
    twin = _object(Actor(0, 4, [range(0, 4)]), [0.6])
    for max_iou, ids in ((0.9, [1, 2]), (0.7, [1])):
        selection = TrackSelection(score_thr=0.1, limit=9, max_iou=max_iou)
        pair = [_objects()[1], twin]
        tracks = select_tracks(pair, SPACE, selection, num_windows=1)
        assert [t.id for t in tracks] == ids


@pytest.mark.parametrize("score", [float("nan"), -0.1, 1.1, float("inf")])
def test_impossible_score(score):
    with pytest.raises(ValueError, match=r"score_thr must be a score in \[0, 1\]"):
        _select(score_thr=score)


@pytest.mark.parametrize("options", [dict(limit=0), dict(max_iou=1.5)])
def test_impossible_selection(options):
    with pytest.raises(ValueError, match=r"limit >= 1 and max_iou in \[0, 1\]"):
        _select(**options)


# ----------------------------------------------------------------------- files


def test_json_is_a_valid_result_file(tmp_path):
    first, second = _result(), _result(tracks=_select()[:1], name="other")
    path = tmp_path / "new folder" / "tracks.json"
    assert write_json(path, {0: first, 2: second}) == 4
    entries = json.loads(path.read_text())
    assert [e["video_id"] for e in entries] == [0, 0, 0, 2]
    assert entries[0]["category_name"] == first.tracks[0].name
    assert [e["track_id"] for e in entries[:3]] == [t.id for t in first.tracks]
    assert entries[3]["video_name"] == "other"
    assert entries[1]["segmentations"][0] is None
    videos = [
        dict(id=i, height=HEIGHT, width=WIDTH, length=NUM_FRAMES,
             file_names=[f"{i}/{t}.jpg" for t in range(NUM_FRAMES)])
        for i in (0, 2)
    ]  # fmt: skip
    categories = [dict(id=c.source_id, name=c.name) for c in SPACE.categories]
    annotations = tmp_path / "ann.json"
    annotations.write_text(
        json.dumps(dict(videos=videos, categories=categories, annotations=None))
    )
    read = read_results(path, load_annotations(annotations))
    assert [t.counts for t in read[0].tubes] == [t.tube.counts for t in first.tracks]
    np.testing.assert_allclose(read[0].scores, [t.score for t in first.tracks])


def test_json_without_tracks(tmp_path):
    assert write_json(tmp_path / "t.json", {0: _result(tracks=[])}) == 0
    assert json.loads((tmp_path / "t.json").read_text()) == []


def test_masks(tmp_path):
    result = _result()
    write_masks(tmp_path / "clip", result)
    files = sorted(p.name for p in (tmp_path / "clip").iterdir())
    assert files == [f"{i:05d}.png" for i in range(NUM_FRAMES)] + ["tracks.json"]
    image = Image.open(tmp_path / "clip" / "00001.png")
    assert image.mode == "P"
    assert tuple(image.getpalette()[3:6]) == track_color(1)
    index = np.array(image)
    by_id = {track.id: track.tube.decode()[1] for track in result.tracks}
    # 1 has the better score and covers what it shares with 3.
    np.testing.assert_array_equal(index == 1, by_id[1])
    np.testing.assert_array_equal(index == 3, by_id[3] & ~by_id[1])
    assert (by_id[3] & by_id[1]).any()
    rows = json.loads((tmp_path / "clip" / "tracks.json").read_text())["tracks"]
    assert [row["id"] for row in rows] == [t.id for t in result.tracks]
    assert rows[0]["color"] == list(track_color(1))


def test_more_than_255_tracks(tmp_path):
    tube = Actor(0, 0, [range(NUM_FRAMES)]).tube(NUM_FRAMES)
    track = Track(300, "Person", 1, 0.5, tube, 0, 4)
    write_masks(tmp_path / "clip", _result(tracks=[track]))
    index = cv2.imread(str(tmp_path / "clip" / "00000.png"), cv2.IMREAD_UNCHANGED)
    assert index.dtype == np.uint16
    assert set(np.unique(index)) == {0, 300}


def test_foreign_folder_is_not_replaced_by_masks(tmp_path):
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "precious.jpg").write_bytes(b"holiday")
    with pytest.raises(InferenceError, match="not hold masks of an earlier run only"):
        write_masks(tmp_path / "clip", _result())
    assert (tmp_path / "clip" / "precious.jpg").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", "mine"),
        ("00007.png", "a frame of mine"),
        ("00002.png/inside", "mine"),
        ("tracks.json", "[]"),
        ("tracks.json", '{"tracks": []}'),
        ("tracks.json", '{"video": "clip", "tracks": [], "mine": 1}'),
        ("tracks.json", "not JSON"),
    ],
)
def test_masks_with_something_else_are_not_replaced(tmp_path, name, content):
    folder = tmp_path / "clip"
    write_masks(folder, _result())
    path = folder / name
    if path.parent.is_file():
        path.parent.unlink()
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(InferenceError, match="masks of an earlier run only"):
        write_masks(folder, _result())
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_masks_of_version_0_4_2_are_replaced(tmp_path):
    write_masks(tmp_path / "clip", _result())
    index = tmp_path / "clip" / "tracks.json"
    content = json.loads(index.read_text())
    index.write_text(json.dumps({key: content[key] for key in ("video", "tracks")}))
    write_masks(tmp_path / "clip", _result(tracks=[]))


def test_masks_replace_older_masks_whole(tmp_path):
    write_masks(tmp_path / "clip", _result())
    write_masks(tmp_path / "clip", _result(tracks=[]))
    assert np.array(Image.open(tmp_path / "clip" / "00001.png")).max() == 0
    assert [p.name for p in tmp_path.iterdir()] == ["clip"]


def test_rendering(tmp_path):
    images = frames(NUM_FRAMES + 2, size=(HEIGHT, WIDTH))
    path = tmp_path / "out.mp4"
    write_rendering(path, _result(), ArrayFrames(images))
    capture = cv2.VideoCapture(str(path))
    shown = []
    while (read := capture.read())[0]:
        shown.append(read[1])
    assert len(shown) == NUM_FRAMES and capture.get(cv2.CAP_PROP_FPS) == 5.0
    # Enlarged until text is legible, with a legend below.
    assert shown[0].shape[0] > 480 and shown[0].shape[1] == 800
    plain = tmp_path / "plain.mp4"
    write_rendering(plain, _result(tracks=[]), ArrayFrames(images))
    assert cv2.VideoCapture(str(plain)).read()[1].shape[0] == 480
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mp4", "plain.mp4"]


def test_failed_file_leaves_the_old_one(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    too_short = ArrayFrames(frames(2, size=(HEIGHT, WIDTH)))
    with pytest.raises(ValueError):
        write_rendering(path, _result(), too_short)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


# ----------------------------------------------------------------------- names


def test_each_video_has_its_own_names(tmp_path):
    plan = OutputPlan(video=tmp_path / "v", masks=tmp_path / "m")
    odd = plan.per_video(["..", "", ".", "x/../../y", "A", "a"])
    assert all(o.masks.resolve().parent == (tmp_path / "m").resolve() for o in odd)
    assert [o.video.name for o in odd] == [
        *("unnamed.mp4", "unnamed-2.mp4", "unnamed-3.mp4"),
        *("x_.._.._y.mp4", "A.mp4", "a-2.mp4"),
    ]
    outputs = plan.per_video(["a", "b", "a", "a-2"])
    assert [o.video.name for o in outputs] == ["a.mp4", "b.mp4", "a-2.mp4", "a-2-2.mp4"]
    assert [o.masks.name for o in outputs] == ["a", "b", "a-2", "a-2-2"]
    assert (
        OutputPlan(video=tmp_path / "x.gif").per_video(["a"])[0].video.suffix == ".gif"
    )
    with pytest.raises(InferenceError, match="cannot hold 2 videos; give a folder"):
        OutputPlan(video=tmp_path / "x.mp4").per_video(["a", "b"])
    for name in ("x.MP4", "x.webm", "x.mov", "x.Avi", "x.mkv", "x.GIF"):
        (outs,) = OutputPlan(video=tmp_path / name).per_video(["a"])
        assert outs.video == tmp_path / name
    for name in ("x.wmv", "x.WEBP", "x.m4v", "x.png"):
        with pytest.raises(InferenceError, match=r"writes .mp4, .*, or name a folder"):
            OutputPlan(video=tmp_path / name)
    (tmp_path / "odd.mp4").mkdir()
    with pytest.raises(InferenceError, match="is a folder with the name of a video"):
        OutputPlan(video=tmp_path / "odd.mp4")
    assert OutputPlan(video=tmp_path / "run.v2").per_video(["a"])[0].video == (
        tmp_path / "run.v2" / "a.mp4"
    )
    with pytest.raises(InferenceError, match=r"must end in .json, got"):
        OutputPlan(json=tmp_path / "tracks.txt")


@pytest.mark.parametrize(
    "options, folder",
    [
        (dict(json="a/t.json", video="b/v.mp4"), "a"),
        (dict(video="b/v.mp4"), "b"),
        (dict(video="b"), "b"),
        (dict(masks="m"), "m"),
        ({}, None),
    ],
)
def test_partial_results_lie_beside_the_outputs(tmp_path, options, folder):
    plan = OutputPlan(**{key: tmp_path / value for key, value in options.items()})
    assert plan.folder == (folder and tmp_path / folder)


def test_taken_paths(tmp_path):
    video, masks = tmp_path / "v.mp4", tmp_path / "m" / "clip"
    outputs = VideoOutputs(video=video, masks=masks)
    outputs.check([], replace=False)
    video.write_bytes(b"")
    with pytest.raises(InferenceError, match="v.mp4 exists; .* --overwrite"):
        outputs.check([], replace=False)
    outputs.check([], replace=True)
    with pytest.raises(InferenceError, match="v.mp4 is an input"):
        outputs.check([tmp_path / "m" / ".." / "v.mp4"], replace=True)
    masks.mkdir(parents=True)
    outputs.check([], replace=True)
    (masks / "tracks.json").write_text("[]")
    with pytest.raises(InferenceError, match="clip exists and does not hold masks"):
        outputs.check([], replace=True)
    with pytest.raises(InferenceError, match="exists"):
        check_free(masks, [], replace=False)
