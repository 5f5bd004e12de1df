"""AP and HOTA of tracks, per dataset, and the files around it."""

from .ap_table import APTable
from .average_precision import evaluate_tubes
from .boundary import boundary_tube, boundary_tube_iou
from .ground_truth import AnnotationFile, load_annotations
from .multi_dataset_evaluator import MultiDatasetVISEvaluator
from .occlusion import occlusion_score
from .protocol import VISProtocol
from .report import (
    class_rows,
    format_classes,
    format_summary,
    partition_ap,
    without_nan,
)
from .results_io import WrittenResults, read_results, write_results
from .tracking import TrackingTable, evaluate_tracking
from .tube_metric import TubeMetric
from .video_tubes import GroundTruthTubes, PredictedTubes
from .vis_metric import VISMetric

__all__ = [
    "APTable",
    "AnnotationFile",
    "GroundTruthTubes",
    "MultiDatasetVISEvaluator",
    "PredictedTubes",
    "TrackingTable",
    "TubeMetric",
    "VISMetric",
    "VISProtocol",
    "WrittenResults",
    "boundary_tube",
    "boundary_tube_iou",
    "class_rows",
    "evaluate_tracking",
    "evaluate_tubes",
    "format_classes",
    "format_summary",
    "load_annotations",
    "occlusion_score",
    "partition_ap",
    "read_results",
    "without_nan",
    "write_results",
]
