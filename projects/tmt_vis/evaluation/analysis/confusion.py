"""Which categories are taken for which: tubes matched whatever their category."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tmt_vis.structures import tube_iou

from ..ground_truth import AnnotationFile
from ..video_tubes import GroundTruthTubes, PredictedTubes
from .tables import markdown_table, percent

MISSED = "missed"
BACKGROUND = "background"


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """Counts of tubes by what they are and what they were predicted to be.

    Args:
        names: K category names, in slot order.
        counts: (K + 1, K + 1) int64. Row = category of the object, the last one for
            tracks on no object (``background``); column = category of the track, the
            last one for objects that no track found (``missed``).
        num_duplicates: Tracks on an object that a better track had found; not counted.
        num_ignored: Tracks on a crowd region, or on no object and of a category that
            the video does not annotate completely; not counted.
        score_thr: Least score of a track.
        iou_thr: Least tube IoU of track and object.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    num_duplicates: int
    num_ignored: int
    score_thr: float
    iou_thr: float

    def pairs(self) -> list[tuple[str, str, int, float]]:
        """List confused categories: object, track, tubes, share of the objects."""
        confused = self.counts[:-1, :-1].copy()
        np.fill_diagonal(confused, 0)
        objects = self.counts[:-1].sum(axis=1)
        rows = [
            (
                self.names[a],
                self.names[b],
                int(confused[a, b]),
                float(confused[a, b] / objects[a]),
            )
            for a, b in np.argwhere(confused).tolist()
        ]
        return sorted(rows, key=lambda row: (-row[2], -row[3], row[0], row[1]))

    def totals(self) -> dict[str, int]:
        """Count objects and tracks by what became of them."""
        named = self.counts[:-1, :-1]
        return {
            "objects": int(self.counts[:-1].sum()),
            "right": int(np.trace(named)),
            "confused": int(named.sum() - np.trace(named)),
            MISSED: int(self.counts[:-1, -1].sum()),
            BACKGROUND: int(self.counts[-1, :-1].sum()),
            "duplicates": self.num_duplicates,
            "ignored": self.num_ignored,
        }

    def shown(self) -> tuple[list[str], list[str], np.ndarray]:
        """Leave out the categories that neither occur nor are predicted.

        Returns:
            Row titles, column titles, and the (r, c) counts.
        """
        used = self.counts[:-1].sum(axis=1) + self.counts[:, :-1].sum(axis=0) > 0
        keep = np.append(np.flatnonzero(used), len(self.names))
        names = [self.names[i] for i in keep[:-1]]
        return [*names, BACKGROUND], [*names, MISSED], self.counts[np.ix_(keep, keep)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        rows, columns, counts = self.shown()
        return {
            "score_thr": self.score_thr,
            "iou_thr": self.iou_thr,
            "totals": self.totals(),
            "rows": rows,
            "columns": columns,
            "counts": counts.tolist(),
            "pairs": [
                {"object": a, "track": b, "tubes": count, "share": share}
                for a, b, count, share in self.pairs()
            ],
        }

    def to_text(self, *, top: int = 15) -> str:
        """Write the totals and the most frequent confusions.

        Args:
            top: Pairs that are listed.
        """
        totals = ", ".join(f"{count} {name}" for name, count in self.totals().items())
        pairs = self.pairs()
        if not pairs:
            return f"{totals}\n\nno object was taken for another category"
        table = markdown_table(
            ["object", "taken for", "tubes", "% of the objects"],
            [[a, b, str(count), percent(share)] for a, b, count, share in pairs[:top]],
            left=2,
        )
        more = f"\n({len(pairs) - top} more pairs)" if len(pairs) > top else ""
        return f"{table}{more}\n\n{totals}"


def confusion_matrix(
    annotations: AnnotationFile,
    predictions: Mapping[int, PredictedTubes],
    *,
    score_thr: float = 0.3,
    iou_thr: float = 0.5,
) -> ConfusionMatrix:
    """Match tracks with objects by tube IoU alone and count their categories.

    Tracks choose by decreasing score, each the free object it overlaps most. Objects
    of crowds are not counted.

    Args:
        annotations: With ground truth.
        predictions: Tracks by video id; a video that is not named has none.
        score_thr: Least score of a track.
        iou_thr: Least tube IoU, in (0, 1].

    Raises:
        ValueError: If a threshold is out of range, or there is no ground truth.
    """
    if not 0 < iou_thr <= 1:
        raise ValueError(f"iou_thr must be in (0, 1], got {iou_thr}")
    if annotations.ground_truth is None:
        raise ValueError(f"{annotations.path} holds no annotations to compare with")
    names = annotations.label_space.names
    counts = np.zeros((len(names) + 1,) * 2, dtype=np.int64)
    extra = np.zeros(2, dtype=np.int64)
    for video_id, truth in annotations.ground_truth.items():
        tracks = predictions.get(video_id, PredictedTubes.none())
        extra += _count_video(counts, truth, tracks, score_thr, iou_thr)
    return ConfusionMatrix(
        names=names,
        counts=counts,
        num_duplicates=int(extra[0]),
        num_ignored=int(extra[1]),
        score_thr=score_thr,
        iou_thr=iou_thr,
    )


def _count_video(
    counts: np.ndarray,
    truth: GroundTruthTubes,
    tracks: PredictedTubes,
    score_thr: float,
    iou_thr: float,
) -> tuple[int, int]:
    """Add one video to the matrix; return its duplicate and ignored tracks."""
    order = np.argsort(-tracks.scores, kind="stable")
    order = order[tracks.scores[order] >= score_thr]
    iou = tube_iou([tracks.tubes[i] for i in order], truth.tubes)
    free = ~truth.is_crowd
    duplicates = ignored = 0
    for row, track in enumerate(order):
        slot = tracks.slots[track]
        overlaps = iou[row] >= iou_thr
        if (overlaps & free).any():
            best = np.where(free, iou[row], -1.0).argmax()
            counts[truth.slots[best], slot] += 1
            free[best] = False
        elif (overlaps & ~truth.is_crowd).any():
            duplicates += 1
        elif overlaps.any() or int(slot) in truth.ignored_slots:
            ignored += 1
        else:
            counts[-1, slot] += 1
    np.add.at(counts[:, -1], truth.slots[free], 1)
    return duplicates, ignored
