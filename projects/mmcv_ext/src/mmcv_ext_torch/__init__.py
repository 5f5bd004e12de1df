"""PyTorch versions of the few mmcv operators video instance segmentation needs."""

__version__ = "1.0.0"
