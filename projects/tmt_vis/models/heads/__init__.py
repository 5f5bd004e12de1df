"""Heads: one per host model."""

from .base import VideoHead
from .idol_head import IDOLHead
from .tmt_vis_head import TMTVISHead

__all__ = ["IDOLHead", "TMTVISHead", "VideoHead"]
