"""What the classes are: label spaces, their links, and their union. No torch here."""

from .bundled import bundled_names, data_root
from .errors import TaxonomyError
from .label_space import Category, LabelSpace, Link
from .overlap import (
    PAPER_TABLE9_YTVIS21,
    exact_overlap,
    linked_overlap,
    paper_table9,
)
from .prompts import DEFAULT_TEMPLATE, format_prompt
from .taxonomy import Taxonomy

__all__ = [
    "DEFAULT_TEMPLATE",
    "PAPER_TABLE9_YTVIS21",
    "Category",
    "LabelSpace",
    "Link",
    "Taxonomy",
    "TaxonomyError",
    "bundled_names",
    "data_root",
    "exact_overlap",
    "format_prompt",
    "linked_overlap",
    "paper_table9",
]
