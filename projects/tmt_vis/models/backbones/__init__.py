"""Backbones that give more than mmdet's."""

from .stem_resnet import StemResNet

__all__ = ["StemResNet"]
