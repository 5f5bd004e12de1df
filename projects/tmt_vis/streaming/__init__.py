"""Videos of any length, window by window: knows tubes and vectors, and no model."""

from .feature_buffer import join_features
from .linking import LinkedObject, LinkOptions, TrackLinker
from .video_engine import VideoEngine, VideoModel, choose_plan
from .window_prediction import TrackState, WindowPrediction, WindowRequest
from .windows import Window, WindowPlan, border_between

__all__ = [
    "LinkOptions",
    "LinkedObject",
    "TrackLinker",
    "TrackState",
    "VideoEngine",
    "VideoModel",
    "Window",
    "WindowPlan",
    "WindowPrediction",
    "WindowRequest",
    "border_between",
    "choose_plan",
    "join_features",
]
