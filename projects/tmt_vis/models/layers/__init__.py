"""Building blocks shared by the decoder, TCM and TIM."""

from .attention import (
    Attention,
    CrossAttentionBlock,
    Scale,
    feed_forward,
    xavier_init,
)

__all__ = ["Attention", "CrossAttentionBlock", "Scale", "feed_forward", "xavier_init"]
