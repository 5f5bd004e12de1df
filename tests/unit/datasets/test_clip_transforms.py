"""Loading, broadcasting and packing of clips."""

import copy
import random

import cv2
import numpy as np
import pytest
import torch
from helpers.mini_vis import (
    Track,
    Video,
    box_mask,
    frame_value,
    moving_video,
    object_color,
    write_dataset,
)
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.structures.mask import BitmapMasks

from tmt_vis.datasets import (
    ClipIndex,
    ClipStructureError,
    FrameError,
    PackClipInputs,
    VISDataset,
)
from tmt_vis.taxonomy import LabelSpace

LOAD = [dict(type="LoadClipFrames"), dict(type="LoadClipAnnotations")]
PACK = [dict(type="PackClipInputs")]


def broadcast(*transforms) -> list:
    return [dict(type="ClipBroadcaster", transforms=list(transforms))]


def make(tmp_path, videos, middle=(), **options) -> VISDataset:
    files = write_dataset(tmp_path, videos)
    pipeline = [*LOAD, *middle, *PACK]
    options = dict(dict(pipeline=pipeline, num_frames=3), **files, **options)
    return VISDataset(name="d", label_space="ytvis19", **options)


def clip(tmp_path, video, middle=(), seed=0, **options):
    dataset = make(tmp_path, [video], middle, **options)
    packed = dataset[ClipIndex(0, 0, seed)]
    return packed["inputs"], packed["data_samples"]


def assert_masks_lie_on_their_objects(inputs, sample):
    """Every pixel of a mask has its object's colour, every other pixel has not."""
    truth = sample.gt_instances
    for instance_id, masks in zip(truth.ids.tolist(), truth.masks, strict=True):
        color = torch.tensor(object_color(instance_id), dtype=inputs.dtype)
        shown = (inputs == color.view(1, 3, 1, 1)).all(dim=1)
        assert torch.equal(shown, masks)


def test_packed_clip_has_the_documented_layout(tmp_path):
    inputs, sample = clip(tmp_path, moving_video(4, 9, height=33, width=47))
    truth = sample.gt_instances
    assert inputs.shape == (3, 3, 33, 47) and inputs.dtype == torch.uint8
    assert inputs.is_contiguous() and truth.masks.is_contiguous()
    assert truth.masks.shape == (2, 3, 33, 47) and truth.masks.dtype == torch.bool
    assert truth.ids.tolist() == [0, 5] and truth.ids.dtype == torch.int64
    space = LabelSpace.load("ytvis19")
    assert [space.names[slot] for slot in truth.labels.tolist()] == ["person", "dog"]
    assert truth.labels.dtype == torch.int64 and truth.present.all()
    assert (sample.dataset, sample.label_space) == ("d", "ytvis19")
    assert (sample.video_id, sample.video_name, sample.video_length) == (4, "v4", 9)
    assert sample.ori_shape == sample.img_shape == (33, 47)
    assert (sample.clip_seed, sample.num_refetch) == (0, 0)
    values = [frame_value(t) for t in sample.frame_ids]
    assert inputs[:, 0, -1, -1].tolist() == values
    assert_masks_lie_on_their_objects(inputs, sample)


def test_images_are_bgr(tmp_path):
    inputs, sample = clip(tmp_path, moving_video(1, 3, track_ids=(7,)))
    on_object = inputs[0][:, sample.gt_instances.masks[0, 0]]
    assert on_object[:, 0].tolist() == list(object_color(7))


@pytest.mark.parametrize("seed", range(4))
def test_mmdet_transforms_keep_masks_on_objects_and_share_choices(tmp_path, seed):
    middle = broadcast(
        dict(type="RandomFlip", prob=0.5, direction=["horizontal", "vertical"]),
        dict(
            type="RandomChoiceResize",
            scales=[(96, 64), (144, 96)],
            resize_type="Resize",
            keep_ratio=True,
            interpolation="nearest",
        ),
        dict(type="RandomCrop", crop_size=(70, 50), allow_negative_crop=True),
    )
    inputs, sample = clip(tmp_path, moving_video(1, 12), middle, seed)
    assert inputs.shape[-2:] == sample.img_shape == (50, 70)
    assert_masks_lie_on_their_objects(inputs, sample)


def test_random_choices_differ_between_clips_but_not_between_frames(tmp_path):
    track = Track([(2, 3, 9, 7)] * 6, track_id=1)
    middle = broadcast(
        dict(type="RandomFlip", prob=0.5),
        dict(type="RandomCrop", crop_size=(30, 20), allow_negative_crop=True),
        dict(type="PhotoMetricDistortion"),
    )
    dataset = make(tmp_path, [Video(1, 6, [track])], middle)
    clips = [dataset[ClipIndex(0, 0, seed)] for seed in range(8)]
    for packed in clips:
        masks = packed["data_samples"].gt_instances.masks
        # The object stands still, so shared choices give the same mask in all frames.
        assert all(torch.equal(masks[:, 0], masks[:, t]) for t in range(3))
        assert packed["inputs"].dtype == torch.float32
    shapes = {p["data_samples"].gt_instances.masks.numpy().tobytes() for p in clips}
    assert len(shapes) > 3


class BrightensInPlace(BaseTransform):
    def transform(self, results):
        results["img"] += np.uint8(1)
        results["gt_masks"].masks[:, 0, 0] += 1
        return results


def test_repeated_frames_of_a_short_video_do_not_share_arrays(tmp_path):
    middle = broadcast(BrightensInPlace(), dict(type="RandomFlip", prob=1.0))
    inputs, sample = clip(tmp_path, moving_video(1, 1), middle, num_frames=4)
    assert sample.frame_ids == [0, 0, 0, 0]
    assert inputs[:, 0, -1, -1].tolist() == [frame_value(0) + 1] * 4
    assert sample.gt_instances.masks[:, :, 0, -1].all()  # flipped, set once each


def test_absent_instances_get_empty_masks_and_ids_stay_aligned(tmp_path):
    tracks = [
        Track([None, (2, 2, 6, 6), (2, 2, 6, 6)], track_id=8),
        Track([(20, 2, 6, 6), None, (20, 2, 6, 6)], track_id=3),
        Track([(2, 20, 6, 6), (2, 20, 6, 6), None], track_id=0),
    ]
    inputs, sample = clip(tmp_path, Video(1, 3, tracks))
    truth = sample.gt_instances
    assert truth.ids.tolist() == [3, 0, 8]  # first seen first
    assert truth.present.tolist() == [
        [True, False, True],
        [True, True, False],
        [False, True, True],
    ]
    assert_masks_lie_on_their_objects(inputs, sample)


@pytest.mark.parametrize("order", ["shuffled", "reversed"])
def test_masks_boxes_and_ids_follow_the_order_of_the_frames(tmp_path, order):
    boxes = [(2 + 3 * t, 4 + t, 7, 9) for t in range(6)]
    tracks = [
        Track([None, *boxes[1:]], track_id=9),
        Track([(40, 2, 5, 5), *[None] * 5], track_id=4, category_id=8),
    ]
    options = dict(num_frames=6, frame_order=order)
    kept = Keep()
    inputs, sample = clip(tmp_path, Video(1, 6, tracks), [kept], 3, **options)
    assert sorted(sample.frame_ids) == list(range(6)) != sample.frame_ids
    values = [frame_value(t) for t in sample.frame_ids]
    assert inputs[:, 0, -1, -1].tolist() == values
    assert_masks_lie_on_their_objects(inputs, sample)
    for t, frame_id in enumerate(sample.frame_ids):
        x, y, w, h = boxes[frame_id] if frame_id else (40, 2, 5, 5)
        frame = {key: kept.results[key][t] for key in kept.results if "gt_" in key}
        assert frame["gt_instances_ids"].tolist() == [9 if frame_id else 4]
        assert frame["gt_bboxes"].tensor.tolist() == [[x, y, x + w, y + h]]


def test_clips_of_one_frame(tmp_path):
    middle = broadcast(dict(type="RandomFlip", prob=0.5))
    inputs, sample = clip(tmp_path, moving_video(1, 9), middle, num_frames=1)
    assert inputs.shape == (1, 3, 32, 48) and len(sample.frame_ids) == 1
    assert sample.gt_instances.masks.shape == (2, 1, 32, 48)
    assert_masks_lie_on_their_objects(inputs, sample)


def test_videos_that_show_nothing_in_the_usable_frames_are_left_out(tmp_path):
    box = (2, 2, 9, 9)
    tracks = [Track([None, None, box, None]), Track([None, None, None, box])]
    videos = [Video(i, 4, [track]) for i, track in enumerate(tracks)]
    dataset = make(tmp_path, videos, num_frames=1, sampling_frame_ratio=0.25)
    assert [dataset.video(i).video_id for i in range(len(dataset))] == [0]
    assert len(make(tmp_path, videos, sampling_frame_ratio=1.0)) == 2


CROP = dict(type="RandomCrop", crop_size=(24, 32))
NESTED_CROPS = [
    CROP,
    dict(type="RandomApply", transforms=[CROP], prob=1.0),
    dict(type="RandomChoice", transforms=[[CROP], [CROP]]),
]


@pytest.mark.parametrize("crop", NESTED_CROPS, ids=lambda crop: crop["type"])
def test_an_object_cropped_out_of_one_frame_is_absent_there(tmp_path, crop):
    # The object jumps from side to side: no window of 24 pixels shows it twice.
    track = Track([(0, 2, 8, 8), (40, 2, 8, 8)], track_id=3)
    dataset = make(tmp_path, [Video(1, 2, [track])], broadcast(crop), num_frames=2)
    found = set()
    for seed in range(12):
        packed = dataset[ClipIndex(0, 0, seed)]
        truth = packed["data_samples"].gt_instances
        assert truth.ids.tolist() == [3]
        assert_masks_lie_on_their_objects(packed["inputs"], packed["data_samples"])
        found.add(tuple(truth.present[0].tolist()))
    assert found == {(True, False), (False, True)}
    # 9 of the 25 windows show nothing: the clip was replaced, and that was counted.
    assert dataset.refetches["rejected"] > 2
    assert set(dataset.refetches) == {"rejected"}


def test_empty_clips_are_cropped_like_others(tmp_path):
    video = Video(1, 3, [Track([None] * 3)])
    _, sample = clip(tmp_path, video, broadcast(CROP), keep_empty=True)
    assert sample.img_shape == (32, 24) and sample.num_refetch == 0
    tracks = [Track([(0, 2, 4, 4)] * 2)]
    allowed = broadcast(dict(CROP, allow_negative_crop=True))
    dataset = make(tmp_path, [Video(1, 2, tracks)], allowed, num_frames=2)
    clips = [dataset[ClipIndex(0, 0, seed)]["data_samples"] for seed in range(12)]
    assert {len(c.gt_instances.ids) for c in clips} == {0, 1}
    assert not dataset.refetches


class Keep(BaseTransform):
    """Remember the clip that passes."""

    def transform(self, results):
        self.results = copy.deepcopy(results)
        return results


class CropTo(BaseTransform):
    """Crop every frame of the clip to a fixed window, frame by frame."""

    def __init__(self, windows):
        self.windows = list(windows)

    def transform(self, results):
        for t, (x, y, w, h) in enumerate(self.windows):
            results["img"][t] = results["img"][t][y : y + h, x : x + w]
            masks, ids = results["gt_masks"][t], results["gt_instances_ids"][t]
            cropped = masks.crop(np.array([x, y, x + w, y + h]))
            kept = cropped.masks.any(axis=(1, 2)) if len(ids) else np.zeros(0, bool)
            results["gt_masks"][t] = cropped[kept]
            for key in ("gt_instances_ids", "gt_bboxes_labels", "gt_ignore_flags"):
                results[key][t] = results[key][t][kept]
        return results


def test_instances_dropped_in_one_frame_or_in_all(tmp_path):
    tracks = [
        Track([(2, 2, 6, 6)] * 2, track_id=1),
        Track([(22, 2, 6, 6)] * 2, track_id=2),
        Track([(2, 24, 6, 6)] * 2, track_id=3),
    ]
    windows = [(0, 0, 30, 20), (10, 0, 30, 20)]  # the second loses track 1
    _, sample = clip(tmp_path, Video(1, 2, tracks), [CropTo(windows)], num_frames=2)
    truth = sample.gt_instances
    assert truth.ids.tolist() == [1, 2]  # track 3 is outside of both
    assert truth.present.tolist() == [[True, False], [True, True]]


class Erase(BaseTransform):
    """Remove all pixels of one instance but leave it in the lists."""

    def __init__(self, instance_id):
        self.instance_id = instance_id

    def transform(self, results):
        erased = results["gt_instances_ids"] == self.instance_id
        results["gt_masks"].masks[erased] = 0
        return results


def test_instances_without_a_pixel_left_are_dropped(tmp_path):
    _, sample = clip(tmp_path, moving_video(1, 3), broadcast(Erase(0)))
    assert sample.gt_instances.ids.tolist() == [5]
    assert sample.gt_instances.masks.shape == (1, 3, 32, 48)
    _, sample = clip(tmp_path, moving_video(1, 3), broadcast(Erase(0), Erase(5)))
    truth = sample.gt_instances
    assert truth.masks.shape == (0, 3, 32, 48) and truth.labels.dtype == torch.int64


def test_crowd_regions_are_ignored_and_never_positive(tmp_path):
    tracks = [
        Track([(2, 2, 6, 6)] * 3, track_id=1, iscrowd=1),
        Track([(22, 2, 6, 6)] * 3, track_id=2),
    ]
    _, sample = clip(tmp_path, Video(1, 3, tracks))
    assert sample.gt_instances.ids.tolist() == [2]
    assert sample.ignored_instances.ids.tolist() == [1]
    assert sample.ignored_instances.masks[0, 0].sum() == 36


def test_test_mode_gives_all_frames_and_needs_no_annotations(tmp_path):
    pipeline = [
        dict(type="LoadClipFrames"),
        *broadcast(dict(type="Resize", scale=(96, 64), keep_ratio=True)),
        *PACK,
    ]
    video = moving_video(1, 5)
    inputs, sample = clip(tmp_path, video, pipeline=pipeline, test_mode=True)
    assert inputs.shape == (5, 3, 64, 96)
    assert sample.frame_ids == [0, 1, 2, 3, 4]
    assert (sample.ori_shape, sample.img_shape) == ((32, 48), (64, 96))
    assert "gt_instances" not in sample


class DrawsEveryFrame(BaseTransform):
    def transform(self, results):
        results["img"] = results["img"] + np.uint8(np.random.randint(5))
        return results


class DrawsOnce(BaseTransform):
    @cache_randomness
    def _draw(self):
        return np.random.randint(5)

    def transform(self, results):
        results["img"] = results["img"] + np.uint8(self._draw())
        return results


class DrawsUntilBright(BaseTransform):
    """Draw once more in the frames after the first that was drawn from."""

    def transform(self, results):
        for _ in range(1 + results["frame_ids"]):
            np.random.rand()
        return results


class DrawsFromTorch(BaseTransform):
    def transform(self, results):
        results["img"] = results["img"] + np.uint8(torch.randint(5, ()).item())
        return results


class DrawsFromPython(BaseTransform):
    def transform(self, results):
        results["img"] = results["img"] + np.uint8(random.randrange(5))
        return results


DRAWING = [DrawsEveryFrame, DrawsOnce, DrawsFromTorch, DrawsFromPython]


@pytest.mark.parametrize("kind", DRAWING)
def test_every_transform_shares_its_choices(tmp_path, kind):
    # Between others that draw, with and without mmcv's decorator.
    middle = broadcast(DrawsOnce(), dict(type="RandomFlip", prob=0.5), kind(), kind())
    dataset = make(tmp_path, [moving_video(1, 3)], middle)
    added = set()
    for seed in range(12):
        packed = dataset[ClipIndex(0, 0, seed)]
        values = [frame_value(t) for t in packed["data_samples"].frame_ids]
        corners = packed["inputs"][:, 0, -1, 0].tolist()
        offsets = {c - v for c, v in zip(corners, values, strict=True)}
        assert len(offsets) == 1
        added |= offsets
    assert len(added) > 3


def test_choices_are_not_shared_on_request(tmp_path):
    free = dict(type="ClipBroadcaster", transforms=[DrawsEveryFrame()])
    free["share_random_params"] = False
    inputs, sample = clip(tmp_path, moving_video(1, 1), [free], num_frames=9)
    assert len(set(inputs[:, 0, -1, -1].tolist())) > 1


def test_frames_may_be_flipped_one_by_one(tmp_path):
    """mmdet's flip notes a matrix in the frames that it flips only."""
    flip = dict(broadcast(dict(type="RandomFlip", prob=0.5))[0])
    flip["share_random_params"] = False
    video = moving_video(1, 6)
    kinds = set()
    for seed in range(8):
        inputs, _ = clip(tmp_path, video, [flip], seed=seed, num_frames=2)
        plain, _ = clip(tmp_path, video, seed=seed, num_frames=2)
        kinds.add(
            tuple(bool((a != b).any()) for a, b in zip(inputs, plain, strict=True))
        )
    assert kinds == {(False, False), (False, True), (True, False), (True, True)}


def test_choices_that_depend_on_the_frame_are_an_error(tmp_path):
    video = moving_video(1, 3)
    with pytest.raises(ClipStructureError, match="DrawsUntilBright draws random"):
        clip(tmp_path, video, broadcast(DrawsUntilBright()))


class Renames(BaseTransform):
    def transform(self, results):
        results["dataset"] = "other"
        return results


def test_clip_level_values_must_not_be_changed_per_frame(tmp_path):
    with pytest.raises(ClipStructureError, match="changed 'dataset'"):
        clip(tmp_path, moving_video(1, 3), broadcast(Renames()))


class AddsAList(BaseTransform):
    def transform(self, results):
        results["classes"] = ["person", "dog"]
        return results


def test_lists_of_another_length_are_refused(tmp_path):
    flip = broadcast(dict(type="RandomFlip", prob=0.5))
    with pytest.raises(ClipStructureError, match="'classes': 2.*tuple"):
        clip(tmp_path, moving_video(1, 3), [AddsAList(), *flip])


def test_filters_that_forget_the_ids_are_an_error(tmp_path):
    tracks = [Track([(2, 2, 9, 9), (2, 2, 9, 9), (2, 2, 1, 1)], track_id=6)]
    middle = broadcast(
        dict(type="FilterAnnotations", min_gt_bbox_wh=(4, 4), keep_empty=False)
    )
    with pytest.raises(ClipStructureError, match="'gt_instances_ids': 1"):
        clip(tmp_path, Video(1, 3, tracks), middle)


def loaded(tmp_path) -> dict:
    """Return the results dict right before packing."""
    keep = Keep()
    clip(tmp_path, moving_video(1, 3), [keep])
    return keep.results


def shrink(results):
    results["img"][1] = results["img"][1][:16]


def shrink_masks(results):
    results["gt_masks"][1] = BitmapMasks(np.zeros((2, 16, 48), np.uint8), 16, 48)


def swap_labels(results):
    results["gt_bboxes_labels"][1] = results["gt_bboxes_labels"][1][::-1]


def repeat_ids(results):
    results["gt_instances_ids"][1][:] = 5


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shrink, "one size"),
        (shrink_masks, "masks are 16x48, the image is 32x48"),
        (swap_labels, "reordered"),
        (repeat_ids, "unique"),
    ],
)
def test_packing_refuses_lists_that_do_not_fit(tmp_path, damage, message):
    results = loaded(tmp_path)
    PackClipInputs()(copy.deepcopy(results))
    damage(results)
    with pytest.raises(ClipStructureError, match=message):
        PackClipInputs()(results)


def write_jpeg_cut_in_half(path):
    image = np.random.default_rng(0).integers(0, 255, (32, 48, 3), dtype=np.uint8)
    data = cv2.imencode(".jpg", image)[1].tobytes()
    path.write_bytes(data[: len(data) // 2])


BAD_FRAMES = {
    "cannot be read": lambda path: path.unlink(),
    "file is empty": lambda path: path.write_bytes(b""),
    "not a readable image": lambda path: path.write_bytes(b"no image at all"),
    "JPEG is truncated": write_jpeg_cut_in_half,
    "image is 8x8 .*says 32x48": lambda path: cv2.imwrite(
        str(path), np.zeros((8, 8, 3), np.uint8)
    ),
}


@pytest.mark.parametrize("message", BAD_FRAMES)
def test_bad_frame_files_are_named_in_test_mode(tmp_path, message):
    pipeline = [dict(type="LoadClipFrames"), *PACK]
    dataset = make(tmp_path, [moving_video(1, 4)], pipeline=pipeline, test_mode=True)
    BAD_FRAMES[message](tmp_path / "v1/00002.png")
    with pytest.raises(FrameError, match=message) as error:
        dataset[0]
    assert "v1/00002.png" in str(error.value)


def test_masks_decode_frame_by_frame(tmp_path):
    _, sample = clip(tmp_path, moving_video(1, 30))
    for t, frame_id in enumerate(sample.frame_ids):
        expected = box_mask((1 + 2 * (frame_id % 16), 2, 8, 10))
        np.testing.assert_array_equal(sample.gt_instances.masks[0, t], expected)
