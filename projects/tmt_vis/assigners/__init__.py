"""Matching of predictions and ground truth."""

from .match_costs import bce_cost, class_cost, dice_cost, mask_costs
from .simota import FrameBoxes, QueryMatches, QuerySimOTAAssigner
from .taxo_hungarian_assigner import TaxoHungarianAssigner

__all__ = [
    "FrameBoxes",
    "QueryMatches",
    "QuerySimOTAAssigner",
    "TaxoHungarianAssigner",
    "bce_cost",
    "class_cost",
    "dice_cost",
    "mask_costs",
]
