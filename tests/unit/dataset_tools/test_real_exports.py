"""Exports of real labelling tools: what they mean is what comes out."""

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
from PIL import Image

from tmt_vis.dataset_tools.converters import (
    open_coco_frames,
    open_cvat_video,
    open_index_masks,
    open_labelme,
)
from tmt_vis.dataset_tools.errors import ConversionError

# ---------------------------------------------------------------- CVAT


def lefts(content: dict) -> list[int | None]:
    return [box and int(box[0]) for box in content["annotations"][0]["bboxes"]]


ELLIPSE = (
    '<ellipse frame="{}" outside="0" keyframe="1" cx="14" cy="10" rx="9" ry="3" {}/>'
)


@pytest.mark.parametrize(
    "first, last, expected",
    [
        ("", 'rotation="90"', [(18, 6), (14, 14), (6, 18)]),
        # The short way round: 350 to 370 passes 0, not 180.
        ('rotation="350"', 'rotation="10"', [None, (18, 6), None]),
    ],
)
def test_ellipses_turn(tmp_path, first, last, expected):
    shapes = ELLIPSE.format(0, first) + ELLIPSE.format(2, last)
    source = open_cvat_video(one_video(tmp_path, cvat_track(shapes)))
    boxes = convert(source, tmp_path / "t.json")["annotations"][0]["bboxes"]
    for box, size in zip(boxes, expected, strict=True):
        if size is not None:
            np.testing.assert_allclose(box[2:], size, atol=1)


def test_a_turned_ellipse_turns_clockwise(tmp_path):
    shapes = ELLIPSE.format(0, 'rotation="45"')
    source = open_cvat_video(one_video(tmp_path, cvat_track(shapes), frames=1))
    (mask,) = masks_of(convert(source, tmp_path / "t.json"))
    # Seen with y pointing down, the right end went down.
    assert mask[14, 18] and mask[5, 9] and not mask[14, 9] and not mask[5, 18]


@pytest.mark.parametrize(
    "tag, attribute, message",
    [
        ("box", 'skew="3"', "is broken: the attribute skew=3 is not known and may"),
        ("polygon", 'rotation="3"', "rotation=3 is not known"),
        ("box", 'skew="0.0" note="seen twice" score="1.0"', None),
    ],
)
def test_unknown_numbers_of_shapes_are_refused(tmp_path, tag, attribute, message):
    geometry = dict(
        box='xtl="2" ytl="2" xbr="6" ybr="6"', polygon='points="2,2;6,2;6,6"'
    )
    element = f'<{tag} frame="0" outside="0" {geometry[tag]} {attribute}/>'
    path = one_video(tmp_path, cvat_track(element))
    if message is None:
        assert convert(open_cvat_video(path), tmp_path / "t.json")["annotations"]
        return
    with pytest.raises(ConversionError, match=message):
        convert(open_cvat_video(path), tmp_path / "t.json")


def test_a_mask_larger_than_the_frame_is_refused_before_it_is_made(tmp_path):
    size = 10**6
    mask = f'<mask frame="0" outside="0" rle="0, {size**2}" left="0" top="0"'
    mask += f' width="{size}" height="{size}"/>'
    path = one_video(tmp_path, cvat_track(mask))
    with pytest.raises(ConversionError, match="larger than the frame, 20x30"):
        convert(open_cvat_video(path), tmp_path / "t.json")


DUMPED = "<dumped>2026-01-01</dumped>"


def cvat_task(
    tmp_path: Path,
    names: list[str],
    shapes: str,
    *,
    size: int,
    mode: str = "interpolation",
    meta: str = "",
) -> Path:
    """Write a task whose images have these names, each with a box at x = 2 n."""
    path = one_video(tmp_path, cvat_track(shapes), frames=size, meta=meta)
    for image in (tmp_path / "images").iterdir():
        image.unlink()
    for name in names:
        target = tmp_path / "images" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), np.zeros((H, W, 3), np.uint8))
    text = path.read_text().replace("</task>", f"</task>{DUMPED}")
    path.write_text(text.replace("interpolation", mode))
    return path


def boxes_at(numbers: list[int]) -> str:
    return "".join(BOX.format(n, 0, 2 * n, 2 * n + 2) for n in numbers)


FRAMES = [f"frame_{n:06d}.png" for n in range(13)]
STEP = "<start_frame>4</start_frame><frame_filter>step=4</frame_filter>"


@pytest.mark.parametrize(
    "numbers, size, meta, shown",
    [
        ([0, 1, 3, 4], 5, "", [0, 1, 3, 4]),  # frame 2 was deleted
        ([0, 1, 2], 4, "", [0, 1, 2]),  # the last one was
        (range(13), 3, STEP, [4, 8, 12]),  # a folder with all frames of the video
        ([4, 8, 12], 3, STEP, [4, 8, 12]),
        ([4, 12], 3, STEP, [4, 12]),
        ([0, 1, 2], 3, STEP, [4, 8, 12]),  # extracted anew and counted from 0
    ],
)
def test_frames_of_a_video_task_are_found_by_their_number(
    tmp_path, numbers, size, meta, shown
):
    names = [FRAMES[n] for n in numbers]
    path = cvat_task(tmp_path, names, boxes_at(shown), size=size, meta=meta)
    source = open_cvat_video(path)
    content = convert(source, tmp_path / "t.json")
    (video,) = content["videos"]
    assert len(video["file_names"]) == len(shown)
    assert lefts(content) == [2 * n for n in shown]
    if set(shown) <= set(numbers):
        files = [Path(name).name for name in video["file_names"]]
        assert files == [FRAMES[n] for n in shown]
    told = "videos with frames without an image, left out (deleted in CVAT)"
    assert source.findings.counts[told] == int(len(shown) < size)


def test_a_shape_of_a_frame_without_an_image_is_refused(tmp_path):
    path = cvat_task(tmp_path, [FRAMES[0], FRAMES[2]], boxes_at([0, 1, 2]), size=3)
    with pytest.raises(ConversionError, match="a shape in frame 1; .* 2 have an image"):
        convert(open_cvat_video(path), tmp_path / "t.json")


def test_a_claimed_number_of_frames_costs_nothing(tmp_path):
    path = cvat_task(tmp_path, FRAMES[:2], boxes_at([0]), size=2)
    path.write_text(path.read_text().replace("<size>2", f"<size>{10**30}"))
    assert convert(open_cvat_video(path), tmp_path / "t.json")["annotations"]


@pytest.mark.parametrize(
    "order, expected",
    [
        (None, "image 2 is frame2.png if numbers count, and frame10.png"),
        ("natural", [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]),
        # frame0, 1, 10, 11, 2, ...: CVAT's image 2 is frame10.png.
        ("lexicographic", [0, 2, 8, 10, 12, 14, 16, 18, 20, 22, 4, 6]),
    ],
)
def test_the_order_of_images_is_asked_for_where_it_matters(tmp_path, order, expected):
    names = [f"frame{n}.png" for n in range(12)]
    options = dict(size=12, mode="annotation")
    path = cvat_task(tmp_path, names, boxes_at(list(range(12))), **options)
    if order is None:
        with pytest.raises(ConversionError, match=expected):
            convert(open_cvat_video(path), tmp_path / "t.json")
        return
    content = convert(open_cvat_video(path, frame_order=order), tmp_path / "t.json")
    at = dict(zip(content["videos"][0]["file_names"], lefts(content), strict=True))
    assert [at[f"images/{name}"] for name in names] == expected


def test_the_order_of_folders_is_asked_for_by_their_names(tmp_path):
    names = [f"{n}/0.png" for n in (2, 10)]
    path = cvat_task(tmp_path, names, boxes_at([0]), size=2, mode="annotation")
    with pytest.raises(ConversionError, match="image 0 is 2/0.png .*, and 10/0.png"):
        convert(open_cvat_video(path), tmp_path / "t.json")


def test_images_in_sub_folders_are_frames(tmp_path):
    names = ["b/1.png", "a/1.png", "a/2.png"]
    path = cvat_task(tmp_path, names, boxes_at([0]), size=3, mode="annotation")
    (video,) = convert(open_cvat_video(path), tmp_path / "t.json")["videos"]
    assert video["file_names"] == [f"images/{name}" for name in sorted(names)]


@pytest.mark.parametrize(
    "shapes, expected",
    [
        # CVAT leaves out the end of a single shape in the last frame but one.
        (BOX.format(1, 0, 3, 7), [None, 3, None]),
        (BOX.format(0, 0, 3, 7), [3, 3, 3]),  # a file of keyframes only
        # CVAT lists every frame: where nothing is listed, nothing is shown.
        (BOX.format(0, 0, 3, 7).replace("/>", ' keyframe="0"/>'), [3, None, None]),
    ],
)
def test_a_shape_is_held_where_only_keyframes_are_listed(tmp_path, shapes, expected):
    source = open_cvat_video(one_video(tmp_path, cvat_track(shapes)))
    assert lefts(convert(source, tmp_path / "t.json")) == expected


def test_labels_that_the_file_does_not_list_are_named(tmp_path):
    tracks = cvat_track(BOX.format(0, 0, 3, 7)).replace("cow", "ox")
    source = open_cvat_video(one_video(tmp_path, tracks))
    with pytest.raises(ConversionError, match="track 3 of .* is 'ox'.*own list.*cow"):
        convert(source, tmp_path / "t.json")


# ---------------------------------------------------------------- COCO

RLE = dict(size=[H, W], counts=[4, 20, H * W - 24])


@pytest.mark.parametrize(
    "changes, options, flags, told",
    [
        # CVAT and Datumaro: iscrowd says that the mask is no polygon.
        (dict(iscrowd=1), {}, [0], "annotations with a track id and iscrowd 1"),
        (dict(iscrowd=True, attributes=dict(track_id=0)), {}, [0], "annotations with"),
        (dict(iscrowd=0), dict(crowd=True), [0], None),
        (dict(iscrowd=None), {}, [0], None),
    ],
)
def test_an_annotation_with_a_track_id_is_an_object(
    tmp_path, changes, options, flags, told
):
    if "attributes" in changes:
        changes["track_id"] = None
    src = coco(tmp_path, segmentation=RLE, **changes)
    source = open_coco_frames(src, **options)
    content = convert(source, tmp_path / "t.json")
    assert [entry["iscrowd"] for entry in content["annotations"]] == flags
    assert content["annotations"][0]["areas"] == [20, 20]
    assert [k for k in source.findings.counts if k.startswith(told or "annot")] == (
        [k for k in source.findings.counts] if told else []
    )


@pytest.mark.parametrize(
    "first, second, options, flags",
    [
        (dict(track_id=None, iscrowd=1), {}, {}, [1, 0]),
        (dict(ignore=1), {}, {}, [1, 0]),
        (dict(iscrowd=1), {}, dict(crowd=True), [1, 0]),
        (dict(iscrowd=1), dict(iscrowd=1), {}, [0]),
    ],
)
def test_crowd_regions_stay_apart_from_objects(tmp_path, first, second, options, flags):
    src = coco(tmp_path)
    for name, changes in (("9.json", first), ("10.json", second)):
        path = tmp_path / "clip" / name
        content = json.loads(path.read_text())
        content["annotations"][0] |= changes
        path.write_text(json.dumps(content))
    content = convert(open_coco_frames(src, **options), tmp_path / "t.json")
    assert [entry["iscrowd"] for entry in content["annotations"]] == flags


@pytest.mark.parametrize(
    "changes, options",
    [
        (dict(track_id=None, iscrowd=1), {}),
        (dict(iscrowd=1), dict(crowd=True)),
    ],
)
def test_a_file_of_crowds_only_is_refused(tmp_path, changes, options):
    source = open_coco_frames(coco(tmp_path, **changes), **options)
    with pytest.raises(ConversionError, match="crowd regions, which are never trained"):
        convert(source, tmp_path / "t.json")
    assert not (tmp_path / "t.json").exists()


@pytest.mark.parametrize("flag", ["0", "false", [0, 0], 2, 1.0])
def test_flags_that_are_none_are_refused(tmp_path, flag):
    with pytest.raises(ConversionError, match=r"annotations\[0\].*iscrowd must be"):
        convert(open_coco_frames(coco(tmp_path, iscrowd=flag)), tmp_path / "t.json")


def edit(tmp_path: Path, change) -> Path:
    """Change one of the two COCO files."""
    src = coco(tmp_path)
    path = tmp_path / "clip" / "9.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8-sig")
    return src


@pytest.mark.parametrize("track_id", [4.0, "4"])
def test_one_number_is_one_object(tmp_path, track_id):
    coco(tmp_path, track_id=4)
    path = tmp_path / "clip" / "10.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["track_id"] = track_id
    path.write_text(json.dumps(content))
    content = convert(open_coco_frames(tmp_path), tmp_path / "t.json")
    assert [entry["areas"] for entry in content["annotations"]] == [[12, 12]]


@pytest.mark.parametrize(
    "image, message",
    [
        (dict(height=float(H), width=float(W)), None),
        (dict(file_name="clip\\9.png"), None),
        (dict(frame_id="8"), "has no frame number, other images .* have one"),
        (dict(height=2.0 * H, width=2.0 * W), "labelled at 40x60 .*9.png is 20x30"),
        (dict(height=20.5), "'height' must be an integer, got 20.5"),
        (dict(height="20"), "'height' must be an integer, got '20'"),
        (dict(frame_id="first"), "'frame_id' must be an integer, got 'first'"),
        (dict(file_name="nul\0.png"), "file_name: .*null|neither"),
        (dict(id=[1]), "'id' must be a whole number or a text"),
        (dict(video_id={}), "'video_id' must be a whole number or a text"),
    ],
)
def test_fields_of_images_are_read_or_refused(tmp_path, image, message):
    src = edit(tmp_path, lambda content: content["images"][0].update(image))
    if message is None:
        content = convert(open_coco_frames(src), tmp_path / "t.json")
        assert sorted(content["videos"][0]["file_names"]) == [
            "clip/10.png",
            "clip/9.png",
        ]
        return
    with pytest.raises(ConversionError, match=message):
        convert(open_coco_frames(src), tmp_path / "t.json")


@pytest.mark.parametrize(
    "table, value, message",
    [
        ("videos", {"a": 1}, "'videos' must be a list"),
        ("videos", [[]], r"videos\[0\]: 'id' must be"),
        ("annotations", [1], r"annotations\[0\] .*must be an object"),
        ("images", [1], r"images\[0\]: 'id' must be"),
        ("categories", [1], r"categories\[0\]: 'name' must be a text"),
    ],
)
def test_entries_that_are_no_objects_are_named(tmp_path, table, value, message):
    src = edit(tmp_path, lambda content: content.update({table: value}))
    with pytest.raises(ConversionError, match=message):
        convert(open_coco_frames(src), tmp_path / "t.json")


def test_a_frame_outside_of_the_image_folder_is_refused(tmp_path):
    away = tmp_path / "away.png"
    cv2.imwrite(str(away), np.zeros((H, W, 3), np.uint8))
    root = tmp_path / "in"
    root.mkdir()
    src = edit(root, lambda c: c["images"][0].update(file_name=str(away), video="clip"))
    with pytest.raises(ConversionError, match="name the folder that all frames are in"):
        convert(open_coco_frames(src), tmp_path / "t.json")


# ---------------------------------------------------------------- LabelMe


@pytest.mark.parametrize(
    "kind", ["oriented_rectangle", "rotation", "quadrilateral", "polygon"]
)
def test_shapes_with_corners_are_polygons(tmp_path, kind):
    corners = [[8, 2], [12, 6], [8, 10], [4, 6]]
    source = open_labelme(labelme(tmp_path, shape(kind, corners)))
    mask, _ = masks_of(convert(source, tmp_path / "t.json"))
    assert mask[6, 8] and not mask[2, 4] and abs(mask.sum() - 32) < 8


@pytest.mark.parametrize(
    "entry, message",
    [
        (shape([], TRIANGLE), "'shape_type' must be a text, got"),
        (shape("polygon", TRIANGLE, group_id=[1]), "'group_id' must be a whole number"),
        (shape("polygon", [[10**400, 1]] * 3), "broken points"),
        (shape("polygon", 5), "shapes.0.: 'points' must be a list, got 5"),
        (shape("oriented_rectangle", TRIANGLE), "needs 4 points, got 3"),
        (shape("rotation", TRIANGLE), "needs 4 points, got 3"),
    ],
)
def test_broken_shapes_are_refused(tmp_path, entry, message):
    with pytest.raises(ConversionError, match=message):
        convert(open_labelme(labelme(tmp_path, entry)), tmp_path / "t.json")


def test_spellings_of_a_label_are_one_object(tmp_path):
    root = labelme(tmp_path, shape("polygon", TRIANGLE, label="Cow", group_id=1.0))
    second = dict(imagePath="1.png", shapes=[shape("polygon", TRIANGLE, label="cow")])
    (root / "clip" / "1.json").write_text(json.dumps(second))
    content = convert(open_labelme(root), tmp_path / "t.json")
    (entry,) = content["annotations"]
    assert None not in entry["areas"]


def test_shapes_without_a_number_are_linked_by_overlap(tmp_path):
    def square(x: float, label: str = "hen") -> dict:
        corners = [[x, 2], [x + 4, 2], [x + 4, 6], [x, 6]]
        return shape("polygon", corners, label=label, group_id=None)

    root = labelme(tmp_path, square(2), square(20), square(2, "cow"))
    moved = [square(21), square(10), square(3, "cow")]
    second = dict(imagePath="1.png", shapes=moved)
    (root / "clip" / "1.json").write_text(json.dumps(second))
    with pytest.raises(ConversionError, match="has no group id.*--link iou"):
        convert(open_labelme(root), tmp_path / "t.json")
    content = convert(open_labelme(root, link="iou"), tmp_path / "t.json")
    boxes = [[b and int(b[0]) for b in e["bboxes"]] for e in content["annotations"]]
    assert boxes == [[2, None], [20, 21], [2, 3], [None, 10]]


# ---------------------------------------------------------------- index masks


def values(**areas: int) -> np.ndarray:
    """A frame whose rows have these values: ``v3=2`` are two rows of 3."""
    image = np.zeros((H, W), np.int32)
    row = 0
    for name, rows in areas.items():
        image[row : row + rows] = int(name[1:])
        row += rows
    return image


@pytest.mark.parametrize(
    "content, options, expected",
    [
        (values(v255=2), {}, "hold only 0 and 255.*--binary"),
        (values(v255=2), dict(binary=True), {"object": [60]}),
        (values(v255=2, v7=1), dict(binary=True), {"object": [90]}),
        (values(v2001=2, v1003=1, v10000=3), {}, "1003: values from 1000.*MOTS"),
        (
            values(v2001=2, v1003=1, v10000=3),
            dict(mots_classes=["car", "person"]),
            {"car": [30], "person": [60]},
        ),
        (values(v3001=2), dict(mots_classes=["car"]), "class 3 of MOTS.*1 to 1"),
        (values(v5=2), dict(mots_classes=["car"]), "class 0 of MOTS"),
        (values(), {}, "no object was found in 1 videos"),
    ],
)
def test_values_of_index_images(tmp_path, content, options, expected):
    folders = index(tmp_path, content.astype(np.uint8), mode="L")
    if content.max() > 255:
        path = folders["src"] / "a" / "1.png"
        Image.fromarray(content.astype(np.uint16)).save(path)
    if "mots_classes" not in options:
        options = options | dict(category="object")
    source = open_index_masks(**folders, **options)
    if isinstance(expected, str):
        with pytest.raises(ConversionError, match=expected):
            convert(source, tmp_path / "t.json")
        return
    result = convert(source, tmp_path / "t.json")
    names = {c["id"]: c["name"] for c in result["categories"]}
    areas = {names[e["category_id"]]: e["areas"][1:] for e in result["annotations"]}
    assert areas == expected


def test_binary_masks_may_be_saved_in_colours(tmp_path):
    image = np.zeros((H, W, 4), np.uint8)
    image[..., 3] = 255  # opaque says nothing
    image[:2, :, :3] = 255
    folders = index(tmp_path, image, mode="RGBA")
    source = open_index_masks(**folders, category="object", binary=True)
    (entry,) = convert(source, tmp_path / "t.json")["annotations"]
    assert entry["areas"] == [None, 60]


def test_the_meta_json_of_youtube_vos_is_a_category_map(tmp_path):
    folders = index(tmp_path, values(v1=2, v3=1).astype(np.uint8))
    objects = {"1": dict(category="ape", frames=["1"]), "3": dict(category="zebra")}
    path = tmp_path / "meta.json"
    path.write_text(json.dumps(dict(videos={"a": dict(objects=objects)})))
    content = convert(
        open_index_masks(**folders, category_map=path), tmp_path / "t.json"
    )
    assert [c["name"] for c in content["categories"]] == ["ape", "zebra"]
    assert [e["category_id"] for e in content["annotations"]] == [1, 2]


# ---------------------------------------------------------------- all formats


def turned(path: Path, orientation: int = 6, **options) -> None:
    """Write an image that is shown as (H, W)."""
    stored = (H, W) if orientation < 5 else (W, H)
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(np.zeros((*stored, 3), np.uint8))
    image.save(path, exif=exif, **options)


@pytest.mark.parametrize("tool", ["cvat", "labelme", "coco", "masks"])
def test_sizes_are_those_of_the_pictures_as_shown(tmp_path, tool):
    if tool == "cvat":
        path = one_video(tmp_path, cvat_track(BOX.format(0, 0, 3, 7)))
        sources, opener = tmp_path / "images", lambda: open_cvat_video(path)
    elif tool == "labelme":
        root = labelme(tmp_path, shape("polygon", TRIANGLE))
        sources, opener = root / "clip", lambda: open_labelme(root)
    elif tool == "coco":
        root = coco(tmp_path)
        sources, opener = root / "clip", lambda: open_coco_frames(root)
    else:
        folders = index(tmp_path, values(v1=2).astype(np.uint8))
        sources = tmp_path / "JPEGImages" / "a"
        opener = lambda: open_index_masks(**folders, category="x")  # noqa: E731
    for image in sources.iterdir():
        if image.suffix in (".png", ".jpg"):
            turned(image)
    (video,) = convert(opener(), tmp_path / "t.json")["videos"]
    assert (video["height"], video["width"]) == (H, W)


def test_frame_files_of_several_images_are_told(tmp_path):
    root = labelme(tmp_path, shape("polygon", TRIANGLE), imagePath="0.webp")
    frames = [Image.fromarray(np.full((H, W, 3), 90 * i, np.uint8)) for i in range(2)]
    for t in (0, 1):
        (root / "clip" / f"{t}.png").unlink()
        path = root / "clip" / f"{t}.webp"
        frames[0].save(path, save_all=True, append_images=frames[1:])
    source = open_labelme(root)
    convert(source, tmp_path / "t.json")
    told = "frame files of several images, of which the first is read"
    assert source.findings.counts[told] == 2


def test_the_printed_command_is_quoted_and_names_are_escaped(
    tmp_path, load_tool, capsys
):
    tool = load_tool("convert_dataset")
    root = tmp_path / "my $HOME clips"
    shapes = [shape("line", TRIANGLE), shape("polygon", TRIANGLE)]
    root.mkdir()
    labelme(root, *shapes)
    (root / "clip").rename(root / "a\x1b[2J\nb")
    out = tmp_path / "out dir" / "train.json"
    assert tool.main(["labelme", str(root), str(out)]) == 0
    printed = capsys.readouterr().out
    assert f"--ann '{out}' --img-prefix '{root}'" in printed
    assert "\x1b" not in printed and "a\\x1b[2J\\nb" in printed
    assert foreign.objects_of(json.loads(out.read_text()))
