"""Necks: from backbone features to the feature levels of the heads."""

from .pixel_decoder import ClipPixelDecoder

__all__ = ["ClipPixelDecoder"]
