"""Matching of predictions and ground truth."""

from .match_costs import bce_cost, class_cost, dice_cost, mask_costs
from .taxo_hungarian_assigner import TaxoHungarianAssigner

__all__ = ["TaxoHungarianAssigner", "bce_cost", "class_cost", "dice_cost", "mask_costs"]
