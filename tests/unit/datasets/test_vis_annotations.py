"""Reading the native annotation files: conventions and clear errors."""

import numpy as np
import pytest
from helpers.mini_vis import (
    Track,
    Video,
    box_mask,
    encode,
    moving_video,
    native_json,
    write_json,
)

from tmt_vis.datasets import AnnotationError, VISDataset
from tmt_vis.datasets.segmentation import decode
from tmt_vis.taxonomy import LabelSpace


def read(tmp_path, data, *, label_space="ytvis19", **options) -> VISDataset:
    write_json(tmp_path, data)
    options = dict(data_root=str(tmp_path), ann_file="train.json", **options)
    return VISDataset(name="d", label_space=label_space, **options)


def masks_of(dataset: VISDataset, row: int, frame_id: int) -> dict[int, np.ndarray]:
    video = dataset.index.video(row)
    instances = dataset.index.frame(row, frame_id).instances
    masks = decode(
        [i.counts for i in instances], height=video.height, width=video.width
    )
    return {i.source_id: m for i, m in zip(instances, masks, strict=True)}


def test_categories_match_by_name_whatever_their_order_and_ids(tmp_path):
    space = LabelSpace.load("ytvis19")
    data = native_json([moving_video(1, 2, track_ids=(3, 4))])
    # The file calls 8 a person and 1 a dog: opposite of the official ids.
    data["categories"] = [dict(id=8, name="Person"), dict(id=1, name="DOG")]
    dataset = read(tmp_path, data)
    first, second = dataset.index.frame(0, 0).instances
    assert space.names[first.slot] == "dog"
    assert space.names[second.slot] == "person"
    assert dataset.index.instances_per_slot[first.slot] == 1
    assert dataset.index.instances_per_slot.sum() == 2


def test_sparse_category_ids_become_slots(tmp_path):
    video = Video(1, 1, [Track([(2, 3, 8, 8)], track_id=9, category_id=91)])
    data = native_json([video], categories=[dict(id=91, name="other")])
    dataset = read(tmp_path, data, label_space="uvo")
    assert dataset.index.frame(0, 0).instances[0].slot == 80


def test_instance_id_zero_and_ids_reused_across_videos(tmp_path):
    dataset = read(tmp_path, native_json([moving_video(7, 2), moving_video(9, 2)]))
    for row in (0, 1):
        ids = [i.source_id for i in dataset.index.frame(row, 1).instances]
        assert ids == [0, 5]


@pytest.mark.parametrize("form", ["compressed", "uncompressed", "polygon"])
def test_three_forms_of_segmentation_decode_to_the_same_mask(tmp_path, form):
    boxes = [(0, 0, 7, 5), (40, 20, 8, 12)]  # corners of an odd-sized frame
    video = Video(1, 2, [Track(boxes, track_id=4)], height=33, width=49)
    dataset = read(tmp_path, native_json([video], form=form))
    for t, box in enumerate(boxes):
        expected = box_mask(box, 33, 49)
        np.testing.assert_array_equal(masks_of(dataset, 0, t)[4], expected)


def test_absent_and_pixelless_frames_are_not_present(tmp_path):
    video = Video(1, 3, [Track([(0, 0, 4, 4), None, (0, 0, 4, 4)], track_id=2)])
    data = native_json([video])
    data["annotations"][0]["segmentations"][2] = encode(box_mask(None))
    dataset = read(tmp_path, data)
    assert [list(masks_of(dataset, 0, t)) for t in range(3)] == [[2], [], []]
    assert dataset.index.visible_in(0).tolist() == [True, False, False]


def test_videos_without_usable_instance_are_skipped_and_counted(tmp_path, caplog):
    crowd = Video(2, 2, [Track([(0, 0, 4, 4)] * 2, track_id=1, iscrowd=1)])
    unseen = Video(3, 2, [Track([None, None], track_id=1)])
    data = native_json([Video(1, 2), crowd, unseen, moving_video(4, 2)])
    with caplog.at_level("INFO"):
        dataset = read(tmp_path, data)
    assert [dataset.video(i).video_id for i in range(len(dataset))] == [4]
    assert dataset.index.counts["ignored"] == 1
    assert dataset.index.counts["empty"] == 1
    kept = read(tmp_path, data, keep_empty=True)
    assert [kept.video(i).video_id for i in range(len(kept))] == [1, 2, 3, 4]


def test_frames_without_objects_stay_addressable(tmp_path):
    video = Video(1, 3, [Track([None, (0, 0, 4, 4), None], track_id=2)])
    dataset = read(tmp_path, native_json([video]))
    assert dataset.video(0).length == 3
    assert dataset.index.frame(0, 0).instances == ()


def test_null_annotations_are_fine_for_test_and_an_error_for_training(tmp_path):
    data = dict(native_json([moving_video(1, 4)]), annotations=None)
    dataset = read(tmp_path, data, test_mode=True)
    assert len(dataset) == 1 and dataset.video(0).length == 4
    with pytest.raises(AnnotationError, match="no video is left.*annotations is not"):
        read(tmp_path, data)
    del data["annotations"]
    assert len(read(tmp_path, data, test_mode=True)) == 1


def test_test_mode_reads_annotations_only_on_request(tmp_path):
    data = native_json([moving_video(1, 4)])
    dataset = read(tmp_path, data, test_mode=True)
    assert dataset.index.frame(0, 0).instances == ()
    dataset = read(tmp_path, data, test_mode=True, load_gt=True)
    assert len(dataset.index.frame(0, 0).instances) == 2


@pytest.mark.parametrize(("listed", "expected"), [(3, [1, 1, 1, 0]), (5, [1] * 4)])
def test_declared_length_may_differ_from_the_file_list(tmp_path, listed, expected):
    video = moving_video(1, 4, track_ids=(3,), extra={})
    data = native_json([video])
    data["videos"][0]["length"] = listed
    item = data["annotations"][0]["segmentations"][0]
    data["annotations"][0]["segmentations"] = [item] * listed
    dataset = read(tmp_path, data)
    assert dataset.video(0).length == 4
    assert dataset.index.visible_in(0).tolist() == [bool(v) for v in expected]
    assert dataset.index.counts["length_differs"] == 1


@pytest.mark.parametrize(
    ("text", "message"), [('{"videos": [', "not valid JSON"), ("[]", "got a list")]
)
def test_files_that_are_no_annotation_file_are_refused(tmp_path, text, message):
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(AnnotationError, match=message):
        VISDataset(
            name="d",
            label_space="ytvis19",
            ann_file="train.json",
            data_root=str(tmp_path),
        )


def test_missing_file_and_unknown_prefix_are_refused(tmp_path):
    options = dict(name="d", label_space="ytvis19", data_root=str(tmp_path))
    with pytest.raises(AnnotationError, match="does not exist"):
        VISDataset(ann_file="no.json", **options)
    with pytest.raises(ValueError, match="'img' only, got also .'seg'"):
        VISDataset(ann_file="no.json", data_prefix=dict(seg="x"), **options)


def test_degenerate_polygons_have_no_pixels(tmp_path):
    data = native_json([moving_video(1, 2, track_ids=(3,))])
    data["annotations"][0]["segmentations"][0] = [[1, 1, 30, 30]]
    dataset = read(tmp_path, data)
    assert dataset.index.visible_in(0).tolist() == [False, True]
