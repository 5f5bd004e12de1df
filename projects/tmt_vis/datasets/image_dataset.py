"""Images as pseudo-clips: COCO instance files in the mixture of videos."""

from collections.abc import Mapping
from typing import Any

from mmdet.registry import DATASETS

from tmt_vis.annotations import AnnotationFile

from .vis_dataset import VISDataset

_IMAGE_KEYS = ("id", "file_name", "height", "width")
_ANNOTATION_KEYS = ("id", "image_id", "category_id", "segmentation")


class ImageAnnotationFile(AnnotationFile):
    """The COCO instance JSON (``instances_*.json``), read as videos of one frame.

    ``images`` become videos of length 1 and every annotation an instance of one frame;
    checks, label spaces and crowd regions are those of :class:`AnnotationFile`.
    """

    _remedy = "use a COCO file of instances (files of videos are for VISDataset)"

    def _load(self, backend_args: Mapping[str, Any] | None) -> Mapping:
        data = super()._load(backend_args)
        self._require(data, ["images"], "file")
        videos = []
        for position, image in enumerate(self._rows(data, "images")):
            self._require(image, _IMAGE_KEYS, f"images[{position}]")
            videos.append(dict(image, file_names=[image["file_name"]]))
        annotations = self._rows(data, "annotations")
        for position, entry in enumerate(annotations):
            self._require(entry, _ANNOTATION_KEYS, f"annotations[{position}]")
            # In place: the 860,000 entries of COCO are not copied.
            entry["video_id"] = entry["image_id"]
            entry[self._segmentation_key] = [entry["segmentation"]]
        return dict(
            videos=videos, annotations=annotations, categories=data.get("categories")
        )


@DATASETS.register_module()
class ImageDataset(VISDataset):
    """Pseudo-clips (training) or images as videos of one frame (test).

    A clip is one image, ``num_frames`` times; ``RotateClip`` and ``DriftingCrop`` in
    the pipeline make it move. Instances keep their annotation's id in all frames.
    Everything else is as in :class:`VISDataset`, with "video" read as "image".

    Args:
        **options: Arguments of VISDataset. ``ann_file`` is a COCO instance file, and
            its ``file_name`` entries are sought below ``data_prefix.img``.
    """

    annotation_file = ImageAnnotationFile
