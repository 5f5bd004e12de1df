"""Matching of predictions and ground truth."""

from .clip_box_assigner import ClipBoxAssigner, ClipBoxes
from .clip_chain import ClipChain, ClipMatches
from .match_costs import bce_cost, class_cost, dice_cost, mask_costs
from .simota import FrameBoxes, QueryMatches, QuerySimOTAAssigner
from .taxo_hungarian_assigner import TaxoHungarianAssigner, on_device, on_host, solve

__all__ = [
    "ClipBoxAssigner",
    "ClipBoxes",
    "ClipChain",
    "ClipMatches",
    "FrameBoxes",
    "QueryMatches",
    "QuerySimOTAAssigner",
    "TaxoHungarianAssigner",
    "bce_cost",
    "class_cost",
    "dice_cost",
    "mask_costs",
    "on_device",
    "on_host",
    "solve",
]
