"""AP of tracks, per dataset, and the files around it."""

from .ap_table import APTable
from .average_precision import VISProtocol, evaluate_tubes
from .tube_iou import tube_iou
from .video_tubes import GroundTruthTubes, PredictedTubes

__all__ = [
    "APTable",
    "GroundTruthTubes",
    "PredictedTubes",
    "VISProtocol",
    "evaluate_tubes",
    "tube_iou",
]
