"""Clip-level transforms; image transforms run inside ``ClipBroadcaster``."""

from .broadcasting import ClipBroadcaster
from .loading import LoadClipAnnotations, LoadClipFrames
from .motion import DriftingCrop, RotateClip
from .packing import PackClipInputs
from .third_party import ImageCallable, TorchvisionTransform

__all__ = [
    "ClipBroadcaster",
    "DriftingCrop",
    "ImageCallable",
    "LoadClipAnnotations",
    "LoadClipFrames",
    "PackClipInputs",
    "RotateClip",
    "TorchvisionTransform",
]
