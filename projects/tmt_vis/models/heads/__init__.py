"""Heads: one per host model."""

from ..clip_features import PixelFeatures
from .tmt_vis_head import TMTVISHead

__all__ = ["PixelFeatures", "TMTVISHead"]
