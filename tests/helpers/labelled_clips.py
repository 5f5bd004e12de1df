"""Clips of one object as labelling tools export them, for tests of the converters."""

import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tmt_vis.dataset_tools.converters import write_native

from . import foreign_annotations as foreign

H, W = 20, 30


def convert(source, out: Path, **options) -> dict:
    write_native(source, out, name="ranch", **options)
    return json.loads(out.read_text())


def one_video(tmp_path: Path, tracks: str, *, frames: int = 3, meta: str = "") -> Path:
    for t in range(frames):
        (tmp_path / "images").mkdir(exist_ok=True)
        path = tmp_path / "images" / f"frame_{t:06d}.png"
        cv2.imwrite(str(path), np.zeros((H, W, 3), np.uint8))
    text = foreign.cvat_xml(
        tracks, labels=["cow"], size=frames, shape=(H, W), meta=meta
    )
    (tmp_path / "annotations.xml").write_text(text)
    return tmp_path / "annotations.xml"


def cvat_track(*shapes: str) -> str:
    return f'<track id="3" label="cow">{"".join(shapes)}</track>'


def masks_of(content: dict, annotation: int = 0) -> list[np.ndarray | None]:
    items = content["annotations"][annotation]["segmentations"]
    return [None if item is None else foreign.decode(item) for item in items]


BOX = '<box frame="{}" outside="{}" xtl="{}" ytl="2" xbr="{}" ybr="6"/>'


def labelme(tmp_path: Path, *shapes: dict, **fields) -> Path:
    folder = tmp_path / "clip"
    folder.mkdir(exist_ok=True)
    for t in (0, 1):
        image = np.zeros((H, W, 3), np.uint8)
        cv2.imwrite(str(folder / f"{t}.png"), image)
    content = dict(imagePath="0.png", imageHeight=H, imageWidth=W, shapes=list(shapes))
    (folder / "0.json").write_text(json.dumps(content | fields))
    return tmp_path


def shape(kind: str | None, points: list, *, group_id=1, label="hen") -> dict:
    return dict(shape_type=kind, points=points, group_id=group_id, label=label)


TRIANGLE = [[0, 0], [5, 0], [0, 5]]


def coco(tmp_path: Path, **changes) -> Path:
    """One file per frame, below a folder per video, with polygons."""
    for t in (9, 10):
        (tmp_path / "clip").mkdir(exist_ok=True)
        image = np.zeros((H, W, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "clip" / f"{t}.png"), image)
        row = (
            dict(id=5, image_id=t, category_id=3, track_id="a", bbox=[1, 2, 3, 4])
            | changes
        )
        content = dict(
            images=[dict(id=t, file_name=f"{t}.png")],
            categories=[dict(id=3, name="hen")],
            annotations=[{k: v for k, v in row.items() if v is not None}],
        )
        (tmp_path / "clip" / f"{t}.json").write_text(json.dumps(content))
    return tmp_path


def index(tmp_path: Path, values: np.ndarray, mode: str = "P") -> dict:
    for folder in ("Annotations/a", "JPEGImages/a"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    for t in (0, 1):
        image = np.zeros((H, W, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "JPEGImages" / "a" / f"{t}.jpg"), image)
    image = Image.fromarray(values, mode=mode)
    if mode == "P":
        image.putpalette(foreign.PALETTE)
    image.save(tmp_path / "Annotations" / "a" / "1.png")
    return dict(src=tmp_path / "Annotations")
