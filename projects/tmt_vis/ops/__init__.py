"""Parameter-free numerics, each fast path beside its readable reference."""

from .bounded_cache import BoundedCache
from .boxes import (
    box_gious,
    box_overlaps,
    mask_boxes,
    paired_gious,
    to_centers,
    to_corners,
)
from .deform_sampling import deform_attention, deform_attention_reference
from .deform_sampling_triton import deform_attention_triton
from .level_layout import LevelLayout
from .mask_logits import OutputMasks, mask_logits, output_masks, resize_clip
from .masked_attention import (
    CAN_ATTEND_IN_PARTS,
    attend_in_parts,
    keep_from_mask_logits,
    masked_attention,
    masked_attention_reference,
)
from .point_sampling import (
    PointSampler,
    clip_generator,
    sample_points,
    sample_shared_points,
)
from .suppression import keep_best, mask_overlaps

__all__ = [
    "BoundedCache",
    "CAN_ATTEND_IN_PARTS",
    "LevelLayout",
    "OutputMasks",
    "PointSampler",
    "attend_in_parts",
    "box_gious",
    "box_overlaps",
    "clip_generator",
    "deform_attention",
    "deform_attention_reference",
    "deform_attention_triton",
    "keep_best",
    "keep_from_mask_logits",
    "mask_boxes",
    "mask_logits",
    "mask_overlaps",
    "masked_attention",
    "masked_attention_reference",
    "output_masks",
    "paired_gious",
    "resize_clip",
    "sample_points",
    "sample_shared_points",
    "to_centers",
    "to_corners",
]
