"""Random annotation files, and the official evaluator and ours run on them.

mmdet ships an unchanged copy of youtubevos/cocoapi's evaluator. It is loaded by path,
so that nothing of mmdet but this file is involved, and needs ``np.float`` back.
"""

import copy
import importlib.util
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

from tmt_vis.evaluation import (
    GroundTruthTubes,
    PredictedTubes,
    VISProtocol,
    evaluate_tubes,
    occlusion_score,
)
from tmt_vis.structures import TubeRLE

HEIGHT, WIDTH, FRAMES = 20, 28, 4
# The official ranges begin at 128**2; tiny frames need tiny ones to fill all three.
AREAS = {"all": (0, 1e10), "s": (0, 36), "m": (36, 64), "l": (64, 1e10)}


def reference_module(name):
    package = Path(importlib.util.find_spec("mmdet").origin).parent
    path = package / "evaluation" / "functional" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"reference_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def box_tube(box, present):
    """(T, H, W) bool: a box (y, x, h, w) that drifts to the right while present."""
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), dtype=bool)
    y, x, h, w = box
    for frame in np.flatnonzero(present):
        masks[frame, y : y + h, x + frame : x + frame + w] = True
    return masks


def segmentations(masks):
    """Official per-frame list, None where absent."""
    rles = []
    for mask in masks:
        rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        rles.append(
            {"size": rle["size"], "counts": rle["counts"].decode()}
            if mask.any()
            else None
        )
    return rles


def annotation_file(objects, *, num_videos, category_ids):
    """Build an official file from (video_id, category_id, masks, iscrowd) rows."""
    return {
        "videos": [
            {
                "id": video_id,
                "height": HEIGHT,
                "width": WIDTH,
                "length": FRAMES,
                "file_names": [f"{video_id}/{t:05d}.jpg" for t in range(FRAMES)],
            }
            for video_id in range(1, num_videos + 1)
        ],
        "categories": [{"id": i, "name": f"class {i}"} for i in category_ids],
        "annotations": [
            {
                "id": index + 1,
                "video_id": video_id,
                "category_id": category_id,
                "segmentations": segmentations(masks),
                "areas": [int(m.sum()) or None for m in masks],
                "bboxes": [None] * FRAMES,
                "iscrowd": int(crowd),
            }
            for index, (video_id, category_id, masks, crowd) in enumerate(objects)
        ],
    }


def result_entries(tracks):
    """Build official results from (video_id, category_id, masks, score) rows."""
    return [
        {
            "video_id": video_id,
            "category_id": category_id,
            "score": score,
            "segmentations": segmentations(masks),
        }
        for video_id, category_id, masks, score in tracks
    ]


def random_case(seed, *, num_videos=4, num_classes=4, with_crowd=True):
    """Draw objects and half-right tracks: gaps, ties, wrong classes, empty videos."""
    rng = np.random.default_rng(seed)
    objects, tracks = [], []
    for video_id in range(2, num_videos + 1):  # video 1 has no object
        for _ in range(rng.integers(1, 5)):
            box = rng.integers([0, 0, 3, 3], [9, 12, 11, 11])
            present = rng.random(FRAMES) < 0.75
            present[rng.integers(FRAMES)] = True
            crowd = with_crowd and rng.random() < 0.2
            category = int(rng.integers(1, num_classes))  # the last class has none
            objects.append((video_id, category, box_tube(box, present), crowd))
    for video_id, category, masks, _ in objects:
        for _ in range(rng.integers(0, 4)):
            shift = int(rng.integers(-2, 3))
            moved = np.roll(masks, shift, axis=rng.integers(1, 3))
            moved[rng.random(FRAMES) < 0.15] = False
            if rng.random() < 0.2:
                category = int(rng.integers(1, num_classes + 1))
            tracks.append((video_id, category, moved, float(rng.integers(1, 6)) / 5))
    for _ in range(3):
        box = rng.integers([0, 0, 2, 2], [9, 12, 9, 9])
        video_id = int(rng.integers(1, num_videos + 1))
        category = int(rng.integers(1, num_classes + 1))
        tracks.append((video_id, category, box_tube(box, np.ones(FRAMES)), 0.6))
    order = rng.permutation(len(tracks))
    category_ids = range(1, num_classes + 1)
    file = annotation_file(objects, num_videos=num_videos, category_ids=category_ids)
    return file, result_entries([tracks[i] for i in order])


def reference_evaluator(file, entries, *, areas=AREAS, class_agnostic=False):
    """Build the official evaluator; needs the ``np.float`` shim."""
    ytvis = reference_module("ytvis").YTVIS
    truth = ytvis(copy.deepcopy(file))
    if entries:
        found = truth.loadRes(copy.deepcopy(entries))
    else:  # loadRes fails on an empty list
        found = ytvis({**copy.deepcopy(file), "annotations": []})
    run = reference_module("ytviseval").YTVISeval(truth, found)
    run.params.areaRng = [list(area) for area in areas.values()]
    run.params.useCats = 0 if class_agnostic else 1
    return run


def tables_of(run):
    """Run the official evaluator.

    Returns:
        precision (K, A, I, R) and recall (K, A, I, M), NaN where official says -1, and
        the 12 summary numbers.
    """
    run.evaluate()
    run.accumulate()
    run.summarize()
    precision = run.eval["precision"][..., -1].transpose(2, 3, 0, 1)
    recall = run.eval["recall"].transpose(1, 2, 0, 3)
    unknown = np.full(1, np.nan)
    return (
        np.where(precision < 0, unknown, precision),
        np.where(recall < 0, unknown, recall),
        np.where(run.stats < 0, unknown, run.stats),
    )


def official_evaluation(file, entries, **options):
    """Run the official evaluator on a file; see ``tables_of``."""
    return tables_of(reference_evaluator(file, entries, **options))


def tubes_of(rows):
    return [TubeRLE.from_frames(r["segmentations"], HEIGHT, WIDTH) for r in rows]


def slots_of(rows):
    return np.array([r["category_id"] - 1 for r in rows], dtype=np.int64)


def our_evaluation(file, entries, **options):
    """Evaluate the same rows with ours; category ids are slots plus one."""
    truth, found = {}, {}
    for video_id in (video["id"] for video in file["videos"]):
        rows = [r for r in file["annotations"] if r["video_id"] == video_id]
        crowd = np.array([r["iscrowd"] for r in rows], dtype=bool)
        levels = [occlusion_score(r["occlusion"]) for r in rows if "occlusion" in r]
        truth[video_id] = GroundTruthTubes(
            tubes_of(rows),
            slots_of(rows),
            crowd,
            occlusion=np.array(levels) if levels else None,
        )
        rows = [r for r in entries if r["video_id"] == video_id]
        scores = np.array([r["score"] for r in rows], dtype=np.float64)
        found[video_id] = PredictedTubes(tubes_of(rows), slots_of(rows), scores)
    return evaluate_tubes(
        truth,
        found,
        num_slots=len(file["categories"]),
        protocol=VISProtocol(**{"area_ranges": AREAS, **options}),
    )
