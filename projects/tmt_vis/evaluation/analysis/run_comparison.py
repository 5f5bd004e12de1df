"""Two runs on the same videos, category by category (Table 11 of TMT-VIS)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tmt_vis.taxonomy import Taxonomy

from ..average_precision import Progress, match_videos
from ..ground_truth import AnnotationFile
from ..protocol import VISProtocol
from ..video_tubes import PredictedTubes
from .bootstrap import draw_videos, resampled_class_ap
from .tables import markdown_table, percent


@dataclass(frozen=True)
class Contrast:
    """AP of two runs, and how sure their difference is. Fractions; NaN = no object.

    Args:
        first: AP of the first run.
        second: AP of the second run.
        low: Lower end of the 95 % interval of ``second - first``.
        high: Upper end.
    """

    first: float
    second: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """AP of the second run minus that of the first."""
        return self.second - self.first


@dataclass(frozen=True)
class CategoryContrast:
    """One category of the comparison.

    Args:
        name: Of the category.
        label_spaces: Those of the joint taxonomy that have it; empty without one.
        num_videos: Videos with an object of it.
        num_objects: Annotated tubes.
        ap: Of both runs.
    """

    name: str
    label_spaces: tuple[str, ...]
    num_videos: int
    num_objects: int
    ap: Contrast


@dataclass(frozen=True)
class RunComparison:
    """The outcome of :func:`compare_runs`.

    Args:
        names: Of the two runs.
        overall: Mean over the categories that have objects.
        groups: ``shared`` (categories of several label spaces) and ``single`` (of one);
            empty without a joint taxonomy.
        categories: Those with objects, by decreasing difference.
        share_better: Share of the resamples in which the second run is better.
        num_videos: Videos of the annotation file.
        num_samples: Resamples.
        seed: Of the resamples.
    """

    names: tuple[str, str]
    overall: Contrast
    groups: Mapping[str, Contrast]
    categories: tuple[CategoryContrast, ...]
    share_better: float
    num_videos: int
    num_samples: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; differences are ``second - first``."""
        return asdict(self)

    def to_text(self) -> str:
        """Write the table and what to know when reading it."""
        header = ["category", "in", "videos", "tubes", *self.names, "diff.", "95 %"]
        rows = [
            [c.name, "+".join(c.label_spaces), str(c.num_videos), str(c.num_objects)]
            + _cells(c.ap)
            for c in self.categories
        ]
        rows += [[f"*{k}*", "", "", "", *_cells(v)] for k, v in self.groups.items()]
        rows.append(["**all**", "", str(self.num_videos), "", *_cells(self.overall)])
        if not self.groups:
            header, rows = _without_column(1, header, rows)
        table = markdown_table(header, rows, left=2 if self.groups else 1)
        return f"{table}\n\n{self._note()}"

    def _note(self) -> str:
        first, second = self.names
        return (
            f"AP in percent; difference = {second} - {first}. Intervals: paired "
            f"bootstrap over the {self.num_videos} videos, {self.num_samples} samples, "
            f"seed {self.seed}; {second} is better in {percent(self.share_better)} % "
            "of them."
        )


def compare_runs(
    annotations: AnnotationFile,
    runs: Mapping[str, Mapping[int, PredictedTubes]],
    *,
    taxonomy: Taxonomy | None = None,
    num_samples: int = 1000,
    seed: int = 0,
    progress: Progress | None = None,
) -> RunComparison:
    """Compare the AP of two runs per category and overall.

    Intervals are percentiles of a paired bootstrap: videos are drawn with replacement,
    the same ones for both runs. They tell what other videos of the same kind would do
    to the difference, not what another training seed would.

    Args:
        annotations: With ground truth; its label space is one of ``taxonomy``.
        runs: Name -> tracks by video id, two of them.
        taxonomy: The label spaces of the training, to tell shared categories.
        num_samples: Resamples of the videos.
        seed: Of the resamples.
        progress: Called with videos done and videos in all, for each run.

    Raises:
        ValueError: If there are not two runs, or there is no ground truth.
    """
    if len(runs) != 2 or num_samples < 1:
        raise ValueError(
            "a comparison needs two runs of different names and num_samples >= 1, got "
            f"{list(runs)} and {num_samples}"
        )
    truth, num_slots = annotations.ground_truth, len(annotations.label_space)
    if truth is None:
        raise ValueError(
            f"{annotations.path} holds no annotations: only its evaluation server can "
            "compute AP"
        )
    video_ids = sorted(truth)
    drawn = draw_videos(len(video_ids), num_samples, seed=seed)
    # First the file as it is, then the resamples.
    weights = np.concatenate([np.ones((1, len(video_ids)), dtype=drawn.dtype), drawn])
    protocol = VISProtocol(area_ranges={"all": (0, 1e10)}, occlusion_ranges={})
    options = dict(num_slots=num_slots, protocol=protocol)
    class_ap = np.stack(
        [
            resampled_class_ap(
                match_videos(truth, run, progress=progress, **options),
                weights,
                video_ids=video_ids,
                **options,
            )
            for run in runs.values()
        ]
    )  # (2, 1 + B, K)
    spaces = _spaces_of_slots(annotations, taxonomy)
    slots = np.flatnonzero(~np.isnan(class_ap[0, 0]))
    overall = _mean_ap(class_ap[:, :, slots])
    return RunComparison(
        names=tuple(runs),
        overall=_contrast(overall),
        groups=_groups(class_ap, slots, spaces),
        categories=_categories(annotations, class_ap, slots, spaces),
        share_better=float((overall[1, 1:] > overall[0, 1:]).mean()),
        num_videos=len(video_ids),
        num_samples=num_samples,
        seed=seed,
    )


def _spaces_of_slots(
    annotations: AnnotationFile, taxonomy: Taxonomy | None
) -> list[tuple[str, ...]]:
    """List the label spaces of the taxonomy that have each slot's category."""
    if taxonomy is None:
        return [()] * len(annotations.label_space)
    union_ids = taxonomy.slot_to_union(annotations.label_space.name).tolist()
    return [tuple(taxonomy.source_ids(union_id)) for union_id in union_ids]


def _groups(
    class_ap: np.ndarray, slots: np.ndarray, spaces: Sequence[tuple[str, ...]]
) -> dict[str, Contrast]:
    if not any(spaces):
        return {}
    members = {
        "shared": [slot for slot in slots if len(spaces[slot]) > 1],
        "single": [slot for slot in slots if len(spaces[slot]) == 1],
    }
    return {
        name: _contrast(_mean_ap(class_ap[:, :, group]))
        for name, group in members.items()
        if group
    }


def _categories(
    annotations: AnnotationFile,
    class_ap: np.ndarray,
    slots: np.ndarray,
    spaces: Sequence[tuple[str, ...]],
) -> tuple[CategoryContrast, ...]:
    counts = np.zeros((2, len(annotations.label_space)), dtype=np.int64)
    for video in annotations.ground_truth.values():
        own = video.slots[~video.is_crowd]
        counts[0, np.unique(own)] += 1
        np.add.at(counts[1], own, 1)
    rows = [
        CategoryContrast(
            name=annotations.label_space.names[slot],
            label_spaces=spaces[slot],
            num_videos=int(counts[0, slot]),
            num_objects=int(counts[1, slot]),
            ap=_contrast(class_ap[:, :, slot]),
        )
        for slot in slots
    ]
    return tuple(sorted(rows, key=lambda row: -row.ap.difference))


def _mean_ap(class_ap: np.ndarray) -> np.ndarray:
    """Average over the categories that a resample has: (2, 1 + B, k) -> (2, 1 + B)."""
    measured = ~np.isnan(class_ap)
    count = measured.sum(axis=2)
    total = np.where(measured, class_ap, 0).sum(axis=2)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _contrast(ap: np.ndarray) -> Contrast:
    """Read both APs and the interval of their difference off (2, 1 + B) numbers."""
    difference = ap[1, 1:] - ap[0, 1:]
    measured = difference[~np.isnan(difference)]
    low, high = np.percentile(measured, [2.5, 97.5]) if len(measured) else [np.nan] * 2
    return Contrast(float(ap[0, 0]), float(ap[1, 0]), float(low), float(high))


def _cells(ap: Contrast) -> list[str]:
    interval = f"[{percent(ap.low, sign=True)}, {percent(ap.high, sign=True)}]"
    difference = percent(ap.difference, sign=True)
    return [percent(ap.first), percent(ap.second), difference, interval]


def _without_column(
    column: int, header: list[str], rows: list[list[str]]
) -> tuple[list[str], list[list[str]]]:
    return (
        header[:column] + header[column + 1 :],
        [row[:column] + row[column + 1 :] for row in rows],
    )
