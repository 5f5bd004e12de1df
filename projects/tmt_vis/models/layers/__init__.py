"""Building blocks shared by the decoder, TCM and TIM."""

from .attention import (
    Attention,
    CrossAttentionBlock,
    Scale,
    feed_forward,
    xavier_init,
)
from .deformable_attention import (
    ReferencePoints,
    SamplingGrid,
    deformable_attention,
    deformable_reading,
    short_softmax,
)

__all__ = [
    "Attention",
    "CrossAttentionBlock",
    "ReferencePoints",
    "SamplingGrid",
    "Scale",
    "deformable_attention",
    "deformable_reading",
    "feed_forward",
    "short_softmax",
    "xavier_init",
]
