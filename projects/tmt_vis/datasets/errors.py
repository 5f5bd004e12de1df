"""What can be wrong with a data set, as exceptions a user can act on."""

from tmt_vis.annotations import AnnotationError

__all__ = [
    "AnnotationError",
    "ClipFetchError",
    "ClipRejectedError",
    "ClipStructureError",
    "FrameError",
]


class FrameError(RuntimeError):
    """A frame file is missing, unreadable or not of the annotated size."""


class ClipStructureError(ValueError):
    """The per-frame lists of a clip do not fit together."""


class ClipRejectedError(RuntimeError):
    """A transform returned nothing: this clip is not to be trained on."""


class ClipFetchError(RuntimeError):
    """No clip could be produced after the allowed number of refetches."""
