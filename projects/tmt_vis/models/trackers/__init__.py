"""How objects keep their identity from frame to frame."""

from .embedding_tracker import (
    UNTRACKED,
    EmbeddingTracker,
    FrameDetections,
    match_tracks,
)
from .query_similarity import QuerySimilarityTracker, TrackReference
from .selection import Selection
from .track_memory import TrackMemory

__all__ = [
    "UNTRACKED",
    "EmbeddingTracker",
    "FrameDetections",
    "QuerySimilarityTracker",
    "Selection",
    "TrackMemory",
    "TrackReference",
    "match_tracks",
]
