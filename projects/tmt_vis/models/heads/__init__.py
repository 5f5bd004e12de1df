"""Heads: one per host model."""

from .base import VideoHead
from .genvis_head import GenVISHead
from .idol_head import IDOLHead
from .tmt_vis_head import TMTVISHead
from .vita_head import VITAHead
from .vmt_head import VMTHead

__all__ = ["GenVISHead", "IDOLHead", "TMTVISHead", "VITAHead", "VMTHead", "VideoHead"]
