"""How objects keep their identity from frame to frame."""

from .embedding_tracker import (
    UNTRACKED,
    EmbeddingTracker,
    FrameDetections,
    match_tracks,
)
from .selection import select_detections
from .track_memory import TrackMemory

__all__ = [
    "UNTRACKED",
    "EmbeddingTracker",
    "FrameDetections",
    "TrackMemory",
    "match_tracks",
    "select_detections",
]
