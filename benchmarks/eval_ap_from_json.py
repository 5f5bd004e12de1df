"""AP of a result file, from its JSON to the numbers."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.evaluation.functional import YTVIS

from tmt_vis.evaluation import (
    VISProtocol,
    evaluate_tubes,
    load_annotations,
    read_results,
)

from .common import Options, Row, Spec, Target, compare_times
from .references import quiet, run_evaluator
from .tubes import ellipses, per_frame_rles, shifted

SPEC = Spec(
    name="eval/ap_from_json",
    reference="YTVIS + loadRes + evaluate + accumulate",
    ours="load_annotations + read_results + evaluate_tubes",
    target=Target(ratio=2),
)
STATS = dict(AP=0, AP50=1, AP75=2, AR1=6, AR10=7, AR100=8)


def make_files(
    videos: int, objects: int, found: int, frames: int, size: tuple[int, int]
) -> tuple[dict, list[dict]]:
    """Make an annotation file and results; ids begin at 1."""
    height, width = size
    entries: dict[str, Any] = dict(videos=[], annotations=[])
    entries["categories"] = [dict(id=1, name="person"), dict(id=2, name="dog")]
    results = []
    for video_id in range(1, videos + 1):
        files = [f"{video_id}/{t}.jpg" for t in range(frames)]
        entry = dict(id=video_id, height=height, width=width, length=frames)
        entries["videos"].append(dict(entry, file_names=files))
        truth = ellipses(objects, frames, size, seed=video_id)
        for n, masks in enumerate(truth):
            row = dict(video_id=video_id, category_id=1 + n % 2, iscrowd=0)
            row["id"] = len(entries["annotations"]) + 1
            areas = [int(mask.sum()) or None for mask in masks]
            row |= dict(segmentations=per_frame_rles(masks), areas=areas)
            entries["annotations"].append(dict(row, bboxes=[None] * frames))
        for n in range(found):
            masks = shifted(truth[[n % objects]], seed=n)[0]
            row = dict(video_id=video_id, category_id=1 + n % objects % 2)
            # Distinct scores: equal ones are ranked in the order of the file.
            row["score"] = 1 / (2 + n + video_id / 1000)
            results.append(dict(row, segmentations=per_frame_rles(masks)))
    return entries, results


def run(options: Options) -> Iterator[Row]:
    """Compare, without categories: all tracks meet all objects, as in UVO."""
    counts = options.choose((2, 2, 3, 3), (4, 8, 60, 30))
    size = options.choose((40, 60), (360, 640))
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("truth.json", "results.json")]
        for file, content in zip(files, make_files(*counts, size), strict=True):
            file.write_text(json.dumps(content))

        def theirs() -> np.ndarray:
            with quiet():
                annotations = YTVIS(str(files[0]))
                results = annotations.loadRes(str(files[1]))
                return run_evaluator(annotations, results, agnostic=True).stats

        def ours() -> dict[str, float]:
            annotations = load_annotations(files[0])
            table = evaluate_tubes(
                annotations.ground_truth,
                read_results(files[1], annotations),
                num_slots=2,
                protocol=VISProtocol(class_agnostic=True),
            )
            return table.summary()

        yield compare_times(
            SPEC,
            options,
            size="{} videos, {} objects, {} tracks, {} frames".format(*counts),
            a=theirs,
            b=ours,
            check=check_stats,
        )


def check_stats(a: np.ndarray, b: dict[str, float]) -> str:
    """Compare the summary numbers that both have."""
    for name, index in STATS.items():
        assert abs(a[index] - b[name]) < 1e-12, f"{name}: {b[name]} not {a[index]}"
    return f"{', '.join(STATS)} equal to 1e-12"
