"""IoU of tracks over space and time."""

from collections.abc import Iterable, Sequence

import numpy as np
from pycocotools import mask as coco_mask

from .tube_rle import TubeRLE


def tube_iou(
    predictions: Sequence[TubeRLE],
    ground_truths: Sequence[TubeRLE],
    *,
    is_crowd: np.ndarray | None = None,
) -> np.ndarray:
    """Compute the IoU of every prediction with every ground truth tube.

    A tube is one RLE, so the whole matrix is one pycocotools call, or, for tubes that
    it cannot read, integer arithmetic on run lengths. The result equals the
    frame-by-frame sums of the official YouTube-VIS evaluator to the last bit.

    Args:
        predictions: D tubes.
        ground_truths: G tubes of the same H, W, T.
        is_crowd: (G,) bool; for True columns the union is replaced by the area of the
            prediction, as in COCO. None means plain IoU everywhere.

    Returns:
        (D, G) float64 in [0, 1]; 0 where both tubes are empty.

    Raises:
        ValueError: If the tubes are not all of one size.
    """
    shape = (len(predictions), len(ground_truths))
    if 0 in shape:
        return np.zeros(shape)
    tubes = [*predictions, *ground_truths]
    sizes = {(tube.height, tube.width, tube.num_frames) for tube in tubes}
    if len(sizes) > 1:
        raise ValueError(
            f"tubes must share one (height, width, num_frames), got {sorted(sizes)}; "
            "predict at the original size of the video and over all its frames"
        )
    crowd = np.zeros(shape[1], bool) if is_crowd is None else np.asarray(is_crowd, bool)
    if all(tube.is_coco_readable for tube in tubes):
        return _coco_iou(predictions, ground_truths, crowd)
    return _exact_iou(predictions, ground_truths, crowd)


def distinct_tubes(
    rows: Iterable[int], tubes: Sequence[TubeRLE], max_iou: float
) -> list[int]:
    """Keep the objects that no better one overlaps, as non-maximum suppression does.

    Args:
        rows: Indices into ``tubes``, best first; a repeated one counts once.
        tubes: Of one H, W, T.
        max_iou: Objects that overlap one that is kept by more are dropped.

    Returns:
        The rows that are kept, best first.
    """
    kept: list[int] = []
    for row in dict.fromkeys(rows):
        overlaps = tube_iou([tubes[row]], [tubes[other] for other in kept])
        if overlaps.max(initial=0.0) <= max_iou:
            kept.append(row)
    return kept


def _coco_iou(
    predictions: Sequence[TubeRLE], ground_truths: Sequence[TubeRLE], crowd: np.ndarray
) -> np.ndarray:
    return coco_mask.iou(
        [tube.as_coco() for tube in predictions],
        [tube.as_coco() for tube in ground_truths],
        crowd.astype(np.uint8).tolist(),
    )


def _exact_iou(
    predictions: Sequence[TubeRLE], ground_truths: Sequence[TubeRLE], crowd: np.ndarray
) -> np.ndarray:
    """Count in int64, for tubes that pycocotools cannot read (gaps of 2**29 pixels)."""
    starts, stops, firsts = _object_runs(ground_truths)
    intersections = np.empty((len(predictions), len(ground_truths)), dtype=np.int64)
    for row, prediction in enumerate(predictions):
        before = _pixels_before(prediction, np.stack([starts, stops]))
        total = np.concatenate([[0], np.cumsum(before[1] - before[0])])
        intersections[row] = np.diff(total[firsts])
    areas = _areas(predictions)[:, None]
    unions = np.where(crowd, areas, areas + _areas(ground_truths) - intersections)
    return intersections / np.maximum(unions, 1)


def _object_runs(
    tubes: Sequence[TubeRLE],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List first pixel and end of every object run, and where each tube's begin."""
    edges = [tube.object_runs() for tube in tubes]
    firsts = np.cumsum([0, *(len(starts) for starts, _ in edges)])
    starts, stops = (np.concatenate(side) for side in zip(*edges, strict=True))
    return starts, stops, firsts


def _pixels_before(tube: TubeRLE, positions: np.ndarray) -> np.ndarray:
    """Count the object pixels of a tube in front of each position."""
    starts, stops = tube.object_runs()
    if not len(starts):
        return np.zeros_like(positions)
    before = np.cumsum(stops - starts) - (stops - starts)
    run = np.searchsorted(starts, positions, side="right") - 1
    inside = np.minimum(positions, stops[run]) - starts[run]
    return np.where(run < 0, 0, before[run] + inside)


def _areas(tubes: Sequence[TubeRLE]) -> np.ndarray:
    return np.array([tube.area for tube in tubes], dtype=np.int64)
