"""AP of tracks, per dataset, and the files around it."""

from .ap_table import APTable
from .average_precision import VISProtocol, evaluate_tubes
from .ground_truth import AnnotationFile, VideoInfo, load_annotations
from .multi_dataset_evaluator import MultiDatasetVISEvaluator
from .report import class_rows, format_classes, format_summary, without_nan
from .results_io import WrittenResults, read_results, write_results
from .tube_iou import tube_iou
from .video_tubes import GroundTruthTubes, PredictedTubes
from .vis_metric import VISMetric

__all__ = [
    "APTable",
    "AnnotationFile",
    "GroundTruthTubes",
    "MultiDatasetVISEvaluator",
    "PredictedTubes",
    "VISMetric",
    "VISProtocol",
    "VideoInfo",
    "WrittenResults",
    "class_rows",
    "evaluate_tubes",
    "format_classes",
    "format_summary",
    "load_annotations",
    "read_results",
    "tube_iou",
    "without_nan",
    "write_results",
]
