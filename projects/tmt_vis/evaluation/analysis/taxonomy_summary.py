"""What the taxonomy compilation knows about each video, beyond how frequent things are.

A model may rank categories by how often they occur and ignore the video. Then its
recall is good where the data are skewed, and the compiled taxonomy tells the queries
nothing. Three numbers show it: the recall of one fixed ranking for all videos, the
share of the variance of scores that is between videos, and whether the score of a
category is higher where the category is (AUROC).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from ..taxonomy_record import TaxonomyRecord
from .tables import markdown_table, percent

_LEAST_PROBABILITY = 1e-6  # six digits are stored; keeps logits finite


@dataclass(frozen=True, eq=False)
class TaxonomySummary:
    """Statistics of a :class:`TaxonomyRecord`. K' = categories that have a text.

    Args:
        record: What is described.
        categories: (K',) slots of the categories described.
        num_compiled: Mean number of compiled categories per video.
        recall: Share of the categories in the videos that were compiled.
        curve: (K',) recall among the best 1 ... K' categories.
        mean_curve: (K',) the same if every video got the ranking by mean score.
        frequency_curve: (K',) the same if every video got the ranking by frequency in
            this ground truth: no fixed ranking has a better recall.
        compiled_share: (K',) share of the videos for which each was compiled.
        present_share: (K',) share of the videos that show it.
        auroc: (K',) probability that a video with the category has the higher score
            than one without; NaN if all or no videos show it.
        mean_logit: (K',) mean over videos of the logit of the score.
        std_logit: (K',) standard deviation over videos.
    """

    record: TaxonomyRecord
    categories: np.ndarray
    num_compiled: float
    recall: float
    curve: np.ndarray
    mean_curve: np.ndarray
    frequency_curve: np.ndarray
    compiled_share: np.ndarray
    present_share: np.ndarray
    auroc: np.ndarray
    mean_logit: np.ndarray
    std_logit: np.ndarray

    @property
    def names(self) -> list[str]:
        """Names of the categories described."""
        return [self.record.categories[slot] for slot in self.categories]

    @property
    def video_share(self) -> float:
        """Share of the variance of the logits that is between videos, not categories.

        0: every video gets the same scores. NaN if nothing varies.
        """
        within, between = float(np.mean(self.std_logit**2)), np.var(self.mean_logit)
        total = within + between
        return float(within / total) if total > 0 else float("nan")

    @property
    def mean_auroc(self) -> float:
        """Mean AUROC over the categories that have one; 0.5 = the score is blind."""
        return _mean(self.auroc)

    def at_compiled(self, curve: np.ndarray) -> float:
        """Read a curve at the number of compiled categories (rounded)."""
        at = int(np.clip(round(self.num_compiled), 1, len(curve))) - 1
        return float(curve[at])

    def numbers(self) -> dict[str, float]:
        """Return the numbers of the whole dataset; fractions, NaN = not measurable."""
        return {
            "num_videos": float(len(self.record)),
            "num_compiled": self.num_compiled,
            "recall": self.recall,
            "recall_of_mean_ranking": self.at_compiled(self.mean_curve),
            "recall_of_frequency_ranking": self.at_compiled(self.frequency_curve),
            "variance_between_videos": self.video_share,
            "mean_auroc": self.mean_auroc,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; NaN where nothing can be measured."""
        return {
            "dataset": self.record.dataset,
            **self.numbers(),
            "recall_at": self.curve.tolist(),
            "recall_at_of_mean_ranking": self.mean_curve.tolist(),
            "recall_at_of_frequency_ranking": self.frequency_curve.tolist(),
            "categories": [
                {
                    "name": name,
                    "compiled_share": float(self.compiled_share[i]),
                    "present_share": float(self.present_share[i]),
                    "auroc": float(self.auroc[i]),
                    "mean_logit": float(self.mean_logit[i]),
                    "std_logit": float(self.std_logit[i]),
                }
                for i, name in enumerate(self.names)
            ],
        }

    def category_table(self) -> str:
        """Write one row per category, the most often compiled first."""
        order = np.argsort(-self.compiled_share, kind="stable")
        rows = [
            [
                self.names[i],
                percent(self.compiled_share[i]),
                percent(self.present_share[i]),
                _number(self.auroc[i]),
                _number(self.mean_logit[i]),
                _number(self.std_logit[i]),
            ]
            for i in order
        ]
        header = ["category", "compiled %", "in videos %", "AUROC", "logit", "std"]
        return markdown_table(header, rows)

    def video_table(self) -> str:
        """Write one row per video: what was compiled, best first, and what was missed.

        Categories that the video shows are marked with an asterisk.
        """
        record = self.record
        rows = []
        for v, video in enumerate(record.videos):
            shown = set() if record.present is None else _slots(record.present[v])
            compiled = _slots(record.compiled[v])
            ranked = sorted(compiled, key=lambda slot, v=v: record.ranks[v, slot])
            names = [record.categories[s] + ("*" if s in shown else "") for s in ranked]
            missed = [record.categories[s] for s in sorted(shown - compiled)]
            rows.append([video, ", ".join(names), ", ".join(missed)])
        header = ["video", "compiled (* = in the video)", "missed"]
        return markdown_table(header, rows, left=3)


def summarise_taxonomy(record: TaxonomyRecord) -> TaxonomySummary:
    """Compute the statistics of a record.

    Args:
        record: Of one dataset. Without annotations, everything that needs them is NaN.

    Raises:
        ValueError: If no category was ranked for every video.
    """
    slots = np.flatnonzero((record.ranks >= 0).all(axis=0))
    if not slots.size:
        raise ValueError(
            "a taxonomy record needs a category that was ranked for each of its "
            f"videos; that of {record.dataset!r} has none among "
            f"{len(record.categories)}: let TCM rank the whole label space of each"
        )
    scores, compiled = record.scores[:, slots], record.compiled[:, slots]
    clipped = scores.clip(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    logits = np.log(clipped / (1 - clipped))
    present = None if record.present is None else record.present[:, slots]
    # With a unified vocabulary, ranks count categories of other label spaces too.
    steps = np.arange(1, record.ranks.max() + 2)
    unknown = np.full(len(slots), np.nan)
    return TaxonomySummary(
        record=record,
        categories=slots,
        num_compiled=float(record.num_compiled.mean()),
        recall=record.recall(),
        curve=np.array([record.recall(int(n)) for n in steps]),
        mean_curve=_fixed_ranking(present, logits.mean(axis=0)),
        frequency_curve=_fixed_ranking(
            present, unknown if present is None else present.mean(axis=0)
        ),
        compiled_share=compiled.mean(axis=0),
        present_share=unknown if present is None else present.mean(axis=0),
        auroc=unknown if present is None else _auroc(scores, present),
        mean_logit=logits.mean(axis=0),
        std_logit=logits.std(axis=0),
    )


def _fixed_ranking(present: np.ndarray | None, quality: np.ndarray) -> np.ndarray:
    """Compute recall@N, N = 1 ... K', of the same categories for every video."""
    if present is None or not present.any():
        return np.full(len(quality), np.nan)
    best_first = np.argsort(-quality, kind="stable")
    return np.cumsum(present.sum(axis=0)[best_first]) / present.sum()


def _auroc(scores: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Compute the AUROC of each column: (V, K') -> (K',)."""
    result = np.full(scores.shape[1], np.nan)
    for column, (values, shown) in enumerate(zip(scores.T, present.T, strict=True)):
        positives = int(shown.sum())
        negatives = len(shown) - positives
        if positives and negatives:
            above = rankdata(values)[shown].sum() - positives * (positives + 1) / 2
            result[column] = above / (positives * negatives)
    return result


def _mean(values: np.ndarray) -> float:
    measured = values[~np.isnan(values)]
    return float(measured.mean()) if measured.size else float("nan")


def _slots(row: np.ndarray) -> set[int]:
    return set(np.flatnonzero(row).tolist())


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"
