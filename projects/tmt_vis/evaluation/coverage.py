"""Do the predictions belong to the annotation file, and to all of it?"""

from collections.abc import Mapping

from .ground_truth import AnnotationFile
from .video_tubes import PredictedTubes


def missing_videos(
    predictions: Mapping[int, PredictedTubes], annotations: AnnotationFile
) -> list[int]:
    """Check that every prediction fits a video of the file; list videos without any.

    Args:
        predictions: Tracks by video id.
        annotations: The file they are for.

    Returns:
        Sorted ids of videos that were not predicted.

    Raises:
        ValueError: If a video is not in the file or a track is of another size.
    """
    foreign = sorted(set(predictions) - set(annotations.videos))
    if foreign:
        raise ValueError(
            f"{len(foreign)} predicted videos are not in {annotations.path}, e.g. "
            f"{foreign[:5]}; the loader must read the same annotation file"
        )
    for video_id, video in predictions.items():
        info = annotations.videos[video_id]
        size = (info.height, info.width, info.length)
        for tube in video.tubes:
            got = (tube.height, tube.width, tube.num_frames)
            used = info.frames_used(tube.num_frames)
            if got != size and (got[:2] != size[:2] or used is None):
                raise ValueError(
                    f"video {video_id} of {annotations.path} has height, width, frames "
                    f"{size} but a track has {got}; predict at ori_shape and over all "
                    "frames"
                )
    return sorted(set(annotations.videos) - set(predictions))
