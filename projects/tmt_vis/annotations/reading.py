"""Parse an annotation file without holding more of it than is needed."""

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mmengine.fileio import get_text

from tmt_vis.structures import FrameRLE

from .burst import BURST_KEY, tables_of_burst
from .errors import AnnotationError

# Never read: boxes and areas come from the masks.
_UNUSED = ("bboxes", "areas")


def read_annotations(
    path: str,
    *,
    segmentation_key: str = "segmentations",
    keep_boxes: bool = False,
    all_frames: bool = False,
    backend_args: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Read a file of the YouTube-VIS or the BURST layout.

    Masks become :class:`FrameRLE` while the file is parsed, and what is not read is
    dropped. What that saves is measured in docs/datasets.md.

    Args:
        path: The JSON file, any mmengine file backend.
        segmentation_key: Which list of masks is wanted; others are emptied.
        keep_boxes: Keep ``bboxes``, for those who check them.
        all_frames: BURST: keep the frames between the annotated ones.
        backend_args: mmengine file backend options.

    Returns:
        The tables of YouTube-VIS: ``videos``, ``categories`` and ``annotations``, as
        far as the file has them. Entries are not checked.

    Raises:
        AnnotationError: If the file cannot be read or is not such a file.
    """
    unused = ("areas",) if keep_boxes else _UNUSED
    compact = _Compactor(segmentation_key, unused)
    try:
        with _no_garbage_collection():
            text = get_text(path, "utf-8-sig", backend_args=backend_args)
            data = json.loads(text, object_hook=compact)
    except FileNotFoundError as error:
        raise AnnotationError(
            file=path,
            entry="file",
            problem="does not exist",
            remedy="check ann_file and data_root",
        ) from error
    except OSError as error:
        raise AnnotationError(
            file=path,
            entry="file",
            problem=f"cannot be read ({error})",
            remedy="check ann_file and its permissions",
        ) from error
    except UnicodeDecodeError as error:
        raise AnnotationError(
            file=path,
            entry="file",
            problem=f"is not UTF-8 text ({error})",
            remedy="save it as UTF-8, or download it again",
        ) from error
    except (ValueError, RecursionError) as error:
        # A ValueError that is no JSONDecodeError: an integer of over 4,300 digits.
        raise AnnotationError(
            file=path,
            entry="file",
            problem=f"is not valid JSON ({error})",
            remedy="download it again",
        ) from error
    if not isinstance(data, dict):
        raise AnnotationError(
            file=path,
            entry="file",
            problem="must hold an object with videos, categories and annotations, got "
            f"a {type(data).__name__}",
            remedy="pass the annotation file, not a results file",
        )
    if BURST_KEY in data:
        return tables_of_burst(data, path, all_frames=all_frames)
    data.pop("merged_category_ids", None)  # a word of our own, see tables_of_burst
    return data


class _Compactor:
    """Replace JSON objects by less, one by one, as the parser makes them."""

    def __init__(self, segmentation_key: str, unused: Sequence[str]) -> None:
        self._wanted = segmentation_key
        self._unused = unused
        self._sizes: dict[tuple[int, int], tuple[int, int]] = {}

    def __call__(self, item: dict[str, Any]) -> Any:
        if "counts" in item:
            return self._rle(item)
        if type(item.get("rle")) is str:  # BURST: a mask of one frame
            return item["rle"]
        if self._wanted in item:
            for key in item:
                if key in self._unused or (
                    key.startswith("segmentations") and key != self._wanted
                ):
                    item[key] = None
        return item

    def _rle(self, item: dict[str, Any]) -> Any:
        counts, size = item["counts"], item.get("size")
        if type(counts) is not str or type(size) is not list:
            return item
        if [type(side) for side in size] != [int, int]:
            return item
        shape = (size[0], size[1])
        return FrameRLE(self._sizes.setdefault(shape, shape), counts)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Spare the collector millions of fresh objects, none of which is garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
