"""Which image is which frame of a CVAT task."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tmt_vis.datasets.frame_files import frames_of, is_image, natural_text_key

from ..errors import ConversionError
from ..findings import Findings
from .cvat_xml import IMAGES, VIDEO, CvatMeta

FRAME_ORDERS = ("natural", "lexicographic")


def find_frames(name: str, root: Path, *, is_only: bool) -> list[Path]:
    """Find the images of a video, at whatever depth.

    Args:
        name: Name of the video.
        root: Folder of the frames.
        is_only: No other video can be meant by images that lie in ``root`` itself.

    Returns:
        Paths, in natural order; all are below one folder, the first of them.

    Raises:
        ConversionError: If there are none.
    """
    places = [root / name / "images", root / name]
    if is_only:
        places += [root / "images", root]
    for place in places:
        frames = _images_below(place, deep=place != root)
        if frames:
            return frames
    frames = _images_below(root, deep=True) if is_only else []
    if frames:
        return frames
    raise ConversionError(
        f"video {name!r}: no frames in {' or '.join(map(str, places))}; export the "
        "task with images, or extract them (ffmpeg -i VIDEO -start_number 0 "
        f"{root / name}/frame_%06d.png), and name the folder above with --images"
    )


def _images_below(place: Path, *, deep: bool) -> list[Path]:
    if not place.is_dir():
        return []
    if not deep:
        return frames_of(place)
    found = [path for path in place.rglob("*") if is_image(path) and path.is_file()]
    shown = [
        p for p in found if not any(_hidden(n) for n in p.relative_to(place).parts)
    ]
    return sorted(shown, key=lambda path: natural_text_key(path.as_posix()))


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def frame_numbers(
    frames: Sequence[Path],
    meta: CvatMeta,
    path: Path,
    *,
    order: str | None,
    findings: Findings,
) -> dict[int, Path]:
    """Number the images of a task as CVAT does.

    Args:
        frames: The images, in natural order.
        meta: Head of the file.
        path: Of the file, for messages.
        order: One of ``FRAME_ORDERS``: how CVAT sorted images that are not called
            ``frame_NNNNNN``.
        findings: Takes frames that have no image.

    Returns:
        CVAT's frame number -> image, ascending.

    Raises:
        ConversionError: If images are missing, or their order is not certain.
    """
    by_number = None if meta.mode == IMAGES else _numbered(frames)
    if by_number is not None and (size := _size(meta, by_number)):
        wanted = range(meta.start, meta.start + meta.step * size, meta.step)
        found = {n: by_number[n] for n in sorted(by_number) if n in wanted}
        # All frames have an image (and the folder may hold others), or all images are
        # frames (some were deleted). CVAT's own files tell of a shape where an image is
        # missing; in others, images that are missing at the end may not be there yet.
        some_deleted = len(found) == len(by_number) and (
            meta.is_dump or wanted[-1] in found
        )
        if found and (len(found) == size or some_deleted):
            if len(found) < size:
                what = "videos with frames without an image, left out (deleted in CVAT)"
                findings.add(what, f"{path}: {size - len(found)} of {size} frames")
            return found
    if meta.size is not None and meta.size != len(frames):
        raise ConversionError(
            f"{path}: has {meta.size} frames but {frames[0].parent} holds "
            f"{len(frames)} images; use the frames that were labelled (every "
            f"{meta.step}. from {meta.start} on), or call them frame_NNNNNN by CVAT's "
            "numbers: those deleted in CVAT may then be missing"
        )
    ordered = _in_order(frames, meta, path, order)
    return {meta.start + meta.step * n: frame for n, frame in enumerate(ordered)}


def _numbered(frames: Sequence[Path]) -> dict[int, Path] | None:
    """Return frame number -> image if all are called ``frame_NNNNNN``."""
    names = [re.fullmatch(r"frame_([0-9]{1,18})", path.stem) for path in frames]
    numbers = [int(match[1]) for match in names if match]
    if len(set(numbers)) < len(frames):
        return None
    return dict(zip(numbers, frames, strict=True))


def _size(meta: CvatMeta, by_number: dict[int, Path]) -> int:
    if meta.size is not None:
        # A file may claim any number; nothing of that size is made.
        return min(max(meta.size, 0), 2**32)
    if any((n - meta.start) % meta.step or n < meta.start for n in by_number):
        return 0
    return (max(by_number) - meta.start) // meta.step + 1


def _in_order(
    frames: Sequence[Path], meta: CvatMeta, path: Path, order: str | None
) -> Sequence[Path]:
    as_texts = sorted(frames, key=lambda frame: frame.as_posix())
    if order == "lexicographic":
        return as_texts
    if order == "natural" or meta.mode == VIDEO:
        return frames
    pairs = enumerate(zip(frames, as_texts, strict=True))
    for n, (natural, lexicographic) in pairs:
        if natural != lexicographic:
            root = os.path.commonpath([frame.parent for frame in frames])
            first, other = natural.relative_to(root), lexicographic.relative_to(root)
            raise ConversionError(
                f"{path}: image {n} is {first.as_posix()} if numbers count, and "
                f"{other.as_posix()} if names are sorted as texts, as CVAT does by "
                "default; say how CVAT shows them: --frame-order natural or "
                "--frame-order lexicographic"
            )
    return frames
