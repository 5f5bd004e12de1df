"""Miniature video-instance-segmentation datasets drawn from moving sprites.

The library behind ``tools/make_sprite_vis.py``. It needs numpy, OpenCV and Pillow,
and takes every category name and id from ``tmt_vis.taxonomy``.
"""

from .catalogue import Catalogue, select_classes
from .config import GenerationConfig
from .generate import generate

__all__ = ["Catalogue", "GenerationConfig", "generate", "select_classes"]
