"""COCO files as pseudo-clips, alone and in a mixture with videos."""

import pytest
import torch
from helpers.mini_vis import (
    Track,
    Video,
    coco_json,
    frame_value,
    moving_video,
    native_json,
    write_dataset,
    write_images,
    write_json,
)

from tmt_vis.datasets import (
    AnnotationError,
    ClipIndex,
    ImageDataset,
    LoadClipFrames,
    MultiDatasetVideoDataset,
    MultiDatasetVideoSampler,
    VISDataset,
)
from tmt_vis.taxonomy import LabelSpace

LOAD = [dict(type="LoadClipFrames"), dict(type="LoadClipAnnotations")]
MOTION = [
    dict(type="RotateClip", angle_range=(-30, 30)),
    dict(type="DriftingCrop", crop_size=(0.5, 0.5)),
    dict(
        type="ClipBroadcaster",
        transforms=[dict(type="Resize", scale=(40, 30), keep_ratio=False)],
    ),
]
PACK = [dict(type="PackClipInputs")]
# Categories of COCO's file; 18 is the dog of COCO, slot 16.
CATEGORIES = [dict(id=18, name="dog"), dict(id=1, name="person")]


def image(image_id: int, *, iscrowd: int = 0, category_id: int = 18) -> Video:
    first = Track([(3, 4, 12, 9)], track_id=1, category_id=category_id)
    second = Track([(20, 8, 9, 14)], track_id=2, category_id=1, iscrowd=iscrowd)
    return Video(image_id, 1, [first, second])


def make(tmp_path, images, middle=(), **options) -> ImageDataset:
    files = write_images(tmp_path, images, categories=CATEGORIES)
    options = dict(dict(num_frames=4, pipeline=[*LOAD, *middle, *PACK]), **options)
    return ImageDataset(name="coco", label_space="coco", **files, **options)


def test_one_image_becomes_a_clip_of_itself(tmp_path):
    dataset = make(tmp_path, [image(7), image(9)])
    assert dataset.sizes == dict(coco=2)
    packed = dataset[ClipIndex(0, 1, 3)]
    sample, truth = packed["data_samples"], packed["data_samples"].gt_instances
    assert packed["inputs"].shape == (4, 3, 32, 48)
    assert (sample.video_id, sample.video_length) == (9, 1)
    assert (sample.label_space, sample.frame_ids) == ("coco", [0] * 4)
    assert truth.labels.tolist() == [16, 0] and truth.ids.tolist() == [3, 4]
    assert truth.present.all() and truth.masks[0, 3].sum() == 12 * 9


@pytest.mark.parametrize("form", ["polygon", "uncompressed"])
def test_every_form_of_a_coco_mask_is_read(tmp_path, form):
    expected = make(tmp_path, [image(1)])[ClipIndex(0, 0, 0)]
    write_json(tmp_path, coco_json([image(1)], CATEGORIES, form))
    files = dict(data_root=str(tmp_path), ann_file="train.json")
    options = dict(num_frames=4, pipeline=[*LOAD, *PACK])
    dataset = ImageDataset(name="coco", label_space="coco", **files, **options)
    masks = [
        d["data_samples"].gt_instances.masks
        for d in (expected, dataset[ClipIndex(0, 0, 0)])
    ]
    assert torch.equal(*masks)


def test_crowds_are_ignored_and_images_without_objects_left_out(tmp_path):
    empty = Video(3, 1, [Track([None], category_id=18)])
    crowd = Video(4, 1, [Track([(2, 2, 9, 9)], category_id=18, iscrowd=1)])
    dataset = make(tmp_path, [empty, image(5, iscrowd=1), crowd])
    assert len(dataset) == 1
    sample = dataset[ClipIndex(0, 0, 0)]["data_samples"]
    assert len(sample.gt_instances.ids) == len(sample.ignored_instances.ids) == 1
    assert sample.ignored_instances.masks.any(dim=(2, 3)).all()


def test_categories_of_another_label_space_are_mapped_by_name(tmp_path):
    cat = Video(3, 1, [Track([(3, 4, 9, 9)], track_id=1, category_id=17)])
    rows = [*CATEGORIES, dict(id=17, name="cat")]
    files = write_images(tmp_path, [image(7), cat], categories=rows)
    options = dict(name="coco", label_space="ytvis19", pipeline=[*LOAD, *PACK])
    mapped = dict(dog="dog", cat="dog")
    dataset = ImageDataset(**options, category_map=mapped, **files)
    slot = LabelSpace.load("ytvis19").slot_of_name("dog")
    truth = [dataset[ClipIndex(0, i, 0)]["data_samples"].gt_instances for i in (0, 1)]
    assert [one.labels.tolist() for one in truth] == [[slot], [slot]]
    # The person of the first image is neither an object nor ignored.
    assert dataset.index.counts["unmapped"] == 1
    assert len(ImageDataset(**options, category_map=dict(cat="cat"), **files)) == 1
    with pytest.raises(AnnotationError, match=r"\['cow'\], which the file does not"):
        ImageDataset(**options, category_map=dict(cow="cow"), **files)
    with pytest.raises(AnnotationError, match="category_map"):
        ImageDataset(**options, category_map=dict(dog="hot dog"), **files)


def test_polygons_that_enclose_nothing_are_no_objects(tmp_path):
    file = coco_json([image(1), image(2)], CATEGORIES, "polygon")
    for entry in file["annotations"][:2]:
        entry["segmentation"] = [[4, 4, 9, 9]]
    write_json(tmp_path, file)
    files = dict(data_root=str(tmp_path), ann_file="train.json")
    dataset = ImageDataset(name="coco", label_space="coco", **files)
    assert [dataset.video(i).video_id for i in range(len(dataset))] == [2]
    assert dataset.index.counts["empty"] == 2


def test_a_moving_pseudo_clip_is_a_pure_function_of_its_index(tmp_path):
    dataset = make(tmp_path, [image(7)], MOTION)
    first, again, other = (dataset[ClipIndex(0, 0, seed)] for seed in (4, 4, 5))
    assert torch.equal(first["inputs"], again["inputs"])
    masks = [p["data_samples"].gt_instances.masks for p in (first, again)]
    assert torch.equal(*masks)
    assert not torch.equal(first["inputs"], other["inputs"])
    assert not torch.equal(first["inputs"][0], first["inputs"][1])


def test_an_image_is_decoded_once_and_its_copies_are_apart(tmp_path, monkeypatch):
    reads = []
    read = LoadClipFrames._read

    def count(self, path):
        reads.append(path)
        return read(self, path)

    monkeypatch.setattr(LoadClipFrames, "_read", count)

    def paint(results):
        results["img"][0][:] = 0
        results["gt_masks"][0].masks[:] = 0
        return results

    packed = make(tmp_path, [image(7)], [paint])[ClipIndex(0, 0, 0)]
    assert len(reads) == 1
    assert packed["inputs"][:, 0, -1, -1].tolist() == [0, *[frame_value(0)] * 3]
    truth = packed["data_samples"].gt_instances
    assert truth.present.tolist() == [[False, True, True, True]] * 2


def test_images_are_videos_of_one_frame_in_tests(tmp_path):
    dataset = make(tmp_path, [image(7)], pipeline=[LOAD[0], *PACK], test_mode=True)
    assert dataset[0]["inputs"].shape == (1, 3, 32, 48)


def test_images_and_videos_mix_in_their_ratio(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "videos").mkdir()
    videos = [moving_video(i, 6) for i in range(2)]
    options = dict(num_frames=4, pipeline=[*LOAD, *MOTION, *PACK])
    mixture = MultiDatasetVideoDataset(
        dict(
            ytvis19=VISDataset(
                name="ytvis19",
                label_space="ytvis19",
                **write_dataset(tmp_path / "videos", videos),
                **options,
            ),
            coco=make(tmp_path / "images", [image(i) for i in range(5)], MOTION),
        )
    )
    sampler = MultiDatasetVideoSampler(
        mixture, batch_size=2, ratios=dict(ytvis19=1.0, coco=0.5), seed=0
    )
    clips = [mixture[sampler.clip_at(position)] for position in range(12)]
    samples = [clip["data_samples"] for clip in clips]
    assert sum(s.dataset == "coco" for s in samples) == 4
    assert {clip["inputs"].shape for clip in clips} == {(4, 3, 30, 40)}
    for sample in samples:
        space = LabelSpace.load(sample.dataset)
        assert sample.label_space == space.name
        slots = sample.gt_instances.labels.tolist()
        assert {space.names[slot] for slot in slots} <= {"person", "dog"}


def broken(**changes) -> dict:
    return {**coco_json([image(7)], CATEGORIES), **changes}


BROKEN = {
    r"keys \['images'\].*VISDataset": native_json([moving_video(1, 2)]),
    r"images\[0\].*'file_name'": broken(images=[dict(id=1)]),
    r"annotations\[0\].*'segmentation'": broken(
        annotations=[dict(id=1, image_id=7, category_id=18, bbox=[1, 2, 3, 4])]
    ),
    "platypus": broken(categories=[dict(id=1, name="platypus")]),
}


@pytest.mark.parametrize("message", BROKEN)
def test_what_is_wrong_with_a_file_is_said(tmp_path, message):
    write_json(tmp_path, BROKEN[message])
    files = dict(data_root=str(tmp_path), ann_file="train.json")
    with pytest.raises(AnnotationError, match=message):
        ImageDataset(name="coco", label_space="coco", **files)


def test_a_file_of_images_is_no_file_of_videos(tmp_path):
    files = write_images(tmp_path, [image(7)], categories=CATEGORIES)
    with pytest.raises(AnnotationError, match="ImageDataset"):
        VISDataset(name="d", label_space="coco", **files)
