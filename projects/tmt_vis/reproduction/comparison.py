"""Published against measured."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tmt_vis.model_zoo import PublishedRow
from tmt_vis.printing import format_table

# The metric that decides. Of the others no spread is known; they are shown beside it.
DECISIVE = "AP"


@dataclass(frozen=True)
class Comparison:
    """One number.

    Args:
        dataset: The dataset.
        metric: The metric.
        published: In percent.
        measured: In percent; NaN if nothing could be measured.
        tolerance: Largest difference allowed; None if the metric does not decide.
    """

    dataset: str
    metric: str
    published: float
    measured: float
    tolerance: float | None

    @property
    def difference(self) -> float:
        """Measured minus published."""
        return self.measured - self.published

    @property
    def within(self) -> bool | None:
        """Whether the difference is tolerable; None if the metric does not decide."""
        if self.tolerance is None:
            return None
        # Published numbers have one decimal: 0.1 + 0.2 must not decide.
        return round(abs(self.difference), 6) <= self.tolerance


def compare(row: PublishedRow, metrics: Mapping[str, float]) -> list[Comparison]:
    """Compare the outcome of a test with what was published.

    Args:
        row: What was published.
        metrics: ``DATASET/METRIC`` -> fraction, of the datasets with ground truth.

    Returns:
        One entry per published number that was measured.
    """
    return [
        Comparison(
            dataset=dataset,
            metric=metric,
            published=number,
            measured=100 * metrics[f"{dataset}/{metric}"],
            tolerance=row.tolerances[dataset] if metric == DECISIVE else None,
        )
        for dataset, numbers in row.published.items()
        for metric, number in numbers.items()
        if f"{dataset}/{metric}" in metrics
    ]


def format_comparisons(comparisons: Iterable[Comparison]) -> str:
    """Lay comparisons out as a text table, in percent."""
    header = (
        "dataset",
        "metric",
        "published",
        "measured",
        "difference",
        "tolerance",
        "within tolerance",
    )
    return format_table(header, [_cells(item) for item in comparisons], left=2)


def _cells(item: Comparison) -> tuple[str, ...]:
    measured = math.isfinite(item.measured)
    verdict = {None: "-", True: "yes", False: "NO"}[item.within]
    return (
        item.dataset,
        item.metric,
        f"{item.published:.1f}",
        f"{item.measured:.1f}" if measured else "-",
        f"{item.difference:+.1f}" if measured else "-",
        "-" if item.tolerance is None else f"{item.tolerance:.1f}",
        verdict,
    )
