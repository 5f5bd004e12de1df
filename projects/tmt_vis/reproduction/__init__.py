"""Published numbers: what they are, and the test that should give them again."""

from .command import Request, describe, list_rows, plan, reproduce, train_command
from .comparison import Comparison, compare, format_comparisons
from .official_test import ReproductionError, check_data, official_config
from .preparation import PreparedCheckpoint, check_surplus, prepare_checkpoint
from .published import (
    PublicFile,
    PublishedRow,
    PublishedTable,
    PublishedTableError,
)
from .published_file import load_published
from .zoo_page import model_zoo_page

__all__ = [
    "Comparison",
    "PreparedCheckpoint",
    "PublicFile",
    "PublishedRow",
    "PublishedTable",
    "PublishedTableError",
    "ReproductionError",
    "Request",
    "check_data",
    "check_surplus",
    "compare",
    "describe",
    "format_comparisons",
    "list_rows",
    "load_published",
    "model_zoo_page",
    "official_config",
    "plan",
    "prepare_checkpoint",
    "reproduce",
    "train_command",
]
