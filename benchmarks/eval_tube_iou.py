"""IoU of all predicted and annotated tubes of one video."""

from collections.abc import Iterator

import numpy as np

from tmt_vis.structures import TubeRLE, tube_iou

from .common import Options, Row, Spec, Target, compare_times
from .references import evaluator
from .tubes import ellipses, per_frame_rles, shifted

SPEC = Spec(
    name="eval/tube_iou",
    reference="YTVISeval.computeIoU",
    ours="evaluation.tube_iou",
    target=Target(ratio=8),
    gating=True,
)


def run(options: Options) -> Iterator[Row]:
    """Compare on D predictions, G objects, T frames."""
    found, objects, frames = options.choose((6, 3, 4), (100, 13, 90))
    size = options.choose((20, 30), (360, 640))
    truth = ellipses(objects, frames, size)
    gts = [per_frame_rles(masks) for masks in truth]
    dts = [
        per_frame_rles(shifted(truth[[row % objects]], seed=row)[0])
        for row in range(found)
    ]
    reference = evaluator()()
    reference.params.catIds = [1]
    reference._gts[1, 1] = [dict(segmentations=entry) for entry in gts]
    reference._dts[1, 1] = [
        dict(segmentations=entry, score=-row) for row, entry in enumerate(dts)
    ]
    ours = [[TubeRLE.from_frames(e, *size) for e in entries] for entries in (dts, gts)]

    def check(a: np.ndarray, b: np.ndarray) -> str:
        assert np.array_equal(a, b), "IoUs differ"
        return "equal to the last bit"

    yield compare_times(
        SPEC,
        options,
        size=f"{found} tracks, {objects} objects, {frames} frames",
        a=lambda: reference.computeIoU(1, 1),
        b=lambda: tube_iou(*ours),
        check=check,
    )
