"""Parameter-free numerics, each fast path beside its readable reference."""

from .mask_logits import decode_masks, mask_logits, resize_clip
from .masked_attention import (
    keep_from_mask_logits,
    masked_attention,
    masked_attention_reference,
    rescue_empty_rows,
)
from .point_sampling import PointSampler, clip_generator, sample_points

__all__ = [
    "PointSampler",
    "clip_generator",
    "decode_masks",
    "keep_from_mask_logits",
    "mask_logits",
    "masked_attention",
    "masked_attention_reference",
    "rescue_empty_rows",
    "resize_clip",
    "sample_points",
]
