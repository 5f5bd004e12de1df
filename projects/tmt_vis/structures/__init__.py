"""Data with invariants: samples, targets and tubes. No nn.Module."""

from .clip_data_sample import ClipDataSample
from .clip_targets import ClipTargets, frame_targets, presence
from .frame_rle import FrameRLE, compress_segmentation
from .tube_iou import distinct_tubes, tube_iou
from .tube_rle import (
    TubeRLE,
    encode_tubes,
    frame_areas,
    frame_masks,
    mask_switches,
)

__all__ = [
    "ClipDataSample",
    "ClipTargets",
    "FrameRLE",
    "TubeRLE",
    "compress_segmentation",
    "distinct_tubes",
    "encode_tubes",
    "frame_areas",
    "frame_masks",
    "frame_targets",
    "mask_switches",
    "presence",
    "tube_iou",
]
