"""Write a native dataset as labelling tools would have exported it, for tests."""

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

PALETTE = [(7 * i) % 256 for i in range(768)]
Objects = dict[str, tuple[str, np.ndarray]]  # name -> category, (T, H, W) bool


def objects_of(data: dict) -> dict[str, Objects]:
    """Decode a native file: video's first file -> objects, in file order."""
    names = {c["id"]: c["name"] for c in data["categories"]}
    videos = {}
    for video in data["videos"]:
        size = (video["height"], video["width"])
        found: Objects = {}
        for entry in data["annotations"]:
            if entry["video_id"] != video["id"]:
                continue
            frames = [
                np.zeros(size, bool) if item is None else decode(item)
                for item in entry["segmentations"]
            ]
            name = str(len(found) + 1)
            found[name] = (names[entry["category_id"]], np.stack(frames))
        videos[video["file_names"][0]] = found
    return videos


def decode(rle: dict) -> np.ndarray:
    """Decode one RLE to (H, W) bool."""
    return coco_mask.decode(rle).astype(bool)


def same_objects(first: dict, second: dict) -> None:
    """Assert that two native files hold the same videos, categories and masks."""
    left, right = objects_of(first), objects_of(second)
    assert list(left) == list(right) and left
    for video, objects in left.items():
        assert [c for c, _ in objects.values()] == [c for c, _ in right[video].values()]
        for (_, expected), (_, got) in zip(
            objects.values(), right[video].values(), strict=True
        ):
            np.testing.assert_array_equal(expected, got)


def row_runs(mask: np.ndarray) -> list[int]:
    """Return run lengths in row order, background first."""
    flat = mask.ravel()
    cuts = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *cuts, flat.size]).tolist()
    return [0, *runs] if flat[0] else runs


def _video_parts(data: dict):
    objects = objects_of(data)
    for video in data["videos"]:
        folder = video["file_names"][0].rpartition("/")[0]
        yield folder, video, objects[video["file_names"][0]]


def cvat_mask(t: int, mask: np.ndarray) -> str:
    """Write a mask as CVAT does: a crop with row runs, or the outside mark."""
    outside = int(not mask.any())
    if outside:
        left, top, crop = 0, 0, np.zeros((1, 1), bool)
    else:
        rows, columns = np.nonzero(mask)
        left, top = int(columns.min()), int(rows.min())
        crop = mask[top : rows.max() + 1, left : columns.max() + 1]
    runs = ", ".join(map(str, row_runs(crop)))
    return (
        f'<mask frame="{t}" keyframe="1" outside="{outside}" occluded="0" '
        f'rle="{runs}" left="{left}" top="{top}" width="{crop.shape[1]}" '
        f'height="{crop.shape[0]}" z_order="0"/>'
    )


def cvat_xml(
    tracks: str, *, labels: list[str], size: int, shape: tuple[int, int], meta: str = ""
) -> str:
    """Write the frame of a CVAT file around tracks."""
    rows = "".join(f"<label><name>{name}</name></label>" for name in labels)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
        f"<meta><task><size>{size}</size><mode>interpolation</mode>{meta}"
        f"<labels>{rows}</labels><original_size><width>{shape[1]}</width>"
        f"<height>{shape[0]}</height></original_size></task></meta>{tracks}"
        "</annotations>"
    )


def write_cvat(out: Path, data: dict) -> None:
    """Write one XML with mask tracks per video."""
    labels = [c["name"] for c in data["categories"]]
    for folder, video, objects in _video_parts(data):
        tracks = ""
        for name, (category, masks) in objects.items():
            inner = "".join(cvat_mask(t, mask) for t, mask in enumerate(masks))
            tracks += f'<track id="{name}" label="{category}">{inner}</track>'
        shape = (video["height"], video["width"])
        size = len(video["file_names"])
        text = cvat_xml(tracks, labels=labels, size=size, shape=shape)
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{folder}.xml").write_text(text)


def write_labelme(out: Path, data: dict) -> None:
    """Write one JSON with mask shapes per frame that shows an object."""
    for folder, video, objects in _video_parts(data):
        (out / folder).mkdir(parents=True, exist_ok=True)
        for t, file_name in enumerate(video["file_names"]):
            shown = {n: (c, m[t]) for n, (c, m) in objects.items() if m[t].any()}
            shapes = [_labelme_mask(n, c, m) for n, (c, m) in shown.items()]
            if not shapes:
                continue
            content = dict(
                version="5.4.1",
                shapes=shapes,
                imagePath=f"..\\frames\\{Path(file_name).name}",
                imageHeight=video["height"],
                imageWidth=video["width"],
            )
            path = out / folder / f"label_{t}.json"  # imagePath says which frame
            path.write_text(json.dumps(content))


def _labelme_mask(name: str, category: str, mask: np.ndarray) -> dict:
    rows, columns = np.nonzero(mask)
    top, left, bottom, right = rows.min(), columns.min(), rows.max(), columns.max()
    crop = mask[top : bottom + 1, left : right + 1]
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "PNG")
    return dict(
        label=category,
        group_id=int(name),
        shape_type="mask",
        points=[[float(left), float(top)], [float(right), float(bottom)]],
        mask=base64.b64encode(buffer.getvalue()).decode(),
    )


def write_coco(out: Path, data: dict) -> None:
    """Write one COCO JSON for all frames, with track ids in ``attributes``."""
    images, annotations = [], []
    for _, video, objects in _video_parts(data):
        for t, file_name in enumerate(video["file_names"]):
            image_id = len(images) + 1
            image = dict(id=image_id, file_name=file_name, frame_id=t)
            images.append(image | {k: video[k] for k in ("height", "width")})
            for name, (category, masks) in objects.items():
                if masks[t].any():
                    rle = coco_mask.encode(np.asfortranarray(masks[t], np.uint8))
                    category_id = next(
                        c["id"] for c in data["categories"] if c["name"] == category
                    )
                    annotations.append(
                        dict(
                            id=len(annotations) + 1,
                            image_id=image_id,
                            category_id=category_id,
                            segmentation={**rle, "counts": rle["counts"].decode()},
                            attributes=dict(track_id=int(name)),
                        )
                    )
    images.reverse()  # the order must come from frame_id
    content = dict(
        images=images, annotations=annotations, categories=data["categories"]
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / "all.json").write_text(json.dumps(content))


def write_index_masks(out: Path, data: dict) -> dict[str, dict[str, str]]:
    """Write palette PNGs per frame; return the category map."""
    categories: dict[str, dict[str, str]] = {}
    for folder, video, objects in _video_parts(data):
        (out / folder).mkdir(parents=True, exist_ok=True)
        categories[folder] = {name: c for name, (c, _) in objects.items()}
        for t, file_name in enumerate(video["file_names"]):
            values = np.zeros((video["height"], video["width"]), np.uint8)
            for name, (_, masks) in objects.items():
                values[masks[t]] = int(name)
            image = Image.fromarray(values, mode="P")
            image.putpalette(PALETTE)
            image.save(out / folder / f"{Path(file_name).stem}.png")
    return categories
