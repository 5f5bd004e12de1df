"""Tracks are exported, read back by the converters, and are the same objects."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from tmt_vis.dataset_tools.converters import (
    open_coco_frames,
    open_cvat_video,
    open_index_masks,
    open_label_studio,
    open_labelme,
    write_native,
)
from tmt_vis.dataset_tools.exporters import (
    EXPORTERS,
    ExportJob,
    ReadOptions,
    export_tracks,
    read_tracks,
)
from tmt_vis.dataset_tools.exporters.keyframes import outlined
from tmt_vis.dataset_tools.exporters.outlines import filled, iou, outline
from tmt_vis.dataset_tools.findings import Findings
from tmt_vis.structures import TubeRLE
from tmt_vis.taxonomy import LabelSpace

H, W, T = 24, 32, 9
EXACT = 1.0


def random_masks(rng: np.random.Generator) -> np.ndarray:
    """A moving blob with holes and crumbs that is absent in some frames."""
    masks = np.zeros((T, H, W), bool)
    noisy = rng.random() < 0.5
    x, y = rng.integers(4, W - 8), rng.integers(4, H - 8)
    for t in range(T):
        image = np.zeros((H, W), np.uint8)
        cv2.ellipse(image, (int(x + t), int(y)), (6, 4), 10 * t, 0, 360, 1, -1)
        masks[t] = image > 0
        if noisy:
            masks[t] &= rng.random((H, W)) < 0.8
    masks[rng.random(T) < 0.3] = False
    masks[rng.integers(T), 3, 3] = True  # never absent throughout
    return masks


@pytest.fixture(scope="module", params=[3, 4, 5])
def predicted(request, tmp_path_factory):
    """Results of two videos, their frames, and the masks by video and object."""
    rng = np.random.default_rng(request.param)
    root = tmp_path_factory.mktemp("predicted")
    entries, truth = [], {}
    for video_id, name in enumerate(("yard", "farm/barn 2")):
        folder = root / "frames" / name
        folder.mkdir(parents=True)
        for t in range(T):
            cv2.imwrite(str(folder / f"{t:06d}.jpg"), np.zeros((H, W, 3), np.uint8))
        taken = np.zeros((T, H, W), bool)
        for track_id, category in ((1, "hen"), (2, "red cow"), (3, "hen")):
            masks = random_masks(rng) & ~taken
            taken |= masks
            truth[name, track_id] = (category, masks)
            entries.append(entry(video_id, name, track_id, category, masks))
    path = root / "tracks.json"
    path.write_text(json.dumps(entries))
    return path, root / "frames", truth


def entry(video_id, name, track_id, category, masks, /, **changes) -> dict:
    """One track as tools/infer.py writes it."""
    row = dict(
        video_id=video_id,
        category_id=dict(hen=7, **{"red cow": 9}).get(category, 1),
        score=1 - 0.1 * track_id,
        segmentations=TubeRLE.from_masks(masks).to_frames(),
        category_name=category,
        track_id=track_id,
        video_name=name,
    )
    return row | changes


def export(path: Path, target: str, out: Path, images: Path | None = None, **options):
    findings = Findings()
    tracks = read_tracks(path, ReadOptions(images=images), findings)
    job = ExportJob(tracks, out, findings=findings, **options)
    export_tracks(job, target)
    return job


def read_back(target: str, out: Path, images: Path) -> dict:
    """Convert an export to the native form."""
    if target == "youtube-vis":
        return json.loads((out / "annotations.json").read_text())
    if target == "label-studio":
        tasks = json.loads((out / "tasks.json").read_text())
        for task in tasks:  # what the server makes of a prediction that is accepted
            task["annotations"] = task.pop("predictions")
        out = out / "export.json"
        out.write_text(json.dumps(tasks))
    opener = {
        "mots-png": open_index_masks,
        "cvat-video": open_cvat_video,
        "label-studio": open_label_studio,
        "coco": open_coco_frames,
        "labelme": open_labelme,
    }[target]
    native = out.parent / "native" / "train.json"
    write_native(opener(out, images=images), native, name="back")
    return json.loads(native.read_text())


def objects(data: dict) -> dict[tuple[str, int], tuple[str, np.ndarray]]:
    """Decode a native file: video and number of the object -> category and masks."""
    names = {c["id"]: c["name"] for c in data["categories"]}
    found = {}
    videos = {v["id"]: v["file_names"][0].rpartition("/")[0] for v in data["videos"]}
    for row in data["annotations"]:
        video = videos[row["video_id"]]
        masks = [
            coco_mask.decode(rle) > 0 if rle else np.zeros((H, W), bool)
            for rle in row["segmentations"]
        ]
        found[video, row["track_id"]] = (names[row["category_id"]], np.stack(masks))
    return found


@pytest.mark.parametrize(
    ("target", "shape", "bound"),
    [
        ("cvat-video", "polygon", 0.98),
        ("label-studio", "polygon", 0.98),
        ("labelme", "polygon", 0.98),
        ("labelme", "mask", EXACT),
        ("cvat-video", "mask", EXACT),
        ("mots-png", "polygon", EXACT),
        ("coco", "polygon", EXACT),
        ("youtube-vis", "polygon", EXACT),
    ],
)
def test_exports_are_read_back_as_the_same_objects(
    tmp_path, predicted, target, shape, bound
):
    path, images, truth = predicted
    out = tmp_path / "out"
    job = export(path, target, out, images, shape=shape)
    back = objects(read_back(target, out, images))
    assert sorted(back) == sorted(truth)
    for key, (category, masks) in truth.items():
        assert back[key][0] == category
        for wanted, got in zip(masks, back[key][1], strict=True):
            assert wanted.any() == got.any()  # missing frames stay missing
            if wanted.any():
                assert (wanted & got).sum() / (wanted | got).sum() >= bound
    assert job.least_iou >= bound


@given(st.integers(0, 10**6), st.sampled_from([0.8, 0.9, 0.98, 1.0]))
def test_an_outline_keeps_its_bound(seed, bound):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 14, 2)
    mask = rng.random(shape) < rng.random()
    mask[rng.integers(shape[0]), rng.integers(shape[1])] = True
    corners = outline(mask, min_iou=bound)
    drawn = coco_mask.decode(filled(corners, mask.shape)) > 0
    got = (drawn & mask).sum() / (drawn | mask).sum()
    assert got >= bound
    target = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    assert iou(corners, target) == pytest.approx(got)


def test_keyframes_of_even_motion_are_thinned():
    masks = np.zeros((33, 60, 90), bool)
    for t in range(33):
        masks[t, 20:40, 5 + t : 35 + t] = True
    masks[20:23] = False
    frames = TubeRLE.from_masks(masks).to_frames()
    thin = outlined(frames, min_iou=0.98)
    assert [key.frame for key in thin.keyframes] == [0, 16, 18, 19, 23, 31, 32]
    assert thin.num_masks == 30 and thin.least_iou == 1.0
    moving = [key for key in thin.keyframes if key.moves]
    assert [key.frame for key in moving] == [0, 16, 23]


def test_overlaps_lost_in_mots_images_are_counted(tmp_path, predicted):
    masks = np.zeros((1, H, W), bool)
    masks[0, 5:9, 5:9] = True
    rows = [entry(0, "a", k, "hen", masks, score=1 - 0.2 * k) for k in (1, 2)]
    path = tmp_path / "tracks.json"
    path.write_text(json.dumps(rows))
    job = export(path, "mots-png", tmp_path / "out")
    folder = tmp_path / "out" / "a" / "instances"
    image = cv2.imread(str(folder / "000000.png"), cv2.IMREAD_UNCHANGED)
    assert np.unique(image).tolist() == [0, 1001]  # the better score wins
    assert (folder / "labels.txt").read_text() == "hen\n"
    assert job.findings.lines() == [
        "frames in which overlapping objects lost pixels: 1",
        "    a/000000: 16 pixels",
    ]


def test_mask_shapes_of_cvat_say_which_object_they_are(tmp_path, predicted):
    """CVAT keeps the first mask of a track only, so each mask is a track."""
    path, _, truth = predicted
    export(path, "cvat-video", tmp_path / "out", shape="mask")
    labels = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert [row["name"] for row in labels] == ["hen", "red cow"]
    assert labels[0]["attributes"][0]["name"] == "track_id"
    text = (tmp_path / "out" / "yard.xml").read_text()
    shown = sum(m.any((1, 2)).sum() for (v, _), (_, m) in truth.items() if v == "yard")
    assert text.count("<track ") == shown


BLOCK = np.zeros((2, H, W), bool)
BLOCK[:, 4:9, 4:9] = True


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no track to export"),
        ([entry(0, "a", 1, "hen", BLOCK[:1] * False)], "holds no track to export"),
        ([entry(0, "a", 1, "hen", BLOCK, video_name=None)], "has no video_name"),
        ([entry(0, "a", 1, "hen", BLOCK, track_id="1")], "track_id must be a whole"),
        ([entry(0, "a", 1, "hen", BLOCK, score=True)], "score must be a number"),
        ([entry(0, "a", 1, "hen", BLOCK, segmentations=[{}])], "broken masks"),
        ([entry(0, "..", 1, "hen", BLOCK)], "is no name for a folder"),
        (
            [entry(0, "a", 1, "hen", BLOCK), entry(3, "a", 1, "hen", BLOCK)],
            "videos 0 and 3 are both called 'a'",
        ),
        (
            [entry(0, "a", 1, "hen", BLOCK), entry(0, "a", 2, "hen", BLOCK[:1])],
            r"other frames \(T, H, W\): \(2, 24, 32\) and \(1, 24, 32\)",
        ),
        (
            [entry(0, "a", 1, "x", BLOCK), entry(0, "a", 2, "x", BLOCK, category_id=5)],
            "the ids 1 and 5; the file mixes label spaces",
        ),
        (["text"], "entry 0 must be an object"),
        ({}, "must be a JSON list"),
    ],
)
def test_results_that_cannot_be_exported(tmp_path, rows, message):
    path = tmp_path / "tracks.json"
    path.write_text(json.dumps(rows))
    with pytest.raises(ValueError, match=message):
        export(path, "coco", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_results_of_another_label_space_are_refused(tmp_path):
    path = tmp_path / "tracks.json"
    path.write_text(json.dumps([entry(0, "a", 1, "hen", BLOCK)]))
    options = ReadOptions(label_space=LabelSpace.load("ovis"))
    with pytest.raises(
        ValueError, match="'hen' with id 7 is not in label space 'ovis'"
    ):
        read_tracks(path, options, Findings())


def test_a_track_without_a_pixel_is_left_out_and_counted(tmp_path):
    rows = [entry(0, "a", 1, "hen", BLOCK), entry(0, "a", 2, "hen", BLOCK * False)]
    path = tmp_path / "tracks.json"
    path.write_text(json.dumps(rows))
    job = export(path, "coco", tmp_path / "out")
    assert job.findings.counts == {"tracks without a pixel, left out": 1}
    assert len(job.tracks.videos[0].tracks) == 1


@pytest.mark.parametrize("target", ["yolo", "mot", "label-studio-rectangle"])
def test_targets_without_masks_are_refused_by_name(tmp_path, predicted, target):
    with pytest.raises(ValueError, match=f"{target}.*{list(EXPORTERS)[0]}"):
        export(predicted[0], target, tmp_path / "out")


def test_an_existing_folder_is_never_touched(tmp_path, predicted):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="exists; give a folder that does not"):
        export(predicted[0], "coco", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_keyframes_of_a_turning_object_are_thinned_within_the_bound():
    masks = np.zeros((40, 90, 200), np.uint8)
    for t, image in enumerate(masks):
        cv2.ellipse(image, (60 + 2 * t, 45), (36, 20), 2 * t, 0, 360, 1, -1)
    frames = TubeRLE.from_masks(masks > 0).to_frames()
    thin = outlined(frames, min_iou=0.9)
    assert len(thin.keyframes) <= 15 and 0.9 <= thin.least_iou < 1
