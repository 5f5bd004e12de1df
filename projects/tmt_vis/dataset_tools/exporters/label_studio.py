"""Tracks as predictions of Label Studio: tasks with ``VideoVectorLabels``.

The form is that of label-studio-sdk 2.x (``VideoVectorLabelsTag``): corners in percent
of the frame, frames counted from 1, a region with ``enabled: false`` ends there.
"""

import json
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from .job import ExportJob
from .keyframes import Keyframe, outlined
from .tracks_file import ExportTrack, ExportVideo

CONTROL, OBJECT = "tracks", "video"


def export_label_studio(job: ExportJob, out: Path) -> None:
    """Write ``tasks.json`` with a prediction per video, and ``label_config.xml``.

    In Label Studio: paste ``label_config.xml`` as the labelling interface and import
    ``tasks.json``; each task says which video it wants (``data.video``), to be set to
    where the server finds it. Polygons of videos need ``VideoVectorLabels``, which its
    documentation calls a feature of the paid editions.

    Args:
        job: What is exported, and how.
        out: A new folder, not yet at its final place.
    """
    tasks = [_task(video, job) for video in job.videos()]
    text = json.dumps(tasks, ensure_ascii=False)
    (out / "tasks.json").write_text(text + "\n", encoding="utf-8")
    config = tostring(_config(job), encoding="unicode")
    (out / "label_config.xml").write_text(config + "\n", encoding="utf-8")


def _config(job: ExportJob) -> Element:
    view = Element("View")
    fps = {f"{video.fps:g}" for video in job.tracks.videos}
    rate = {"framerate": fps.pop()} if len(fps) == 1 else {}
    SubElement(view, "Video", name=OBJECT, value="$video", **rate)
    labels = SubElement(
        view, "VideoVectorLabels", name=CONTROL, toName=OBJECT, closable="true"
    )
    for name in job.tracks.categories:
        SubElement(labels, "Label", value=name)
    return view


def _task(video: ExportVideo, job: ExportJob) -> dict[str, Any]:
    regions = [_region(track, video, job) for track in video.tracks]
    scores = [track.score for track in video.tracks]
    prediction = {
        "model_version": "tmt-vis",
        "score": sum(scores) / len(scores),
        "result": regions,
    }
    facts = {
        "video": f"{video.name}.mp4",
        "name": video.name,
        "height": video.height,
        "width": video.width,
        "num_frames": video.num_frames,
        "fps": video.fps,
    }
    return {"data": facts, "predictions": [prediction]}


def _region(track: ExportTrack, video: ExportVideo, job: ExportJob) -> dict[str, Any]:
    result = outlined(track.tube.to_frames(), min_iou=job.min_iou)
    job.count(result)
    keys = result.keyframes
    sequence = []
    for key, after in zip(keys, [*keys[1:], None], strict=True):
        # Between two keyframes of neighbouring frames there is nothing to fill in, but
        # a region that is not ended would be shown on in the gap of an absent object.
        goes_on = after is not None and (key.moves or after.frame == key.frame + 1)
        sequence.append(_shape(key, video, goes_on))
    return {
        "id": f"track-{track.id}",
        "from_name": CONTROL,
        "to_name": OBJECT,
        "type": "videovectorlabels",
        "score": track.score,
        "value": {
            "framesCount": video.num_frames,
            "duration": video.num_frames / video.fps,
            "labels": [track.name],
            "sequence": sequence,
        },
    }


def _shape(key: Keyframe, video: ExportVideo, goes_on: bool) -> dict[str, Any]:
    vertices: list[dict[str, Any]] = []
    for number, (x, y) in enumerate(key.polygon):
        vertex = {
            "id": f"v{number}",
            "x": 100 * x / video.width,
            "y": 100 * y / video.height,
        }
        if number:
            vertex["prevPointId"] = f"v{number - 1}"
        vertices.append(vertex)
    return {
        "frame": key.frame + 1,
        "time": key.frame / video.fps,
        "closed": True,
        "enabled": goes_on,
        "vertices": vertices,
    }
