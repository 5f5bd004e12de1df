"""The files look like those of the official releases."""

import json
import re

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tmt_vis.taxonomy import LabelSpace

ALL = [
    (dataset, split)
    for dataset in ("ytvis19", "ytvis21", "ovis", "uvo")
    for split in ("train", "val")
]
VIDEO_KEYS = {"id", "width", "height", "length", "file_names"}
UVO_VIDEO_KEYS = VIDEO_KEYS - {"length"} | {"ytid", "start_idx", "label"}
ANNOTATION_KEYS = {
    "id",
    "video_id",
    "category_id",
    "iscrowd",
    "width",
    "height",
    "length",
    "segmentations",
    "bboxes",
    "areas",
}
FRAME_NAMES = {
    "ytvis19": r"[0-9a-f]{10}/000(00|05|10|15|20|25)\.jpg",
    "ytvis21": r"[0-9a-f]{10}/000(00|05|10|15|20|25)\.jpg",
    "ovis": r"[0-9a-f]{8}/img_000000[1-6]\.jpg",
    "uvo": r"[\w-]{11}/\d+\.png",
}


@pytest.mark.parametrize(
    "path",
    [
        "ytvis_2019/train.json",
        "ytvis_2019/valid.json",
        "ytvis_2019/train/JPEGImages",
        "ytvis_2019/valid/JPEGImages",
        "ytvis_2021/train/instances.json",
        "ytvis_2021/valid/instances.json",
        "ovis/annotations_train.json",
        "ovis/annotations_valid.json",
        "ovis/train",
        "ovis/valid",
        "uvo/VideoDenseSet/UVO_video_train_dense_with_label.json",
        "uvo/VideoDenseSet/UVO_video_val_dense_with_label.json",
        "uvo/uvo_videos_dense_frames",
    ],
)
def test_official_places(tree, path):
    assert (tree / path).exists()


@pytest.mark.parametrize(("dataset", "split"), ALL)
def test_keys(splits, dataset, split):
    content, _ = splits[dataset, split]
    assert {"info", "videos", "annotations", "categories"} <= set(content)
    wanted = UVO_VIDEO_KEYS if dataset == "uvo" else VIDEO_KEYS
    for video in content["videos"]:
        assert wanted <= set(video)
        assert ("length" in video) == (dataset != "uvo")
    extra = {"ovis": {"occlusion"}, "uvo": {"start_idx"}}.get(dataset, set())
    for annotation in content["annotations"]:
        assert set(annotation) == ANNOTATION_KEYS | extra


@pytest.mark.parametrize(("dataset", "split"), ALL)
def test_categories_are_the_full_official_list(splits, dataset, split):
    space = LabelSpace.load(dataset)
    content, _ = splits[dataset, split]
    listed = [(c["id"], c["name"]) for c in content["categories"]]
    assert listed == list(zip(space.source_ids, space.names, strict=True))
    drawn = {a["category_id"] for a in content["annotations"]}
    assert drawn <= set(space.source_ids)


def test_names_and_ids_of_the_originals(splits):
    names = {
        dataset: {c["id"]: c["name"] for c in splits[dataset, "train"][0]["categories"]}
        for dataset in ("ytvis19", "ovis", "uvo")
    }
    assert names["ytvis19"][21] == "motorbike"
    assert names["ovis"][22] == "Motorcycle"
    assert names["ovis"][25] == "Vehical"
    assert (names["uvo"][4], names["uvo"][91]) == ("motorcycle", "other")
    assert [len(names[d]) for d in ("ytvis19", "ovis", "uvo")] == [40, 25, 81]


@pytest.mark.parametrize(("dataset", "split"), ALL)
def test_frames(splits, dataset, split, small_config):
    content, image_dir = splits[dataset, split]
    hw = (small_config.height, small_config.width)
    for video in content["videos"]:
        assert len(video["file_names"]) == small_config.frames
        assert (video["height"], video["width"]) == hw
        for file_name in video["file_names"]:
            assert re.fullmatch(FRAME_NAMES[dataset], file_name)
        first = cv2.imread(str(image_dir / video["file_names"][0]))
        assert first.shape == (*hw, 3)
    listed = {name for video in content["videos"] for name in video["file_names"]}
    if dataset != "uvo":  # its splits share one folder
        files = {p.relative_to(image_dir).as_posix() for p in image_dir.rglob("*.jpg")}
        assert files == listed


@pytest.mark.parametrize(("dataset", "split"), ALL)
def test_annotations_agree_with_their_masks(splits, dataset, split, small_config):
    content, _ = splits[dataset, split]
    video_ids = [video["id"] for video in content["videos"]]
    ids = [annotation["id"] for annotation in content["annotations"]]
    assert len(set(video_ids)) == len(video_ids)
    assert len(set(ids)) == len(ids)
    for annotation in content["annotations"]:
        assert annotation["video_id"] in video_ids
        assert annotation["length"] == small_config.frames
        seen = 0
        for rle, bbox, area in zip(
            annotation["segmentations"],
            annotation["bboxes"],
            annotation["areas"],
            strict=True,
        ):
            assert (rle is None) == (bbox is None) == (area is None)
            if rle is not None:
                assert isinstance(rle["counts"], str)
                assert coco_mask.area(rle) == area > 0
                assert coco_mask.toBbox(rle).tolist() == bbox
                seen += 1
        assert seen > 0


def test_uvo_ids_are_sparse_and_its_files_start_where_it_says(splits):
    content, _ = splits["uvo", "train"]
    ids = [video["id"] for video in content["videos"]]
    assert ids != list(range(1, len(ids) + 1))
    assert ids == sorted(ids)
    for video in content["videos"]:
        assert video["file_names"][0] == f"{video['ytid']}/{video['start_idx']}.png"


def test_ovis_occlusion_levels(splits):
    content, _ = splits["ovis", "train"]
    levels = set()
    for annotation in content["annotations"]:
        for level, area in zip(
            annotation["occlusion"], annotation["areas"], strict=True
        ):
            assert (level is None) == (area is None)
            levels.add(level)
    named = {"no_occlusion", "slight_occlusion", "severe_occlusion"}
    assert levels - {None} <= named
    assert len(levels & named) >= 2


def test_objects_that_are_out_have_null_masks(splits):
    masks = [
        rle
        for content, _ in splits.values()
        for annotation in content["annotations"]
        for rle in annotation["segmentations"]
    ]
    assert any(rle is None for rle in masks)


def test_list_counts(make_tree):
    from sprite_vis import GenerationConfig

    options = dict(videos=1, val_videos=1, height=32, width=40, frames=2)
    root = make_tree(GenerationConfig(datasets=("ovis",), counts="list", **options))
    content = json.loads((root / "ovis/annotations_train.json").read_text())
    rles = [s for a in content["annotations"] for s in a["segmentations"] if s]
    assert all(isinstance(rle["counts"], list) for rle in rles)
    assert {sum(rle["counts"]) for rle in rles} == {32 * 40}


def test_card_counts_what_the_files_hold(tree, splits):
    card = json.loads((tree / "dataset_card.json").read_text())
    assert str(tree) not in (tree / "dataset_card.json").read_text()
    for (dataset, split), (content, _) in splits.items():
        numbers = card["datasets"][dataset][split]
        assert numbers["objects"] == len(content["annotations"])
        areas = np.array(
            [area or 0 for a in content["annotations"] for area in a["areas"]]
        )
        assert numbers["masks"] == np.count_nonzero(areas)
        assert numbers["null_masks"] == np.count_nonzero(areas == 0)
