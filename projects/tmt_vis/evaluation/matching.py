"""Which prediction found which object, at all thresholds and area ranges at once."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class TubeMatches:
    """Outcome for the tubes of one category in one video, best score first.

    Args:
        scores: (D,) float64, decreasing.
        matched: (A, I, D) bool, the prediction found an object at area range A and IoU
            threshold I.
        ignored: (A, I, D) bool, the prediction is neither right nor wrong.
        num_counted: (A,) int64, objects that should have been found.
        num_objects: Objects of any size; crowd regions are none.
    """

    scores: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray
    num_counted: np.ndarray
    num_objects: int


def match_tubes(
    iou: np.ndarray,
    *,
    counted: np.ndarray,
    is_crowd: np.ndarray,
    thresholds: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Assign predictions to objects greedily, best score first, as COCO does.

    A prediction takes the free object of highest IoU among the counted ones; only if
    none reaches the threshold, among the others. On equal IoU the later object wins. A
    crowd region stays free.

    Args:
        iou: (D, G) float64, rows ordered by decreasing score.
        counted: (A, G) bool, False = crowd or outside the area range.
        is_crowd: (G,) bool.
        thresholds: (I,) float64.

    Returns:
        matched: (A, I, D) bool, an object was found.
        on_ignored: (A, I, D) bool, it was one that does not count.
    """
    num_predictions, num_objects = iou.shape
    shape = (len(counted), len(thresholds))
    matched = np.zeros((*shape, num_predictions), dtype=bool)
    on_ignored = np.zeros_like(matched)
    limits = np.minimum(thresholds, 1 - 1e-10)  # an IoU of 1.0 passes threshold 1.0
    free = np.ones((*shape, num_objects), dtype=bool)
    # Most predictions reach no object at all; looping over the rest only is what keeps
    # this as fast as plain Python on videos with one or two objects.
    for row in np.flatnonzero((iou >= limits.min()).any(axis=1)):
        candidates = free & (iou[row] >= limits[:, None])  # (A, I, G)
        preferred = candidates & counted[:, None]
        has_preferred = preferred.any(axis=-1, keepdims=True)
        candidates = np.where(has_preferred, preferred, candidates)
        ranked = np.where(candidates, iou[row], -1.0)[..., ::-1]
        best = num_objects - 1 - ranked.argmax(axis=-1)  # (A, I)
        found = candidates.any(axis=-1)
        matched[..., row] = found
        on_ignored[..., row] = found & ~has_preferred[..., 0]
        area, limit = np.nonzero(found & ~is_crowd[best])
        free[area, limit, best[area, limit]] = False
    return matched, on_ignored
