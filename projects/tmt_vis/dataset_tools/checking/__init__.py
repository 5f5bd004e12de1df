"""Is a dataset what its annotation file says? All problems at once, and its numbers."""

from .checker import CheckReport, check_dataset
from .pieces import Part
from .statistics import statistics_lines

__all__ = ["CheckReport", "Part", "check_dataset", "statistics_lines"]
