"""A picture of sample frames with the annotated masks drawn over them."""

import colorsys
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .rle import decode

ROWS, COLUMNS, ZOOM, MARGIN = 3, 4, 2, 3
FONT = cv2.FONT_HERSHEY_SIMPLEX


def _draw(
    image: np.ndarray, annotations: list[dict[str, Any]], names: dict[int, str], t: int
) -> np.ndarray:
    """Return a frame, enlarged, with outlined masks and category names."""
    picture = np.ascontiguousarray(image.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1))
    for index, annotation in enumerate(annotations):
        rle = annotation["segmentations"][t]
        if rle is None:
            continue
        mask = decode(rle).astype(np.uint8).repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
        colour = [255 * c for c in colorsys.hsv_to_rgb(index * 0.618 % 1, 1, 1)]
        edges, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, edges, -1, colour, 1)
        x, y, _, h = (round(ZOOM * v) for v in annotation["bboxes"][t])
        place = (x, max(y + h // 2, 10))
        name = names[annotation["category_id"]]
        for shade, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
            cv2.putText(picture, name, place, FONT, 0.4, shade, width, cv2.LINE_AA)
    return picture


def _tiles(root: Path, part: dict[str, Any]) -> list[np.ndarray]:
    """Return ROWS x COLUMNS frames of one split: one video per row."""
    content = json.loads((root / part["ann_file"]).read_text(encoding="utf-8"))
    names = {c["id"]: c["name"] for c in content["categories"]}
    tiles = []
    for video in content["videos"][:ROWS]:
        own = [a for a in content["annotations"] if a["video_id"] == video["id"]]
        for t in np.linspace(0, len(video["file_names"]) - 1, COLUMNS).astype(int):
            path = root / part["image_dir"] / video["file_names"][t]
            tiles.append(_draw(cv2.imread(str(path)), own, names, int(t)))
    return tiles


def write_contact_sheet(root: Path, path: Path) -> None:
    """Write a PNG of every dataset's first validation videos with their masks.

    Args:
        root: a folder ``generate`` has filled.
        path: PNG file to write.
    """
    card = json.loads((root / "dataset_card.json").read_text(encoding="utf-8"))
    rows = []
    for dataset in card["datasets"].values():
        tiles = _tiles(root, dataset["val"])
        frame = ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0))
        framed = [np.pad(tile, frame, constant_values=255) for tile in tiles]
        rows += [
            np.hstack(framed[i : i + COLUMNS]) for i in range(0, len(framed), COLUMNS)
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    _, buffer = cv2.imencode(".png", np.vstack(rows))
    path.write_bytes(buffer.tobytes())
