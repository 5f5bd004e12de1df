"""Files of labelling tools become native files with the same masks."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import foreign_annotations as foreign
from helpers.labelled_clips import (
    BOX,
    TRIANGLE,
    H,
    W,
    coco,
    convert,
    cvat_track,
    index,
    labelme,
    masks_of,
    one_video,
    shape,
)
from pycocotools import mask as coco_mask

from tmt_vis.dataset_tools.converters import (
    open_coco_frames,
    open_cvat_video,
    open_index_masks,
    open_labelme,
    write_native,
)
from tmt_vis.dataset_tools.converters.cvat_video import shown_shapes
from tmt_vis.dataset_tools.converters.cvat_xml import CvatShape
from tmt_vis.dataset_tools.errors import ConversionError
from tmt_vis.datasets import VISDataset
from tmt_vis.evaluation import load_annotations
from tmt_vis.taxonomy import LabelSpace


def blob(rng: np.random.Generator) -> np.ndarray:
    """Return an irregular mask with holes, often empty."""
    mask = np.zeros((H, W), bool)
    if rng.random() < 0.7:
        y, x = rng.integers(0, H - 6), rng.integers(0, W - 6)
        mask[y : y + 6, x : x + 6] = rng.random((6, 6)) < 0.7
    return mask


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    """A native dataset of two videos; their frames are written."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("native")
    categories = [dict(id=1, name="hen"), dict(id=2, name="red cow")]
    videos, annotations = [], []
    for video_id, folder in enumerate(("barn2", "barn10"), start=1):
        names = [f"{folder}/{t}.png" for t in (8, 9, 10, 11)]
        for name in names:
            (root / name).parent.mkdir(exist_ok=True)
            cv2.imwrite(str(root / name), np.zeros((H, W, 3), np.uint8))
        video = dict(id=video_id, height=H, width=W, file_names=names)
        videos.append(video | dict(length=4))
        taken = np.zeros((4, H, W), bool)
        for category_id in (2, 1, 2):
            masks = np.stack([blob(rng) for _ in names]) & ~taken
            taken |= masks
            rles = [coco_mask.encode(np.asfortranarray(m, np.uint8)) for m in masks]
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    video_id=video_id,
                    category_id=category_id,
                    segmentations=[
                        {**r, "counts": r["counts"].decode()} if m.any() else None
                        for r, m in zip(rles, masks, strict=True)
                    ],
                )
            )
    data = dict(videos=videos, categories=categories, annotations=annotations)
    return root, data


@pytest.mark.parametrize("tool", ["cvat", "labelme", "coco"])
def test_masks_survive_the_round_trip(tmp_path, native, tool):
    root, data = native
    write = getattr(foreign, f"write_{tool}")
    write(tmp_path / "export", data)
    opener = dict(cvat=open_cvat_video, labelme=open_labelme, coco=open_coco_frames)
    source = opener[tool](tmp_path / "export", images=root)
    foreign.same_objects(data, convert(source, tmp_path / "out" / "train.json"))
    assert not source.findings.counts or tool == "labelme"


def test_index_masks_survive_the_round_trip(tmp_path, native):
    root, data = native
    categories = foreign.write_index_masks(tmp_path / "masks", data)
    (tmp_path / "map.json").write_text(json.dumps(categories))
    path = tmp_path / "map.json"
    source = open_index_masks(tmp_path / "masks", images=root, category_map=path)
    foreign.same_objects(data, convert(source, tmp_path / "out" / "train.json"))


def test_the_result_is_read_by_training_and_evaluation(tmp_path, native):
    root, data = native
    foreign.write_cvat(tmp_path / "export", data)
    source = open_cvat_video(tmp_path / "export", images=root)
    out = tmp_path / "out" / "train.json"
    result = write_native(source, out, name="ranch")
    space = LabelSpace.load(out.with_name("label_space.json"))
    assert space.names == ("hen", "red cow") and space.source_ids == (1, 2)
    assert space == result.label_space or space.names == result.label_space.names
    dataset = VISDataset(name="r", label_space=space, ann_file=str(out))
    assert dataset.index.instances_per_slot.tolist() == [2, 4]
    assert not dataset.index.counts.total()
    truth = load_annotations(out, label_space=space).ground_truth
    assert [len(video.tubes) for video in truth.values()] == [3, 3]
    content = json.loads(out.read_text())
    assert [v["id"] for v in content["videos"]] == [1, 2]
    assert [v["name"] for v in content["videos"]] == ["barn2", "barn10"]
    assert [Path(f).stem for f in content["videos"][0]["file_names"]] == [
        *("8", "9", "10", "11")
    ]
    for entry in content["annotations"]:
        for item, box, area in zip(
            entry["segmentations"], entry["bboxes"], entry["areas"], strict=True
        ):
            assert (item is None) == (box is None) == (area is None)
            if item:
                mask = foreign.decode(item)
                rows, columns = np.nonzero(mask)
                assert area == mask.sum()
                assert box[:2] == [columns.min(), rows.min()]
                assert box[2] == columns.max() - columns.min() + 1
                assert box[3] == rows.max() - rows.min() + 1


def test_an_existing_label_space_keeps_its_ids(tmp_path, native):
    root, data = native
    foreign.write_cvat(tmp_path / "export", data)
    path = tmp_path / "space.json"
    rows = [dict(source_id=7, name="Red_Cow"), dict(source_id=9, name="hen")]
    path.write_text(json.dumps(dict(name="farm", categories=rows)))
    source = open_cvat_video(tmp_path / "export", images=root)
    out = tmp_path / "out" / "val.json"
    content = convert(source, out, label_space=LabelSpace.load(path))
    assert [e["category_id"] for e in content["annotations"]] == [7, 9, 7] * 2
    assert not out.with_name("label_space.json").exists()
    rows.pop()
    path.write_text(json.dumps(dict(name="farm", categories=rows)))
    source = open_cvat_video(tmp_path / "export", images=root)
    with pytest.raises(ConversionError, match="no category 'hen'.*add the category"):
        convert(source, out, label_space=LabelSpace.load(path))


# ---------------------------------------------------------------- CVAT


def box(frame: int, x: float, *, outside: bool = False, turn: float = 0) -> CvatShape:
    return CvatShape(frame, outside, "box", np.array([x, 2, x + 4, 6, turn]))


def polygon(frame: int, *points: tuple[float, float]) -> CvatShape:
    return CvatShape(frame, False, "polygon", np.array(points, dtype=float))


def xs(track: list[CvatShape], numbers: range) -> dict[int, float]:
    return {n: float(s[0].values.flat[0]) for n, s in shown_shapes(track, numbers)}


def test_shapes_between_keyframes_move_evenly():
    track = [box(0, 0), box(4, 8), box(6, 8, outside=True), box(8, 20)]
    assert xs(track, range(10)) == {0: 0, 1: 2, 2: 4, 3: 6, 4: 8, 5: 8, 8: 20, 9: 20}


def test_polygons_move_only_when_corners_correspond():
    same = [polygon(0, (0, 0), (4, 0), (4, 4)), polygon(2, (2, 0), (6, 0), (6, 4))]
    assert xs(same, range(3)) == {0: 0, 1: 1, 2: 2}
    more = [same[0], polygon(2, (2, 0), (6, 0), (6, 4), (2, 4))]
    assert xs(more, range(3)) == {0: 0, 1: 0, 2: 2}


def test_boxes_turn_the_short_way_round():
    track = [box(0, 0, turn=350), box(2, 0, turn=10)]
    (_, (between,)) = list(shown_shapes(track, range(3)))[1]
    assert between.values[4] % 360 == 0


def test_cvat_boxes_become_rectangles_and_are_counted(tmp_path):
    # Frame numbers of a task that takes every fifth frame from the tenth on.
    meta = "<start_frame>10</start_frame><frame_filter>step=5</frame_filter>"
    shapes = BOX.format(10, 0, 3, 7) + BOX.format(20, 1, 3, 7)
    lines = '<polyline frame="10" outside="0" points="1,1;2,2"/>'
    path = one_video(tmp_path, cvat_track(shapes, lines), meta=meta)
    source = open_cvat_video(path)
    content = convert(source, tmp_path / "train.json")
    first, held, gone = masks_of(content)
    assert first[2:6, 3:7].all() and first.sum() == 16
    assert (held == first).all() and gone is None
    assert dict(source.findings.counts) == {
        "polyline shapes, skipped": 1,
        "boxes, made rectangles": 1,
        "frames held from the keyframe before": 1,
    }
    assert content["videos"][0]["name"] == tmp_path.name


def test_cvat_polygons_fill_as_coco_polygons_do(tmp_path):
    shape = '<polygon frame="{}" outside="0" points="{}"/>'
    points = ["2.0,2.0;12.5,3.0;8.0,14.0", "4.0,2.0;14.5,3.0;10.0,14.0"]
    shapes = [shape.format(t, p) for t, p in zip((0, 2), points, strict=True)]
    source = open_cvat_video(one_video(tmp_path, cvat_track(*shapes)))
    masks = masks_of(convert(source, tmp_path / "train.json"))
    corners = [3, 2, 13.5, 3, 9, 14]  # halfway
    (rle,) = coco_mask.frPyObjects([corners], H, W)
    np.testing.assert_array_equal(masks[1], foreign.decode(rle))


def test_a_turned_box_turns_clockwise(tmp_path):
    shape = '<box frame="0" outside="0" xtl="4" ytl="8" xbr="16" ybr="10" {}/>'
    shapes = cvat_track(shape.format('rotation="45"'))
    source = open_cvat_video(one_video(tmp_path, shapes, frames=1))
    (mask,) = masks_of(convert(source, tmp_path / "train.json"))
    # Seen with y pointing down, the right end of the bar went down.
    assert mask[11, 12] and mask[6, 7] and not mask[6, 12] and not mask[11, 7]


def test_an_ellipse_covers_the_pixels_inside(tmp_path):
    shape = '<ellipse frame="0" outside="0" cx="10" cy="8" rx="4" ry="2"/>'
    source = open_cvat_video(one_video(tmp_path, cvat_track(shape), frames=1))
    (mask,) = masks_of(convert(source, tmp_path / "train.json"))
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 9, 6, 13)
    assert not mask[6, 6] and abs(mask.sum() - np.pi * 8) < 3


MASK = '<mask frame="0" outside="0" rle="{}" left="1" top="1" width="2" height="2"/>'


@pytest.mark.parametrize(
    "tracks, meta, message",
    [
        (cvat_track(MASK.format("0, 5")), "", "track 3: <mask> of frame 0 .*sum to 5"),
        (cvat_track(BOX.format(0, 0, "nan", 7)), "", "<box> of frame 0 .*finite"),
        (cvat_track(BOX.format(7, 0, 1, 7)), "", "frame 7; the frames are 0 to 2"),
        (cvat_track('<box frame="0"/>'), "", "is broken: it has no .xtl"),
        ('<image id="0"/>', "", "CVAT for images"),
        ('<track id="3"/>', "", "track 3: has no label"),
        ("<track>", "", "is not valid XML"),
        ("", "<start_frame>x</start_frame>", "<meta>: invalid literal"),
    ],
)
def test_broken_cvat_files_are_refused(tmp_path, tracks, meta, message):
    path = one_video(tmp_path, tracks, meta=meta)
    with pytest.raises(ConversionError, match=message):
        convert(open_cvat_video(path), tmp_path / "train.json")
    assert not (tmp_path / "train.json").exists()


@pytest.mark.parametrize(
    "change, message",
    [
        (("<size>3", "<size>4"), "has 4 frames but .*images holds 3"),
        (("<width>30", "<width>31"), "labelled at 20x31 .*is 20x30"),
        (("<meta>", "<meta><project/>"), "export its tasks one by one"),
        (("meta>", "head>"), "has no <meta>"),
    ],
)
def test_cvat_files_that_do_not_fit_the_frames_are_refused(tmp_path, change, message):
    path = one_video(tmp_path, cvat_track(BOX.format(0, 0, 1, 7)))
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(ConversionError, match=message):
        convert(open_cvat_video(path), tmp_path / "train.json")


def test_entities_are_refused_before_they_expand(tmp_path):
    path = one_video(tmp_path, "")
    bomb = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]>\n<annotations>'
    path.write_text(path.read_text().replace("<annotations>", bomb))
    with pytest.raises(ConversionError, match="declares a document type .*refused"):
        open_cvat_video(path)


def test_missing_frames_say_how_to_extract_them(tmp_path):
    path = one_video(tmp_path, "")
    with pytest.raises(ConversionError, match="ffmpeg .*frame_%06d.png.*--images"):
        convert(open_cvat_video(path, images=tmp_path / "no"), tmp_path / "t.json")


# ---------------------------------------------------------------- LabelMe


def test_labelme_shapes_of_one_group_are_united(tmp_path):
    square = [[2, 2], [6, 2], [6, 6], [2, 6]]
    root = labelme(
        tmp_path,
        shape(None, square),
        shape("rectangle", [[14, 6], [10, 2]]),
        shape("circle", [[24, 10], [24, 13]]),
        shape("line", [[1, 1], [2, 2]]),
        shape("polygon", square, label="cow"),  # the same number, another object
        shape("polygon", square, group_id=0),
    )
    source = open_labelme(root)
    content = convert(source, tmp_path / "train.json")
    united, gone = masks_of(content)
    expected = np.zeros((H, W), bool)
    expected[2:6, 2:6] = expected[2:6, 10:14] = True
    assert (united[:, :18] == expected[:, :18]).all() and gone is None
    assert united[7:13, 21:27].sum() == pytest.approx(np.pi * 9, abs=4)
    assert len(content["annotations"]) == 3
    assert [c["name"] for c in content["categories"]] == ["cow", "hen"]
    assert dict(source.findings.counts) == {
        "rectangles, taken as masks": 1,
        "line shapes, skipped": 1,
        "frames without a JSON file, without objects": 1,
    }


@pytest.mark.parametrize(
    "entry, fields, message",
    [
        (shape("polygon", TRIANGLE, group_id=None), {}, "no group id.*Group ID"),
        (shape("polygon", TRIANGLE[:2]), {}, "polygon needs 3 points, got 2"),
        (shape("polygon", [[0, float("nan")]] * 3), {}, "finite pairs"),
        (shape("star", TRIANGLE), {}, "shape_type 'star' is not known"),
        (shape("mask", TRIANGLE) | dict(mask="!!"), {}, "broken mask image"),
        (shape("polygon", TRIANGLE), dict(imagePath="a.png"), None),
        (shape("polygon", TRIANGLE), dict(imageWidth=31), "20x31.*0.png is 20x30"),
        ("text", {}, r"shapes\[0\]: 'label' must be a text"),
        (shape("polygon", TRIANGLE), dict(shapes=None), "'shapes' must be a list"),
    ],
)
def test_broken_labelme_files_are_refused(tmp_path, entry, fields, message):
    root = labelme(tmp_path, entry, **fields)
    if message is None:  # its own name tells the frame when imagePath does not
        assert convert(open_labelme(root), tmp_path / "t.json")["annotations"]
        return
    with pytest.raises(ConversionError, match=message):
        convert(open_labelme(root), tmp_path / "t.json")


def test_labelme_files_without_their_image_are_refused(tmp_path):
    root = labelme(tmp_path, shape("polygon", TRIANGLE), imagePath="a.png")
    (root / "clip" / "0.json").rename(root / "clip" / "7.json")
    with pytest.raises(ConversionError, match="neither its image 'a.png' nor one"):
        convert(open_labelme(root), tmp_path / "t.json")


def test_frames_of_two_sizes_are_refused(tmp_path):
    root = labelme(tmp_path, shape("polygon", TRIANGLE))
    cv2.imwrite(str(root / "clip" / "1.png"), np.zeros((H, W + 1, 3), np.uint8))
    with pytest.raises(ConversionError, match="one size: 0.png is 20x30 .* 20x31"):
        convert(open_labelme(root), tmp_path / "t.json")


# ---------------------------------------------------------------- COCO


def test_coco_boxes_without_masks_are_counted(tmp_path):
    source = open_coco_frames(coco(tmp_path))
    content = convert(source, tmp_path / "train.json")
    (video,) = content["videos"]
    assert video["file_names"] == ["clip/9.png", "clip/10.png"]
    for mask in masks_of(content):
        assert mask[2:6, 1:4].all() and mask.sum() == 12
    assert source.findings.counts == {"boxes without a mask, made rectangles": 2}


def test_coco_parts_of_one_frame_are_united(tmp_path):
    src = coco(tmp_path)
    path = tmp_path / "clip" / "9.json"
    content = json.loads(path.read_text())
    content["annotations"].append(content["annotations"][0] | dict(bbox=[8, 2, 2, 2]))
    path.write_text(json.dumps(content))
    first, second = masks_of(convert(open_coco_frames(src), tmp_path / "t.json"))
    assert first.sum() == 16 and second.sum() == 12


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(track_id=None), "has no track_id, instance_id, group_id"),
        (dict(category_id=4), r"category_id 4 is not among the categories \[3\]"),
        (dict(image_id=4), "image_id 4 is not among the images"),
        (dict(bbox=None), "neither segmentation nor bbox"),
        (dict(bbox=[1, 2]), "broken bbox"),
        (dict(segmentation=dict(size=[2, 2], counts=[4])), r"has size \[2, 2\]"),
        (dict(segmentation=dict(size=[H, W], counts="54")), "do not fill the frame"),
    ],
)
def test_broken_coco_files_are_refused(tmp_path, changes, message):
    with pytest.raises(ConversionError, match=message):
        convert(open_coco_frames(coco(tmp_path, **changes)), tmp_path / "t.json")


def test_coco_tracks_have_one_category(tmp_path):
    src = coco(tmp_path)
    path = tmp_path / "clip" / "10.json"
    path.write_text(path.read_text().replace("hen", "cow"))
    with pytest.raises(ConversionError, match="track a is 'cow' here and 'hen' before"):
        convert(open_coco_frames(src), tmp_path / "t.json")


def test_coco_videos_are_named_by_the_file(tmp_path):
    src = coco(tmp_path)
    path = tmp_path / "clip" / "10.json"
    content = json.loads(path.read_text())
    content["videos"] = [dict(id=4, name="elsewhere")]
    content["images"][0] |= dict(video_id=4, file_name="clip/10.png")
    path.write_text(json.dumps(content))
    videos = convert(open_coco_frames(src), tmp_path / "t.json")["videos"]
    assert [video["name"] for video in videos] == ["clip", "elsewhere"]


# ---------------------------------------------------------------- index masks


def test_index_values_are_objects_but_0_and_255(tmp_path):
    values = np.zeros((H, W), np.uint8)
    values[:3, :4], values[5:7, :2], values[9:] = 3, 1, 255
    options = index(tmp_path, values)
    source = open_index_masks(**options, category="object")
    content = convert(source, tmp_path / "train.json")
    areas = [entry["areas"] for entry in content["annotations"]]
    assert areas == [[None, 4], [None, 12]]
    assert source.findings.counts == {
        "index images with ignored pixels (255)": 1,
        "frames without an index image, without objects": 1,
    }


@pytest.mark.parametrize("content", [{"a": {"1": "hen"}}, {"3": "hen"}, {"3": 4}])
def test_index_masks_need_a_category_for_every_object(tmp_path, content):
    values = np.full((H, W), 3, np.uint8)
    options = index(tmp_path, values)
    path = tmp_path / "map.json"
    path.write_text(json.dumps(content))
    source = open_index_masks(**options, category_map=path)
    if content.get("3") == "hen":
        assert convert(source, tmp_path / "t.json")["categories"][0]["name"] == "hen"
        return
    with pytest.raises(ConversionError, match="nothing about object 3 of video 'a'"):
        convert(source, tmp_path / "t.json")


def test_broken_index_masks_are_refused(tmp_path):
    def refused(message: str, **options) -> None:
        with pytest.raises(ConversionError, match=message):
            convert(open_index_masks(**options), tmp_path / "t.json")

    options = index(tmp_path, np.zeros((H, W + 1), np.uint8)) | dict(category="x")
    refused("is 20x31 .*its frame is 20x30", **options)
    refused("no folder .*/a with its frames", **options | dict(images=tmp_path))
    refused("one of --category", src=options["src"])
    index(tmp_path, np.zeros((H, W, 3), np.uint8), mode="RGB")
    refused("values are object numbers, got RGB", **options)
    (tmp_path / "Annotations" / "a" / "1.png").write_bytes(b"no image")
    refused("is not a readable image", **options)
    (tmp_path / "Annotations" / "a" / "1.png").rename(
        tmp_path / "Annotations" / "a" / "5.png"
    )
    refused("has no frame of that name", **options)


# ---------------------------------------------------------------- the tool


def test_the_tool_reports_and_protects_what_exists(tmp_path, load_tool, capsys):
    tool = load_tool("convert_dataset")
    path = one_video(tmp_path, cvat_track(BOX.format(0, 0, 1, 7)))
    out = tmp_path / "My Ranch" / "train.json"
    assert tool.main(["cvat", str(path), str(out)]) == 0
    printed = capsys.readouterr().out
    assert "1 videos, 3 frames, 1 objects, 3 masks" in printed
    assert "boxes, made rectangles: 1\n      track 3 of" in printed
    assert LabelSpace.load(out.with_name("label_space.json")).name == "my_ranch"
    before = out.read_text()
    assert tool.main(["cvat", str(path), str(out)]) == 1
    assert "train.json exists; give another name" in capsys.readouterr().err
    val = ["cvat", str(path), str(out.with_name("val.json"))]
    assert tool.main(val) == 1
    assert "use its ids with --label-space" in capsys.readouterr().err
    space = str(out.with_name("label_space.json"))
    assert tool.main([*val, "--label-space", space]) == 0
    capsys.readouterr()
    path.write_text("<a>")
    assert tool.main(["cvat", str(path), str(out), "--overwrite"]) == 1
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1 and "not valid XML" in error[0]
    assert out.read_text() == before
