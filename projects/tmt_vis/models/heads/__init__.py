"""Heads: one per host model."""

from .tmt_vis_head import PixelFeatures, TMTVISHead

__all__ = ["PixelFeatures", "TMTVISHead"]
