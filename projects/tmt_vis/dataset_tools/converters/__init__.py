"""From the files of labelling tools to the native format."""

from .coco_frames import open_coco_frames
from .cvat_frames import FRAME_ORDERS
from .cvat_video import open_cvat_video
from .index_masks import open_index_masks
from .label_space_json import allowed_name
from .label_studio import open_label_studio
from .labelme import open_labelme
from .source import Source, SourceTrack, SourceVideo
from .writer import Written, write_native

__all__ = [
    "FRAME_ORDERS",
    "Source",
    "SourceTrack",
    "SourceVideo",
    "Written",
    "allowed_name",
    "open_coco_frames",
    "open_cvat_video",
    "open_index_masks",
    "open_label_studio",
    "open_labelme",
    "write_native",
]
