"""Damaged exports and native files: tools do their work, or say why not in one line."""

import contextlib
import importlib.util
import io
import json
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from helpers import foreign_annotations as foreign
from helpers.mini_vis import moving_video, native_json, write_frames
from hypothesis import strategies as st
from mutations import STRANGE, as_json, damaged_bytes, damaged_trees, fuzzed, outcome_of
from PIL import Image
from pycocotools import mask as coco_mask

TOOLS = Path(__file__).resolve().parents[2] / "tools"
FOLDER = tempfile.TemporaryDirectory()
ROOT = Path(FOLDER.name)
H, W = 12, 16


def tool_named(name: str):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


CONVERT, CHECK = tool_named("convert_dataset"), tool_named("check_dataset")
SPLIT, SPACE = tool_named("split_dataset"), tool_named("make_label_space")


def ends_well(main, *words) -> int:
    """Run a tool; anything but success or one line of an expected error is a fault."""
    out, err = io.StringIO(), io.StringIO()

    def run() -> int:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            return main([str(word) for word in words])

    status = outcome_of(run, refusals=())
    printed, said = out.getvalue(), err.getvalue()
    for text in (printed, said.rpartition("\r")[2]):  # progress bars return
        assert all(c.isprintable() or c in "\n" for c in text), repr(text)
    last = said.splitlines()[-1] if said else ""
    if status and main is CHECK and printed:
        assert "errors: " in printed and "errors: none" not in printed
    elif status:
        assert last.startswith("error: ") and "--debug" not in last, last
        assert len(last) < 2000, last[:300]
    assert "Traceback" not in said
    return status


def converted(name: str, *words) -> None:
    """Convert; what is written has to pass the checker, frames included."""
    out = ROOT / "out" / f"{name}.json"
    src, *options = words
    options = ["--overwrite", "--images", ROOT, *options]
    if ends_well(CONVERT, name, src, out, *options) == 0:
        content = json.loads(out.read_text())
        assert any(not entry["iscrowd"] for entry in content["annotations"])
        assert ends_well(CHECK, "--ann", out, "--img-prefix", ROOT, "--decode") == 0


def native() -> dict:
    """A video of two objects, with its frames."""
    rng = np.random.default_rng(0)
    names = [f"barn/frame_{t:06d}.png" for t in range(3)]
    (ROOT / "barn").mkdir(exist_ok=True)
    for name in names:
        cv2.imwrite(str(ROOT / name), np.zeros((H, W, 3), np.uint8))
    videos = [dict(id=1, height=H, width=W, file_names=names)]
    annotations = []
    for number in (1, 2):
        masks = rng.random((3, H, W)) < 0.3
        masks &= np.arange(W) // (W // 2) == number - 1  # they do not overlap
        rles = [coco_mask.encode(np.asfortranarray(m, np.uint8)) for m in masks]
        segmentations = [{**rle, "counts": rle["counts"].decode()} for rle in rles]
        annotations.append(
            dict(id=number, video_id=1, category_id=number, segmentations=segmentations)
        )
    categories = [dict(id=1, name="hen"), dict(id=2, name="red cow")]
    return dict(videos=videos, categories=categories, annotations=annotations)


DATA = native()
foreign.write_coco(ROOT / "coco", DATA)
COCO = json.loads((ROOT / "coco" / "all.json").read_text())
for entry in COCO["annotations"]:
    entry |= dict(iscrowd=1, ignore=0, bbox=[1, 1, 4, 4])
COCO["annotations"][0]["segmentation"] = [[1, 1, 9, 1, 9, 9]]
COCO["annotations"][1].pop("segmentation")
COCO["videos"] = [dict(id=1, name="barn")]
COCO_TEXT = as_json(COCO)


def coco(content: bytes) -> None:
    (ROOT / "coco" / "all.json").write_bytes(content)
    converted("coco", ROOT / "coco")


test_coco_trees = fuzzed(lambda t: coco(as_json(t)), damaged_trees(COCO), cases=40)
test_coco_bytes = fuzzed(coco, damaged_bytes(COCO_TEXT), cases=30)

foreign.write_labelme(ROOT / "labelme", DATA)
LABELME_PATH = ROOT / "labelme" / "barn" / "label_1.json"
LABELME = json.loads(LABELME_PATH.read_text())
for kind in ("polygon", "rectangle", "circle", "oriented_rectangle", "line", None):
    points = [[2.0, 2.0], [9.0, 3.0], [8.0, 9.0], [2.0, 8.0]]
    points = points[:2] if kind in ("rectangle", "circle", "line") else points
    row = dict(label="hen", group_id=1, points=points, shape_type=kind)
    LABELME["shapes"].append(row)


def labelme(content: bytes) -> None:
    LABELME_PATH.write_bytes(content)
    converted("labelme", ROOT / "labelme")
    converted("labelme", ROOT / "labelme", "--link", "iou")


test_labelme_trees = fuzzed(
    lambda t: labelme(as_json(t)), damaged_trees(LABELME), cases=60
)
test_labelme_bytes = fuzzed(labelme, damaged_bytes(as_json(LABELME)), cases=20)


def cvat_text() -> str:
    shapes = ""
    for t in (0, 2):
        shapes += f'<box frame="{t}" outside="0" keyframe="1" xtl="{t}" ytl="2" '
        shapes += 'xbr="8" ybr="6" rotation="30.0"/>'
        shapes += f'<ellipse frame="{t}" outside="0" keyframe="1" cx="{t + 6}" cy="5" '
        shapes += 'rx="4" ry="2" rotation="350"/>'
        shapes += f'<polygon frame="{t}" outside="0" points="{t},1;9,1;9,9"/>'
        shapes += foreign.cvat_mask(t, np.eye(H, W, dtype=bool))
    tracks = f'<track id="0" label="hen">{shapes}</track>'
    tracks += '<track id="1" label="hen"><polyline frame="0" points="1,1;2,2"/></track>'
    meta = "<start_frame>0</start_frame><frame_filter>step=1</frame_filter>"
    text = foreign.cvat_xml(tracks, labels=["hen"], size=3, shape=(H, W), meta=meta)
    return text.split("\n", 1)[1]


CVAT = cvat_text()
NUMBERS = ["-1", "1e300", "nan", "1,2", "1;2", "9" * 5000, "", "x", "0", "4000000000"]
TEXTS = [*NUMBERS, *(value for value in STRANGE if isinstance(value, str))]


@st.composite
def damaged_xml(draw) -> bytes:
    """Draw copies of a CVAT file with a few elements and attributes changed."""
    root = ElementTree.fromstring(CVAT)
    for _ in range(draw(st.integers(1, 3))):
        parents = [element for element in root.iter() if len(element)]
        parent = draw(st.sampled_from(parents))
        at = draw(st.integers(0, len(parent) - 1))
        element = parent[at]
        kind = draw(
            st.sampled_from(["value", "value", "value", "delete", "copy", "tag"])
        )
        if kind == "value" and element.attrib:
            key = draw(st.sampled_from(sorted(element.attrib)))
            element.set(key, draw(st.sampled_from(TEXTS)))
        elif kind == "value":
            element.text = draw(st.sampled_from(TEXTS))
        elif kind == "delete" and element.attrib and draw(st.booleans()):
            element.attrib.pop(draw(st.sampled_from(sorted(element.attrib))))
        elif kind == "delete":
            parent.remove(element)
        elif kind == "copy":
            parent.append(element)
        else:
            tags = ["box", "mask", "ellipse", "polygon", "skeleton", "image", "track"]
            element.tag = draw(st.sampled_from(tags))
        if not len(root):
            break
    return ElementTree.tostring(root, encoding="unicode").encode("utf-8", "replace")


def cvat(content: bytes) -> None:
    (ROOT / "cvat").mkdir(exist_ok=True)
    (ROOT / "cvat" / "barn.xml").write_bytes(content)
    converted("cvat", ROOT / "cvat")


test_cvat_elements = fuzzed(cvat, damaged_xml(), cases=40)
test_cvat_bytes = fuzzed(cvat, damaged_bytes(CVAT.encode()), cases=30)


@st.composite
def index_images(draw) -> bytes:
    """Draw PNGs of many types and values, some of them damaged."""
    kinds = [("P", np.uint8), ("L", np.uint8), ("I;16", np.uint16), ("RGB", np.uint8)]
    mode, dtype = draw(st.sampled_from(kinds))
    values = st.sampled_from([0, 1, 2, 254, 255, 1001, 2001, 10000, 65535])
    chosen = np.array(draw(st.lists(values, min_size=1, max_size=4)))
    height = draw(st.sampled_from([H, H, H, H + 1, 1]))
    image = np.resize(chosen, (height, W)).astype(dtype)
    if mode == "RGB":
        image = np.repeat(image[..., None], 3, axis=2)
    picture = Image.fromarray(image)
    if mode == "P":
        picture = picture.convert("P")
    exif = Image.Exif()
    exif[274] = draw(st.sampled_from([1, 1, 1, 6]))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", exif=exif)
    content = buffer.getvalue()
    return draw(damaged_bytes(content)) if draw(st.booleans()) else content


MAP = {"barn": {"1": "hen", "2": "cow"}, "videos": {"barn": {"objects": {"1": {}}}}}
WAYS = st.sampled_from(
    [
        ["--category", "x"],
        ["--category", "x", "--binary"],
        ["--mots-classes", "car", "person"],
        ["--category-map", str(ROOT / "map.json")],
    ]
)


def masks(case) -> None:
    image, words, table = case
    (ROOT / "masks" / "barn").mkdir(parents=True, exist_ok=True)
    (ROOT / "masks" / "barn" / "frame_000001.png").write_bytes(image)
    (ROOT / "map.json").write_bytes(as_json(table))
    converted("masks", ROOT / "masks", *words)


test_index_masks = fuzzed(
    masks, st.tuples(index_images(), WAYS, damaged_trees(MAP)), cases=40
)

VIDEOS = [moving_video(1, 2), moving_video(2, 3), moving_video(3, 1)]
write_frames(ROOT, VIDEOS)
NATIVE = native_json(VIDEOS)
NATIVE["images"] = None
NATIVE_TEXT = as_json(NATIVE)


def split(content: bytes) -> None:
    (ROOT / "native.json").write_bytes(content)
    outputs = ["--out-train", ROOT / "train.json", "--out-val", ROOT / "val.json"]
    status = ends_well(
        *(SPLIT, ROOT / "native.json", "--val-fraction", 0.4, "--overwrite", *outputs)
    )
    if status == 0:
        rows = json.loads(content.decode("utf-8-sig"))["videos"]
        parts = [json.loads(path.read_text())["videos"] for path in outputs[1::2]]
        assert sum(map(len, parts)) == len(rows) and all(parts)


def look(content: bytes) -> None:
    (ROOT / "native.json").write_bytes(content)
    words = ["--ann", ROOT / "native.json", "--img-prefix", ROOT]
    ends_well(CHECK, *words)
    space = ["--name", "barn", "--out", ROOT / "space.json", "--force"]
    ends_well(SPACE, ROOT / "native.json", *space)


test_split_trees = fuzzed(lambda t: split(as_json(t)), damaged_trees(NATIVE), cases=40)
test_split_bytes = fuzzed(split, damaged_bytes(NATIVE_TEXT), cases=20)
test_check_trees = fuzzed(lambda t: look(as_json(t)), damaged_trees(NATIVE), cases=40)
test_check_bytes = fuzzed(look, damaged_bytes(NATIVE_TEXT), cases=20)
