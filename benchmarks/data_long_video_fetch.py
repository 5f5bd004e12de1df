"""Annotations of two frames of a long video."""

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers.mini_vis import moving_video, native_json, write_json
from mmengine.dataset import BaseDataset

from tmt_vis.annotations import AnnotationFile
from tmt_vis.datasets.annotation_index import AnnotationIndex
from tmt_vis.taxonomy import LabelSpace

from .common import Options, Row, Spec, Target, compare_times

SPEC = Spec(
    name="data/long_video_fetch",
    reference="BaseDataset.get_data_info",
    ours="AnnotationIndex.frame, twice",
    target=Target(ratio=20),
)
_OBJECTS = 5


class _Dataset(BaseDataset):
    """mmdet's list of videos, serialised by mmengine."""

    def __init__(self, videos: list[dict]) -> None:
        self._entries = videos
        super().__init__()

    def load_data_list(self) -> list[dict]:
        return self._entries


def mmdet_entry(file: dict[str, Any]) -> dict[str, Any]:
    """Write the video as mmdet's YouTubeVISDataset keeps it."""
    (video,), images = file["videos"], []
    for t, name in enumerate(video["file_names"]):
        instances = [
            dict(
                bbox=row["bboxes"][t],
                bbox_label=0,
                instance_id=row["id"],
                ignore_flag=0,
                mask=row["segmentations"][t],
            )
            for row in file["annotations"]
        ]
        size = dict(height=video["height"], width=video["width"])
        images.append(dict(size, img_path=name, frame_id=t, instances=instances))
    return dict(video_id=1, video_length=len(images), images=images)


def run(options: Options) -> Iterator[Row]:
    """Compare on one video; the file's contents are the same."""
    length = options.choose(10, 500)
    video = moving_video(1, length, track_ids=range(_OBJECTS), height=80)
    file = native_json([video])
    wanted = (length // 3, length // 2)
    reference = _Dataset([mmdet_entry(copy.deepcopy(file))])
    with tempfile.TemporaryDirectory() as folder:
        path = write_json(Path(folder), file)
        space = LabelSpace.load("ytvis19")
        annotations = AnnotationFile(path, space, with_gt=True)
        index = AnnotationIndex(annotations, num_slots=len(space))

    def theirs() -> list[tuple]:
        images = reference.get_data_info(0)["images"]
        return [_facts(images[t]) for t in wanted]

    def ours() -> list[tuple]:
        records = [index.frame(0, t) for t in wanted]
        return [
            (r.file_name, tuple((i.source_id, i.counts) for i in r.instances))
            for r in records
        ]

    def check(a: list[tuple], b: list[tuple]) -> str:
        assert a == b, "frames differ"
        return "files, ids and masks equal"

    yield compare_times(
        SPEC,
        options,
        size=f"2 of {length} frames, {_OBJECTS} objects",
        a=theirs,
        b=ours,
        check=check,
    )


def _facts(image: dict[str, Any]) -> tuple:
    rows = image["instances"]
    masks = tuple((r["instance_id"], r["mask"]["counts"].encode()) for r in rows)
    return image["img_path"], masks
