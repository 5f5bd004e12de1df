"""Data with invariants: samples, targets and tubes. No nn.Module."""

from .clip_data_sample import ClipDataSample
from .clip_targets import ClipTargets
from .tube_rle import TubeRLE, encode_tubes

__all__ = ["ClipDataSample", "ClipTargets", "TubeRLE", "encode_tubes"]
