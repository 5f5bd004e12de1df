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
        area_names: A names, the first is the range of everything.
        max_tracks: M numbers of tracks per video and category.
    """

    precision: np.ndarray
    recall: np.ndarray
    num_objects: np.ndarray
    num_tracks: np.ndarray
    iou_thresholds: np.ndarray
    area_names: tuple[str, ...]
    max_tracks: tuple[int, ...]

    def class_ap(self, *, iou: float | None = None, area: str = "all") -> np.ndarray:
        """Return the AP of every category.

        Args:
            iou: One IoU threshold; None averages over all.
            area: Name of an area range.

        Returns:
            (K,) float64 in [0, 1], NaN for categories without an object.

        Raises:
            ValueError: If ``iou`` was not measured.
        """
        precision = self.precision[:, self.area_names.index(area)]
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
        area: str = "all",
        slots: np.ndarray | None = None,
    ) -> float:
        """Average the AP over the categories that have objects.

        Args:
            iou: One IoU threshold; None averages over all.
            area: Name of an area range.
            slots: (K,) bool, the categories to average; None means all.

        Returns:
            AP in [0, 1], NaN if none of the categories has an object.
        """
        per_class = self.class_ap(iou=iou, area=area)
        return _mean(per_class if slots is None else per_class[slots])

    def ar(self, max_tracks: int) -> float:
        """Average the recall at a number of tracks per video and category."""
        return _mean(self.recall[:, 0, :, self.max_tracks.index(max_tracks)])

    def summary(self) -> dict[str, float]:
        """Return the usual numbers: AP, AP50, AP75, AP by size, AR by track count.

        Returns:
            Name -> fraction in [0, 1], not rounded; NaN = cannot be measured.
        """
        numbers = {"AP": self.ap()}
        for percent in (50, 75):
            if np.isclose(self.iou_thresholds, percent / 100).any():
                numbers[f"AP{percent}"] = self.ap(iou=percent / 100)
        for area in self.area_names[1:]:
            numbers[f"AP{area}"] = self.ap(area=area)
        for most in self.max_tracks:
            numbers[f"AR{most}"] = self.ar(most)
        return numbers


def _mean(values: np.ndarray) -> float:
    """Average what was measured; NaN (without numpy's warning) if nothing was."""
    measured = values[~np.isnan(values)]
    return float(measured.mean()) if measured.size else float("nan")
