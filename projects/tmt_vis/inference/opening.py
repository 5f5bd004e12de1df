"""From what a user types to frame sources: files, folders, patterns, cameras."""

import glob
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import numpy as np

from tmt_vis.datasets.frame_files import (
    IMAGE_SUFFIXES,
    frames_of,
    is_image,
    natural_key,
)

from .animations import AnimatedImage, is_animation
from .errors import FrameSourceError
from .frame_sources import ArrayFrames, FrameSource, ImageFiles
from .video_capture import Camera, VideoFile

VideoInput: TypeAlias = (
    str
    | PathLike[str]
    | int
    | np.ndarray
    | Sequence[np.ndarray | str | PathLike[str]]
    | FrameSource
)


def open_source(
    video: VideoInput, *, fps: float | None = None, image_backend: str = "cv2"
) -> FrameSource:
    """Open one video.

    Args:
        video: A video file, a folder of frames, a pattern of frames
            (``'frames/*.jpg'``), a list of image files, a single image, a camera
            index, frames in memory ((H, W, 3) uint8 BGR each), or a source, which is
            returned as it is.
        fps: Overrides the frames per second of the input.
        image_backend: mmcv image backend of frame files.

    Returns:
        The source.

    Raises:
        FrameSourceError: If it does not exist, holds no frame, or holds several videos.
    """
    if isinstance(video, FrameSource):
        return video
    if isinstance(video, bool):
        raise FrameSourceError(f"a video must be a path or frames, got {video}")
    if isinstance(video, int):
        return Camera(video, fps=fps)
    if not isinstance(video, (str, PathLike)):
        return _open_sequence(video, fps, image_backend)
    path = Path(video).expanduser()
    if path.is_dir():
        return ImageFiles(
            _images_of(path), name=_folder_name(path), fps=fps, backend=image_backend
        )
    if path.is_file():
        return _open_file(path, fps, image_backend)
    if glob.has_magic(str(video)):
        return _open_pattern(path, fps, image_backend)
    raise FrameSourceError(f"no such file or folder: {path}")


def group_inputs(inputs: Sequence[str]) -> list[str | int | list[Path]]:
    """Turn the words of a command line into videos.

    Several images are the frames of *one* video, because a shell expands
    ``frames/*.jpg`` before a program sees it; a pattern of videos is several videos.

    Args:
        inputs: Paths, patterns, or a number for a camera.

    Returns:
        One entry per video: a path or pattern, a camera index, or frame files.

    Raises:
        FrameSourceError: If a pattern matches nothing.
    """
    paths = [Path(text).expanduser() for text in inputs]
    if len(paths) > 1 and all(is_image(p) and p.is_file() for p in paths):
        return [sorted(paths, key=natural_key)]
    videos: list[str | int | list[Path]] = []
    for text, path in zip(inputs, paths, strict=True):
        if text.isdigit() and not path.exists():
            videos.append(int(text))
        elif glob.has_magic(text) and not path.exists():
            matches = _matches(path)
            images = all(map(is_image, matches))
            videos += [text] if images else [str(match) for match in matches]
        else:
            videos.append(text)
    return videos


def _open_sequence(
    items: Sequence[np.ndarray | str | PathLike[str]],
    fps: float | None,
    image_backend: str,
) -> FrameSource:
    if not len(items) or not all(isinstance(item, (str, PathLike)) for item in items):
        return ArrayFrames(items, fps=fps)
    paths = [Path(item).expanduser() for item in items]
    name = _folder_name(paths[0].parent)
    return ImageFiles(paths, name=name, fps=fps, backend=image_backend)


def _open_file(path: Path, fps: float | None, image_backend: str) -> FrameSource:
    if is_animation(path):
        return AnimatedImage(path, fps=fps)
    if is_image(path):
        return ImageFiles([path], name=path.stem, fps=fps, backend=image_backend)
    return VideoFile(path, fps=fps)


def _open_pattern(path: Path, fps: float | None, image_backend: str) -> FrameSource:
    matches = _matches(path)
    if all(map(is_image, matches)):
        return _open_sequence(matches, fps, image_backend)
    if len(matches) > 1:
        raise FrameSourceError(
            f"{path} matches {len(matches)} files that are not all images; open one "
            "video at a time (tools/infer.py takes several)"
        )
    return _open_file(matches[0], fps, image_backend)


def _matches(pattern: Path) -> list[Path]:
    found = [Path(name) for name in glob.glob(str(pattern))]
    files = sorted((path for path in found if path.is_file()), key=natural_key)
    if not files:
        raise FrameSourceError(f"no file matches {pattern}")
    return files


def _images_of(folder: Path) -> list[Path]:
    images = frames_of(folder)
    if not images:
        files = [p for p in folder.iterdir() if p.is_file() and p.name[0] != "."]
        raise FrameSourceError(
            f"{folder} holds no image, only {len(files)} other files; frames are "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}. Name video files one by one"
        )
    return images


def _folder_name(folder: Path) -> str:
    return folder.resolve().name or "video"
