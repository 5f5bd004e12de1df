"""Is a dataset what its annotation file says? All problems at once, and its numbers."""

from .annotation_splitter import Part
from .checker import CheckReport, check_dataset
from .statistics import statistics_lines

__all__ = ["CheckReport", "Part", "check_dataset", "statistics_lines"]
