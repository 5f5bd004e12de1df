"""Native annotation files as plain tables: one reading for training and evaluation."""

from .errors import AnnotationError
from .frames import annotated_frames, segmentations_of
from .reading import read_annotations
from .values import read_flag
from .video_categories import VideoCategories, match_file_categories

__all__ = [
    "AnnotationError",
    "VideoCategories",
    "annotated_frames",
    "match_file_categories",
    "read_annotations",
    "read_flag",
    "segmentations_of",
]
