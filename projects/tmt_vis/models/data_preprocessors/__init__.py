"""From packed clips to batches on the device."""

from .clip_data_preprocessor import ClipDataPreprocessor

__all__ = ["ClipDataPreprocessor"]
