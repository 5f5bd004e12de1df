"""The outcome of an evaluation, and the numbers papers print from it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class APTable:
    """Precision and recall of every category.

    NaN marks what cannot be measured because no object was there.

    Args:
        precision: (K, A, I, R) float64 in [0, 1], at the largest number of tracks.
        recall: (K, A, I, M) float64 in [0, 1].
        num_objects: (K,) int64, annotated objects, crowd regions not counted.
        num_tracks: (K,) int64, predicted tracks that took part.
        iou_thresholds: (I,).
        groups: A names of groups of objects, the first is that of all.
        max_tracks: M numbers of tracks per video and category.
    """

    precision: np.ndarray
    recall: np.ndarray
    num_objects: np.ndarray
    num_tracks: np.ndarray
    iou_thresholds: np.ndarray
    groups: tuple[str, ...]
    max_tracks: tuple[int, ...]

    def class_ap(self, *, iou: float | None = None, group: str = "all") -> np.ndarray:
        """Return the AP of every category.

        Args:
            iou: One IoU threshold; None averages over all.
            group: Name of a group: all, s, m, l, and so, mo, ho if the file has them.

        Returns:
            (K,) float64 in [0, 1], NaN for categories without an object.

        Raises:
            ValueError: If ``iou`` was not measured.
        """
        precision = self.precision[:, self.groups.index(group)]
        if iou is None:
            return precision.mean(axis=(1, 2))
        at = np.flatnonzero(np.isclose(self.iou_thresholds, iou))
        if not len(at):
            raise ValueError(
                f"IoU threshold {iou} was not measured, only {self.iou_thresholds}"
            )
        return precision[:, at[0]].mean(axis=1)

    def ap(
        self,
        *,
        iou: float | None = None,
        group: str = "all",
        slots: np.ndarray | None = None,
    ) -> float:
        """Average the AP over the categories that have objects.

        Args:
            iou: One IoU threshold; None averages over all.
            group: Name of a group: all, s, m, l, and so, mo, ho if the file has them.
            slots: (K,) bool, the categories to average; None means all.

        Returns:
            AP in [0, 1], NaN if none of the categories has an object.
        """
        per_class = self.class_ap(iou=iou, group=group)
        return _mean(per_class if slots is None else per_class[slots])

    def ar(self, max_tracks: int) -> float:
        """Average the recall at a number of tracks per video and category."""
        return _mean(self.recall[:, 0, :, self.max_tracks.index(max_tracks)])

    def summary(self) -> dict[str, float]:
        """Return the usual numbers: AP, AP50, AP75, AP by group, AR by track count.

        Returns:
            Name -> fraction in [0, 1], not rounded; NaN = cannot be measured.
        """
        numbers = {"AP": self.ap()}
        for percent in (50, 75):
            if np.isclose(self.iou_thresholds, percent / 100).any():
                numbers[f"AP{percent}"] = self.ap(iou=percent / 100)
        for group in self.groups[1:]:
            numbers[f"AP{group}"] = self.ap(group=group)
        for most in self.max_tracks:
            numbers[f"AR{most}"] = self.ar(most)
        return numbers


def _mean(values: np.ndarray) -> float:
    """Average what was measured; NaN (without numpy's warning) if nothing was."""
    measured = values[~np.isnan(values)]
    return float(measured.mean()) if measured.size else float("nan")
