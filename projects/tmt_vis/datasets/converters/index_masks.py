"""Index PNGs as in DAVIS: the value of a pixel is the number of its object."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import ConversionError
from ..findings import Findings
from ..frame_files import frames_of, natural_key
from . import shapes
from .json_input import read_object
from .source import Source, SourceTrack, SourceVideo, frame_size, relative_names

IGNORED = 255
_INDEX_MODES = ("P", "L", "1", "I", "I;16")


def open_index_masks(
    src: Path,
    *,
    images: Path | None = None,
    category: str | None = None,
    category_map: Path | None = None,
) -> Source:
    """Open a folder with a folder of index PNGs per video.

    0 is background; 255 is ignored, i.e. belongs to nothing. A PNG belongs to the frame
    of the same name; frames without a PNG show no object.

    Args:
        src: ``Annotations/480p`` of DAVIS: ``src/VIDEO/00000.png``.
        images: ``images/VIDEO/00000.jpg``; default: ``src`` with ``Annotations``
            replaced by ``JPEGImages``.
        category: What all objects are.
        category_map: JSON, ``{"VIDEO": {"1": "dog"}}`` or ``{"1": "dog"}`` for all
            videos.

    Raises:
        ConversionError: If folders do not fit together; the message names them.
    """
    if (category is None) == (category_map is None):
        raise ConversionError(
            "index images name no categories: give either --category NAME for all "
            "objects or --category-map FILE.json"
        )
    images = images or _default_images(src)
    videos = [path for path in src.rglob("*") if path.is_dir() and _pngs(path)]
    if not videos:
        raise ConversionError(f"{src} holds no folder of .png files")
    videos.sort(key=lambda path: natural_key(Path(str(path.relative_to(src)))))
    lookup = _Categories(category, category_map)
    findings = Findings()
    return Source(
        categories=lookup.names,
        image_root=images,
        num_videos=len(videos),
        videos=(_video(v, src, images, lookup, findings) for v in videos),
        findings=findings,
    )


def _default_images(src: Path) -> Path:
    parts = ["JPEGImages" if part == "Annotations" else part for part in src.parts]
    images = Path(*parts)
    if images == src or not images.is_dir():
        raise ConversionError(
            f"where are the frames of {src}? name their folder with --images"
        )
    return images


def _pngs(folder: Path) -> list[Path]:
    return [path for path in frames_of(folder) if path.suffix.lower() == ".png"]


class _Categories:
    """Category of an object of a video."""

    def __init__(self, category: str | None, path: Path | None) -> None:
        self._all = category
        self._path = path
        self._map = {} if path is None else read_object(path)
        self.names = (category,) if category else tuple(sorted(self._listed()))

    def of(self, video: str, value: int) -> str:
        if self._all is not None:
            return self._all
        table = self._map.get(video, self._map)
        name = table.get(str(value)) if isinstance(table, Mapping) else None
        if not isinstance(name, str):
            raise ConversionError(
                f"{self._path}: says nothing about object {value} of video {video!r}; "
                f'add {{"{video}": {{"{value}": "NAME"}}}}'
            )
        return name

    def _listed(self) -> set[str]:
        values = list(self._map.values())
        tables = [table for table in values if isinstance(table, Mapping)]
        values += [name for table in tables for name in table.values()]
        return {name for name in values if isinstance(name, str)}


def _video(
    folder: Path, src: Path, images: Path, lookup: _Categories, findings: Findings
) -> SourceVideo:
    name = folder.relative_to(src).as_posix()
    if not (images / name).is_dir():
        raise ConversionError(
            f"video {name!r}: there is no folder {images / name} with its frames"
        )
    frames = frames_of(images / name)
    at = {frame.stem: t for t, frame in enumerate(frames)}
    height, width = frame_size(frames, name)
    tracks: dict[int, SourceTrack] = {}
    masks = _pngs(folder)
    for path in masks:
        if path.stem not in at:
            raise ConversionError(f"{path}: {images / name} has no frame of that name")
        for value, counts in _objects(path, (height, width), findings):
            if value not in tracks:
                label = f"object {value} of {name}"
                tracks[value] = SourceTrack(label, lookup.of(name, value))
            tracks[value].masks[at[path.stem]] = counts
    for stem in sorted(set(at) - {path.stem for path in masks}):
        findings.add("frames without an index image, without objects", f"{name}/{stem}")
    ordered = [tracks[value] for value in sorted(tracks)]
    file_names = relative_names(frames, images)
    return SourceVideo(name, height, width, file_names, ordered)


def _objects(
    path: Path, size: tuple[int, int], findings: Findings
) -> Iterator[tuple[int, bytes]]:
    values = _read_index(path)
    if values.shape != size:
        raise ConversionError(
            f"{path}: is {values.shape[0]}x{values.shape[1]} (height x width) but its "
            f"frame is {size[0]}x{size[1]}"
        )
    for value in np.unique(values).tolist():
        if value == IGNORED:
            findings.add("index images with ignored pixels (255)", str(path))
        elif value:
            yield value, shapes.encode(values == value)


def _read_index(path: Path) -> np.ndarray:
    """Return the (H, W) object numbers."""
    try:
        with Image.open(path) as image:
            mode, values = image.mode, np.asarray(image)
    except (OSError, Image.DecompressionBombError) as error:
        raise ConversionError(f"{path}: is not a readable image ({error})") from error
    if mode not in _INDEX_MODES:
        raise ConversionError(
            f"{path}: must be a palette or grey image whose values are object numbers, "
            f"got {mode}; save it without converting colours"
        )
    return values.astype(np.int64)
