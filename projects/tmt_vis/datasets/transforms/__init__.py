"""Clip-level transforms; image transforms run inside ``ClipBroadcaster``."""

from .broadcasting import ClipBroadcaster
from .loading import LoadClipAnnotations, LoadClipFrames
from .packing import PackClipInputs

__all__ = ["ClipBroadcaster", "LoadClipAnnotations", "LoadClipFrames", "PackClipInputs"]
