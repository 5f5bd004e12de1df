"""What lies behind an AP: categories, confusions, the compiled taxonomy."""

from .confusion import ConfusionMatrix, confusion_matrix
from .run_comparison import CategoryContrast, Contrast, RunComparison, compare_runs
from .taxonomy_summary import TaxonomySummary, summarise_taxonomy

__all__ = [
    "CategoryContrast",
    "ConfusionMatrix",
    "Contrast",
    "RunComparison",
    "TaxonomySummary",
    "compare_runs",
    "confusion_matrix",
    "summarise_taxonomy",
]
