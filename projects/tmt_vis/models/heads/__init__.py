"""Heads: one per host model."""

from .base import VideoHead
from .tmt_vis_head import TMTVISHead

__all__ = ["TMTVISHead", "VideoHead"]
