"""What an evaluation measures."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .boundary import DILATION_RATIO


@dataclass(frozen=True, eq=False)
class VISProtocol:
    """What is measured. The defaults are those of YouTube-VIS.

    Args:
        iou_thresholds: (I,) increasing.
        recall_points: (R,) increasing, in [0, 1].
        max_tracks: Increasing numbers of tracks kept per video and category.
        area_ranges: Name -> (least, greatest) mean area in pixels, both included;
            the first must hold everything.
        occlusion_ranges: Name -> (least, greatest) occlusion, both included; used if
            the objects have one (OVIS).
        class_agnostic: Ignore categories (UVO, open world).
        crowd_by_prediction: Divide by the prediction's area on crowd regions.
        boundary: Measure Tube-Boundary AP (HQ-YTVIS) instead of Tube-Mask AP.
        dilation_ratio: Width of a boundary per length of the frame's diagonal.
    """

    iou_thresholds: np.ndarray = field(
        default_factory=lambda: np.linspace(0.5, 0.95, 10)
    )
    recall_points: np.ndarray = field(default_factory=lambda: np.linspace(0, 1, 101))
    max_tracks: tuple[int, ...] = (1, 10, 100)
    area_ranges: Mapping[str, tuple[float, float]] = field(
        default_factory=lambda: {
            "all": (0, 1e10),
            "s": (0, 128**2),
            "m": (128**2, 256**2),
            "l": (256**2, 1e10),
        }
    )
    occlusion_ranges: Mapping[str, tuple[float, float]] = field(
        default_factory=lambda: {"so": (0, 0.25), "mo": (0.25, 0.5), "ho": (0.5, 1)}
    )
    class_agnostic: bool = False
    crowd_by_prediction: bool = False
    boundary: bool = False
    dilation_ratio: float = DILATION_RATIO
