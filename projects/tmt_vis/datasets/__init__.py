"""From annotation files to mixed, packed clips."""

from .annotation_index import AnnotationIndex, FrameInstance, FrameRecord, VideoInfo
from .clip_index import ClipIndex
from .clip_sampling import ClipSampler
from .errors import AnnotationError, ClipFetchError, ClipStructureError, FrameError
from .multi_dataset import MultiDatasetVideoDataset
from .samplers import BalancedSequence, MultiDatasetVideoSampler
from .transforms import (
    ClipBroadcaster,
    LoadClipAnnotations,
    LoadClipFrames,
    PackClipInputs,
)
from .vis_dataset import VISDataset

__all__ = [
    "AnnotationError",
    "AnnotationIndex",
    "BalancedSequence",
    "ClipBroadcaster",
    "ClipFetchError",
    "ClipIndex",
    "ClipSampler",
    "ClipStructureError",
    "FrameError",
    "FrameInstance",
    "FrameRecord",
    "LoadClipAnnotations",
    "LoadClipFrames",
    "MultiDatasetVideoDataset",
    "MultiDatasetVideoSampler",
    "PackClipInputs",
    "VISDataset",
    "VideoInfo",
]
