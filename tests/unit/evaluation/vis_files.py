"""Tiny annotation files of real label spaces, and predictions for them."""

import json

import numpy as np
import torch
from ap_reference import annotation_file, box_tube, random_case
from mmengine.structures import InstanceData

from tmt_vis.evaluation import AnnotationFile, PredictedTubes
from tmt_vis.structures import ClipDataSample

# Sparse, not in the order of the label space, spelt differently, and a subset of it.
CATEGORIES = {
    "ytvis19": [(90, "Dog"), (3, "person"), (41, "giant-panda")],
    "ovis": [(5, "vehicle"), (2, "Bird"), (9, "Person")],
}


def write_annotations(path, name, *, seed=0, with_crowd=False):
    """Write random objects of three categories; ids restart at 0 in every video."""
    file, _ = random_case(seed, with_crowd=with_crowd)
    ids = [source_id for source_id, _ in CATEGORIES[name]]
    file["categories"] = [{"id": i, "name": text} for i, text in CATEGORIES[name]]
    next_id = {}
    for row in file["annotations"]:
        row["category_id"] = ids[row["category_id"] - 1]
        row["id"] = next_id.get(row["video_id"], 0)
        next_id[row["video_id"]] = row["id"] + 1
    path.write_text(json.dumps(file))
    return str(path)


def write_simple(path, objects, *, names, num_videos=1):
    """Write (video_id, category_id, box, iscrowd) boxes that are always there."""
    rows = [
        (v, c, box_tube(box, np.ones(9)[:4]), crowd) for v, c, box, crowd in objects
    ]
    file = annotation_file(rows, num_videos=num_videos, category_ids=names)
    for category in file["categories"]:
        category["name"] = names[category["id"]]
    path.write_text(json.dumps(file))
    return str(path)


def perfect_predictions(annotations: AnnotationFile) -> dict[int, PredictedTubes]:
    """Predict what is annotated, crowds excepted."""
    return {
        video_id: PredictedTubes(
            tubes=[t for t, c in zip(v.tubes, v.is_crowd, strict=True) if not c],
            slots=v.slots[~v.is_crowd],
            scores=np.linspace(0.9, 0.5, (~v.is_crowd).sum()),
        )
        for video_id, v in annotations.ground_truth.items()
    }


def data_sample(dataset, video_id, tracks, *, label_space=None):
    """Wrap tracks as the detector delivers them."""
    sample = ClipDataSample(
        metainfo={
            "dataset": dataset,
            "label_space": label_space or dataset,
            "video_id": video_id,
        }
    )
    sample.pred_tracks = InstanceData(
        scores=torch.from_numpy(np.asarray(tracks.scores, dtype=np.float32)),
        labels=torch.from_numpy(tracks.slots),
        tubes=list(tracks.tubes),
    )
    return sample


def perfect_samples(dataset, annotations, *, label_space=None):
    return [
        data_sample(dataset, video_id, tracks, label_space=label_space)
        for video_id, tracks in perfect_predictions(annotations).items()
    ]
