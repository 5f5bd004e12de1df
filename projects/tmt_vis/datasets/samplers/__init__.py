"""Samplers that mix datasets."""

from .balanced_sequence import BalancedSequence
from .multi_dataset_video_sampler import MultiDatasetVideoSampler

__all__ = ["BalancedSequence", "MultiDatasetVideoSampler"]
