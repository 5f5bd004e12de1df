"""What the files of the data sets have of their own: masks, frames, categories."""

import numpy as np
import pytest
from helpers.mini_burst import burst_json
from helpers.mini_vis import (
    Track,
    Video,
    box_mask,
    encode,
    moving_video,
    native_json,
    write_frames,
    write_json,
)

from tmt_vis.annotations import AnnotationFile
from tmt_vis.datasets import AnnotationError, ClipIndex, VISDataset
from tmt_vis.datasets.segmentation import decode
from tmt_vis.taxonomy import LabelSpace

LOAD = [dict(type="LoadClipFrames"), dict(type="LoadClipAnnotations")]
PACK = [*LOAD, dict(type="PackClipInputs")]


def read(tmp_path, data, *, label_space="ytvis19", **options) -> VISDataset:
    write_json(tmp_path, data)
    options = dict(data_root=str(tmp_path), ann_file="train.json", **options)
    return VISDataset(name="d", label_space=label_space, **options)


def names_of(slots, label_space):
    space = LabelSpace.load(label_space)
    return [space.names[slot] for slot in slots]


def masks_of(dataset, row, frame_id):
    video = dataset.index.video(row)
    instances = dataset.index.frame(row, frame_id).instances
    masks = decode(
        [i.counts for i in instances], height=video.height, width=video.width
    )
    return {i.source_id: m for i, m in zip(instances, masks, strict=True)}


# ------------------------------------------------------------------------- HQ-YTVIS


def refined(tmp_path, key, *, box=(5, 5, 4, 4)):
    data = native_json([moving_video(1, 2, track_ids=(3,))])
    data["annotations"][0]["segmentations_refined"] = [encode(box_mask(box))] * 2
    return read(tmp_path, data, segmentation_key=key)


def test_which_masks_are_read_is_an_option(tmp_path):
    plain = masks_of(refined(tmp_path, "segmentations"), 0, 0)[3]
    np.testing.assert_array_equal(plain, box_mask((1, 2, 8, 10)))
    fine = masks_of(refined(tmp_path, "segmentations_refined"), 0, 0)[3]
    np.testing.assert_array_equal(fine, box_mask((5, 5, 4, 4)))


def test_a_key_that_is_not_there_names_those_that_are(tmp_path):
    there = r"\['segmentations', 'segmentations_refined'\]"
    with pytest.raises(AnnotationError, match=f"'segmentations_fine'.*{there}"):
        refined(tmp_path, "segmentations_fine")


# ---------------------------------------------------------------------------- BURST


def test_burst_is_read_as_it_is(tmp_path):
    videos = [moving_video(3, 4, track_ids=(1, 2)), moving_video(9, 2, track_ids=(1,))]
    dataset = read(tmp_path, burst_json(videos), label_space="burst")
    info = dataset.video(0)
    assert (info.video_id, info.name, info.length) == (3, "HACS/v3", 4)
    frame = dataset.index.frame(0, 2)
    assert frame.file_name == "HACS/v3/00002.png"
    assert names_of([i.slot for i in frame.instances], "burst") == ["person", "dog"]
    assert [i.source_id for i in frame.instances] == [1, 2]
    np.testing.assert_array_equal(masks_of(dataset, 0, 2)[2], box_mask((5, 16, 8, 10)))
    assert list(masks_of(dataset, 1, 0)) == [1]  # ids restart in every video


def test_a_burst_file_trains_from_json_to_packed_clip(tmp_path):
    video = moving_video(3, 4, track_ids=(1, 2))
    write_frames(tmp_path / "HACS", [video])
    data = burst_json([video], neg_category_ids=[229])
    dataset = read(tmp_path, data, label_space="burst", pipeline=PACK)
    sample = dataset[ClipIndex(0, 0, 5)]["data_samples"]
    assert len(sample.gt_instances) == 2
    assert names_of(sample.known_slots, "burst") == ["cat", "dog", "person"]


def test_test_videos_of_burst_need_no_tracks(tmp_path):
    data = burst_json([moving_video(3, 2)])
    del data["sequences"][0]["segmentations"]
    assert len(read(tmp_path, data, label_space="burst", test_mode=True)) == 1


def test_all_categories_of_tao_may_be_listed(tmp_path):
    data = burst_json([moving_video(3, 2, track_ids=(1,))])
    data["categories"].append(dict(id=1, name="acorn"))  # TAO's, without a track
    assert len(read(tmp_path, data, label_space="burst")) == 1
    data["sequences"][0]["track_category_ids"]["1"] = 1
    with pytest.raises(AnnotationError, match="acorn"):
        read(tmp_path, data, label_space="burst")


BROKEN_BURST = {
    "has no category": lambda s: s["track_category_ids"].pop("1"),
    "one entry per annotated image, got 1 for 2": lambda s: s["segmentations"].pop(),
    "track ids must be numbers, got 'a'": lambda s: s["track_category_ids"].update(
        a=805
    ),
    r"sequences\[0\] .*'seq_name'. missing": lambda s: s.update(seq_name=None),
    "broken segmentation": lambda s: s["segmentations"][0]["1"].update(rle=7),
    "neg_category_ids must be a list": lambda s: s.update(neg_category_ids="805"),
}


@pytest.mark.parametrize("message", BROKEN_BURST)
def test_broken_burst_files_are_refused(tmp_path, message):
    data = burst_json([moving_video(3, 2, track_ids=(1,))])
    BROKEN_BURST[message](data["sequences"][0])
    with pytest.raises(AnnotationError, match=message):
        read(tmp_path, data, label_space="burst")


# ------------------------------------------------- categories of a video: LV-VIS, LVIS

CATEGORIES = [dict(id=1, name="person"), dict(id=8, name="dog")]
CATEGORIES += [dict(id=14, name="cat"), dict(id=15, name="cow")]


def known(tmp_path, **lists):
    data = native_json([moving_video(1, 2, extra=lists)], categories=CATEGORIES)
    slots = read(tmp_path, data).video(0).known_slots
    return slots if slots is None else names_of(slots, "ytvis19")


def test_known_are_the_annotated_and_the_verified_absent(tmp_path):
    assert known(tmp_path, neg_category_ids=[15]) == ["person", "dog", "cow"]
    assert known(tmp_path, neg_category_ids=[]) == ["person", "dog"]


def test_without_a_list_everything_is_known(tmp_path):
    assert known(tmp_path) is None
    assert known(tmp_path, neg_category_ids=None) is None
    assert known(tmp_path, not_exhaustive_category_ids=[1]) is None


def test_samples_say_of_which_categories_objects_were_left_out(tmp_path):
    video = moving_video(1, 2, extra=dict(not_exhaustive_category_ids=[8, 77]))
    write_frames(tmp_path, [video])
    data = native_json([video], categories=CATEGORIES)
    dataset = read(tmp_path, data, pipeline=PACK)
    sample = dataset[ClipIndex(0, 0, 1)]["data_samples"]
    assert names_of(sample.incomplete_slots, "ytvis19") == ["dog"]


def test_negatives_that_the_file_does_not_list_are_nobodys(tmp_path):
    assert known(tmp_path, neg_category_ids=[77, 14]) == ["person", "dog", "cat"]


def test_a_crowd_is_a_known_category_too(tmp_path):
    track = Track([(1, 1, 5, 5)], track_id=1, category_id=14, iscrowd=1)
    person = Track([(9, 9, 5, 5)], track_id=2, category_id=1)
    video = Video(1, 1, [track, person], extra=dict(neg_category_ids=[]))
    dataset = read(tmp_path, native_json([video], categories=CATEGORIES))
    assert names_of(dataset.video(0).known_slots, "ytvis19") == ["person", "cat"]


# ------------------------------------------------- frames: UVO, YouTube-VIS 2022


def sparse_video(**options):
    """Annotated at frames 0 and 3 of 6 only; the object is absent in none of them."""
    boxes = [(1, 1, 5, 5), None, None, (9, 9, 5, 5), None, None]
    return Video(1, 6, [Track(boxes, track_id=4)], **options)


def test_frames_nobody_annotated_can_be_left_out(tmp_path):
    write_frames(tmp_path, [sparse_video()])
    data = native_json([sparse_video(), moving_video(2, 2)])
    options = dict(annotated_frames_only=True, pipeline=PACK)
    dataset = read(tmp_path, data, **options)
    assert [dataset.video(row).length for row in (0, 1)] == [2, 2]
    sample = dataset[ClipIndex(0, 0, 0)]["data_samples"]
    assert sample.gt_instances.present.all()
    assert dataset.index.frame(0, 1).file_name == "v1/00003.png"
    np.testing.assert_array_equal(masks_of(dataset, 0, 1)[4], box_mask((9, 9, 5, 5)))


def test_without_the_option_they_are_frames_without_the_object(tmp_path):
    dataset = read(tmp_path, native_json([sparse_video()]))
    assert dataset.video(0).length == 6
    assert dataset.index.visible_in(0).tolist() == [True, False, False] * 2


def test_test_videos_are_reduced_to_the_same_frames(tmp_path):
    data = native_json([sparse_video(), Video(2, 3)])
    options = dict(annotated_frames_only=True, test_mode=True)
    dataset = read(tmp_path, data, **options)
    assert [dataset.video(row).length for row in range(len(dataset))] == [2]
    assert dataset.index.frame(0, 1).instances == ()
    data["annotations"] = None  # withheld: nothing says which frames
    assert len(read(tmp_path, data, **options)) == 2


def test_lengths_that_differ_from_the_files_are_reduced_too(tmp_path):
    data = native_json([sparse_video()])
    data["videos"][0]["length"] = 4
    data["annotations"][0]["segmentations"] = data["annotations"][0]["segmentations"][
        :4
    ]
    dataset = read(tmp_path, data, annotated_frames_only=True)
    assert dataset.video(0).length == 2
    assert dataset.index.counts["length_differs"] == 1


def test_the_files_of_2022(tmp_path):
    """Categories of 2021; one list of short and of long videos, no annotations."""
    long = Video(5, 300)
    names = LabelSpace.load("ytvis21").names
    data = native_json([Video(1, 3), long])
    data["categories"] = [dict(id=i + 1, name=n) for i, n in enumerate(names)]
    del data["annotations"]
    dataset = read(tmp_path, data, label_space="ytvis21", test_mode=True)
    assert [dataset.video(row).length for row in (0, 1)] == [3, 300]
    assert dataset.index.frame(1, 299).file_name == "v5/00299.png"


# ------------------------------------------------------------------- one pass, released


def test_parsed_objects_are_released_while_the_index_is_made(tmp_path):
    path = write_json(tmp_path, native_json([moving_video(1, 2), moving_video(2, 2)]))
    file = AnnotationFile(path, LabelSpace.load("ytvis19"))
    first, second = file.videos
    assert len(list(file.instances(first))) == 2
    assert list(file._annotations) == [second.video_id]
    with pytest.raises(RuntimeError, match="video_id=1 were read before"):
        list(file.instances(first))


def test_what_is_not_read_is_dropped_while_parsing(tmp_path):
    data = native_json([moving_video(1, 2, track_ids=(3,))])
    data["annotations"][0]["segmentations_refined"] = [None, None]
    path = write_json(tmp_path, data)
    (entry,) = AnnotationFile(path, LabelSpace.load("ytvis19"))._annotations[1]
    assert entry["bboxes"] is entry["areas"] is entry["segmentations_refined"] is None
    sizes = {id(mask.size) for mask in entry["segmentations"]}
    assert len(sizes) == 1


@pytest.mark.parametrize("box", [[float("nan")] * 4, [0, 0, float("inf"), 1], "none"])
def test_boxes_of_the_file_are_not_looked_at(tmp_path, box):
    data = native_json([moving_video(1, 2, track_ids=(3,))])
    data["annotations"][0]["bboxes"] = [box, box]
    assert len(masks_of(read(tmp_path, data), 0, 1)) == 1
