"""Videos of any length to named tracks, in the memory of one window."""

from tmt_vis.streaming import (
    LinkedObject,
    LinkOptions,
    TrackLinker,
    VideoEngine,
    Window,
    WindowPlan,
    WindowPrediction,
)

from .devices import default_device, usable_device
from .errors import FrameSourceError, InferenceError
from .frame_sources import ArrayFrames, FrameSource, ImageFiles
from .free_vocabulary import build_vocabulary, parse_vocabulary
from .inferencer import VISInferencer
from .loading import load_config, load_model
from .opening import group_inputs, open_source
from .outputs import OutputPlan, VideoOutputs, check_free
from .partial_results import PartialResults, StoredRun
from .preparation import FramePreparation
from .recording import RecordedSource
from .results import (
    CompiledCategory,
    Track,
    TrackSelection,
    VideoResult,
    select_tracks,
)
from .video_capture import Camera, VideoFile
from .video_task import VideoTask
from .writers import write_json, write_masks, write_rendering

__all__ = [
    "ArrayFrames",
    "Camera",
    "CompiledCategory",
    "FramePreparation",
    "FrameSource",
    "FrameSourceError",
    "ImageFiles",
    "InferenceError",
    "LinkOptions",
    "LinkedObject",
    "OutputPlan",
    "PartialResults",
    "RecordedSource",
    "StoredRun",
    "Track",
    "TrackLinker",
    "TrackSelection",
    "VISInferencer",
    "VideoFile",
    "VideoEngine",
    "VideoOutputs",
    "VideoResult",
    "VideoTask",
    "Window",
    "WindowPlan",
    "WindowPrediction",
    "build_vocabulary",
    "check_free",
    "default_device",
    "group_inputs",
    "load_config",
    "load_model",
    "open_source",
    "parse_vocabulary",
    "select_tracks",
    "usable_device",
    "write_json",
    "write_masks",
    "write_rendering",
]
