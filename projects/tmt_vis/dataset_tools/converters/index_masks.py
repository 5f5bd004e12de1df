"""Index PNGs as in DAVIS: the value of a pixel is the number of its object."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tmt_vis.datasets.frame_files import frames_of, natural_text_key, orientation_of

from ..errors import ConversionError
from ..findings import Findings
from . import shapes
from .index_categories import (
    MOTS_FOLDER,
    IndexCategories,
    MotsCategories,
    listed_classes,
)
from .source import Source, SourceTrack, SourceVideo, frame_size, relative_names

_INDEX_MODES = ("P", "L", "1", "I", "I;16")


def open_index_masks(
    src: Path,
    *,
    images: Path | None = None,
    category: str | None = None,
    category_map: Path | None = None,
    mots_classes: Sequence[str] | None = None,
    binary: bool = False,
) -> Source:
    """Open a folder with a folder of index PNGs per video.

    0 is background; 255 is ignored, i.e. belongs to nothing. A PNG belongs to the frame
    of the same name; frames without a PNG show no object.

    Folders ``VIDEO/instances`` with a ``labels.txt`` are MOTS PNGs as CVAT and
    ``tools/export_tracks.py`` write them: the n-th line names class n, and frames are
    in ``images/VIDEO`` or ``VIDEO/images``.

    ``--binary`` reads PNGs of one object per video: what is not 0 is the object.
    ``--mots-classes`` reads those of MOTS: 1000 * class + number, 10000 is ignored.

    Args:
        src: ``Annotations/480p`` of DAVIS: ``src/VIDEO/00000.png``.
        images: ``images/VIDEO/00000.jpg``; default: ``src`` with ``Annotations``
            replaced by ``JPEGImages``.
        category: What all objects are.
        category_map: JSON, ``{"VIDEO": {"1": "dog"}}`` or ``{"1": "dog"}`` for all
            videos, or the ``meta.json`` of YouTube-VOS.
        mots_classes: Names of the classes 1, 2, ... of MOTS.
        binary: What is not 0 is one object.

    Raises:
        ConversionError: If folders do not fit together; the message names them.
    """
    given = [option is not None for option in (category, category_map, mots_classes)]
    if not any(given):
        mots_classes = listed_classes(src)
        given.append(mots_classes is not None)
    if sum(given) != 1:
        raise ConversionError(
            "index images name no categories: give one of --category NAME for all "
            "objects, --category-map FILE.json and --mots-classes NAME ..."
        )
    if binary and mots_classes is not None:
        raise ConversionError("give --binary or --mots-classes, not both")
    if images is None:
        has_images = any(p.is_dir() for p in src.rglob("images"))
        images = src if has_images else _default_images(src)
    videos = [path for path in src.rglob("*") if path.is_dir() and _pngs(path)]
    if not videos:
        raise ConversionError(f"{src} holds no folder of .png files")
    videos.sort(key=lambda path: natural_text_key(str(path.relative_to(src))))
    if mots_classes is not None:
        lookup = MotsCategories(mots_classes)
    else:
        lookup = IndexCategories(category, category_map)
    findings = Findings()
    return Source(
        categories=lookup.names,
        image_root=images,
        num_videos=len(videos),
        videos=(_video(v, src, images, lookup, binary, findings) for v in videos),
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


def _place(folder: Path, src: Path, images: Path) -> Path:
    """Return where the frames of a video are."""
    relative = folder.relative_to(src)
    if folder.name == MOTS_FOLDER:
        relative = relative.parent
        if not (images / relative).is_dir() or images == src:
            return images / relative / "images"
    return images / relative


def _pngs(folder: Path) -> list[Path]:
    return [path for path in frames_of(folder) if path.suffix.lower() == ".png"]


def _video(
    folder: Path,
    src: Path,
    images: Path,
    lookup: IndexCategories | MotsCategories,
    binary: bool,
    findings: Findings,
) -> SourceVideo:
    place = _place(folder, src, images)
    name = folder.relative_to(src).as_posix().removesuffix("/instances")
    if not place.is_dir():
        raise ConversionError(
            f"video {name!r}: there is no folder {place} with its frames"
        )
    frames = frames_of(place)
    at = {frame.stem: t for t, frame in enumerate(frames)}
    if len(at) < len(frames):
        raise ConversionError(
            f"video {name!r}: two images of {place} differ in their suffix only"
        )
    size = frame_size(frames, name, findings=findings)
    tracks: dict[int, SourceTrack] = {}
    ignored = 0
    masks = _pngs(folder)
    for path in masks:
        if path.stem not in at:
            raise ConversionError(f"{path}: {place} has no frame of that name")
        values = _read_index(path, size, binary)
        for value in np.unique(values).tolist():
            if value in lookup.ignored and not binary:
                ignored += 1
                what = f"index images with ignored pixels ({value})"
                findings.add(what, str(path))
            elif value:
                if value not in tracks:
                    label = f"object {value} of {name}"
                    category = lookup.of(name, value)
                    tracks[value] = SourceTrack(
                        label, category, track_id=lookup.number_of(value)
                    )
                tracks[value].masks[at[path.stem]] = shapes.encode(values == value)
    if ignored and not tracks:
        raise ConversionError(
            f"video {name!r}: its index images hold only 0 and "
            f"{min(lookup.ignored)}, which is ignored; if these are binary masks, "
            "--binary makes one object of them, else number the objects 1, 2, ..."
        )
    for stem in sorted(set(at) - {path.stem for path in masks}):
        findings.add("frames without an index image, without objects", f"{name}/{stem}")
    ordered = [tracks[value] for value in sorted(tracks)]
    file_names = relative_names(frames, images)
    return SourceVideo(name, *size, file_names, ordered)


def _read_index(path: Path, size: tuple[int, int], binary: bool) -> np.ndarray:
    """Return the (H, W) object numbers."""
    try:
        with Image.open(path) as image:
            # Before decoding: a few bytes can claim any size.
            if (image.height, image.width) != size:
                raise ConversionError(
                    f"{path}: is {image.height}x{image.width} (height x width) but its "
                    f"frame is {size[0]}x{size[1]}"
                )
            if orientation_of(image) != 1:
                raise ConversionError(
                    f"{path}: has an EXIF orientation tag, which index images must "
                    "not have; save it without"
                )
            if binary:
                return _is_object(image)
            mode, values = image.mode, np.asarray(image)
    except ConversionError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ConversionError(f"{path}: is not a readable image ({error})") from error
    if mode not in _INDEX_MODES:
        raise ConversionError(
            f"{path}: must be a palette or grey image whose values are object numbers, "
            f"got {mode}; save it without converting colours, or read binary masks "
            "with --binary"
        )
    return values.astype(np.int32)


def _is_object(image: Image.Image) -> np.ndarray:
    """Return 1 where a binary mask is not black; transparency says nothing."""
    if image.mode not in _INDEX_MODES:
        image = image.convert("RGB")
    values = np.asarray(image)
    shown = values.any(axis=2) if values.ndim == 3 else values != 0
    return shown.astype(np.int32)
