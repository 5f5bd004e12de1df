"""What knowing the categories of a video is worth, applied to finished predictions."""

from collections.abc import Mapping

from tmt_vis.evaluation import AnnotationFile, PredictedTubes
from tmt_vis.evaluation.taxonomy_record import TaxonomyRecord

Predictions = Mapping[int, PredictedTubes]


def shown_only(predictions: Predictions, annotations: AnnotationFile) -> Predictions:
    """Drop the tracks of categories that their video does not show.

    This is what perfect knowledge of the categories of every video can give, however it
    enters a model, if masks and queries stay what they are.

    Args:
        predictions: by video.
        annotations: the truth.
    """
    shown = {v: set(truth.slots) for v, truth in annotations.ground_truth.items()}
    kept = {}
    for video, tracks in predictions.items():
        rows = [i for i, slot in enumerate(tracks.slots) if slot in shown[video]]
        tubes = [tracks.tubes[i] for i in rows]
        kept[video] = PredictedTubes(tubes, tracks.slots[rows], tracks.scores[rows])
    return kept


def weighted(
    predictions: Predictions,
    annotations: AnnotationFile,
    record: TaxonomyRecord,
    power: float = 0.5,
) -> Predictions:
    """Multiply the score of each track by TCM's score of its category.

    Args:
        predictions: by video.
        annotations: of the videos, for their names.
        record: what TCM thought of every video.
        power: of TCM's score.
    """
    rows = dict(zip(record.videos, record.scores, strict=True))
    return {
        video: PredictedTubes(
            tracks.tubes,
            tracks.slots,
            tracks.scores * rows[annotations.videos[video].name][tracks.slots] ** power,
        )
        for video, tracks in predictions.items()
    }
