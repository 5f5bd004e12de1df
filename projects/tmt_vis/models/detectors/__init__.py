"""Detectors."""

from .video_segmentor import TMTVIS, LongVideos, VideoSegmentor

__all__ = ["TMTVIS", "LongVideos", "VideoSegmentor"]
