"""From annotation files to mixed, packed clips."""

from .annotation_index import AnnotationIndex, FrameInstance, FrameRecord, VideoInfo
from .clip_index import ClipIndex
from .clip_sampling import ClipSampler
from .errors import (
    AnnotationError,
    ClipFetchError,
    ClipRejectedError,
    ClipStructureError,
    FrameError,
)
from .image_dataset import ImageDataset
from .multi_dataset import MultiDatasetVideoDataset
from .samplers import BalancedSequence, MultiDatasetVideoSampler
from .transforms import (
    ClipBroadcaster,
    DriftingCrop,
    ImageCallable,
    LoadClipAnnotations,
    LoadClipFrames,
    PackClipInputs,
    RotateClip,
    TorchvisionTransform,
)
from .vis_dataset import VISDataset

__all__ = [
    "AnnotationError",
    "AnnotationIndex",
    "BalancedSequence",
    "ClipBroadcaster",
    "ClipFetchError",
    "ClipIndex",
    "ClipRejectedError",
    "ClipSampler",
    "ClipStructureError",
    "DriftingCrop",
    "FrameError",
    "FrameInstance",
    "FrameRecord",
    "ImageCallable",
    "ImageDataset",
    "LoadClipAnnotations",
    "LoadClipFrames",
    "MultiDatasetVideoDataset",
    "MultiDatasetVideoSampler",
    "PackClipInputs",
    "RotateClip",
    "TorchvisionTransform",
    "VISDataset",
    "VideoInfo",
]
