"""Published numbers: what they are, and the test that should give them again."""

from .command import Request, describe, list_rows, plan, reproduce, train_command
from .comparison import Comparison, compare, format_comparisons
from .official_test import ReproductionError, check_data, official_config
from .surplus import check_surplus
from .zoo_page import model_zoo_page

__all__ = [
    "Comparison",
    "ReproductionError",
    "Request",
    "check_data",
    "check_surplus",
    "compare",
    "describe",
    "format_comparisons",
    "list_rows",
    "model_zoo_page",
    "official_config",
    "plan",
    "reproduce",
    "train_command",
]
