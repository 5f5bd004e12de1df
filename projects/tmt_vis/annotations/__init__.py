"""Native annotation files as plain tables: one reading for training and evaluation."""

from .annotation_file import AnnotationFile
from .entries import InstanceEntry, VideoEntry
from .errors import AnnotationError
from .file_categories import file_label_space, match_file_categories
from .frames import annotated_frames, segmentations_of
from .reading import read_annotations
from .values import read_flag
from .video_categories import VideoCategories

__all__ = [
    "AnnotationError",
    "AnnotationFile",
    "InstanceEntry",
    "VideoCategories",
    "VideoEntry",
    "annotated_frames",
    "file_label_space",
    "match_file_categories",
    "read_annotations",
    "read_flag",
    "segmentations_of",
]
