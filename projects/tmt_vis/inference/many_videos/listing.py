"""From folders and lists to the videos of a run, each with a name of its own."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tmt_vis.datasets.frame_files import frames_of, is_image, natural_key
from tmt_vis.visualization import is_video_name

from ..animations import is_animation
from ..errors import InferenceError
from ..opening import group_inputs
from ..outputs import unique_names

_SHOWN = 3  # names in a message


@dataclass(frozen=True)
class ListedVideo:
    """One video of a run.

    Args:
        id: Its place in the manifest, from 0; ``video_id`` of its tracks.
        name: Names its files; no two videos of a run share one.
        path: Absolute path of a video file or of a folder of frames.
    """

    id: int
    name: str
    path: Path


@dataclass(frozen=True)
class Listing:
    """What was asked for.

    Args:
        videos: In order.
        remarks: What was left out, in words, to be shown.
    """

    videos: tuple[ListedVideo, ...]
    remarks: tuple[str, ...] = ()


def list_videos(inputs: Sequence[str]) -> Listing:
    """List the videos of folders, lists and files.

    A folder with images is one video, a folder with video files is many. A list is a
    ``.txt`` with one path a line, relative to where the program runs; a path that does
    not exist stays in the list, and fails when its turn comes. A video that is named
    twice is taken once. Videos of one name get a number: ``clip``, ``clip-2``.

    Args:
        inputs: Paths and patterns.

    Returns:
        The videos, and what was left out.

    Raises:
        InferenceError: If an input is missing or holds no video, or a folder holds
            images and video files.
    """
    remarks: list[str] = []
    found: dict[Path, None] = {}
    repeated: list[Path] = []
    for path in _expanded(inputs, remarks):
        path = path.resolve()
        if path in found:
            repeated.append(path)
        found[path] = None
    if repeated:
        remarks.append(
            f"{len(repeated)} videos are named more than once and taken once: "
            f"{_some(map(str, repeated))}"
        )
    names = unique_names(map(_name, found))
    videos = enumerate(zip(names, found, strict=True))
    return Listing(
        tuple(ListedVideo(number, name, path) for number, (name, path) in videos),
        tuple(remarks),
    )


def _expanded(inputs: Sequence[str], remarks: list[str]) -> Iterator[Path]:
    for item in group_inputs(inputs):
        if isinstance(item, int):
            raise InferenceError(
                f"{item} is a camera; --out is for files and folders, use --out-json"
            )
        if not isinstance(item, str):
            raise InferenceError(
                f"{len(item)} images were given; with --out, name their folder"
            )
        path = Path(item).expanduser()
        if path.is_file() and path.suffix.lower() == ".txt":
            yield from _of_list(path, remarks)
        elif path.exists():
            yield from _of_path(path, remarks)
        else:
            raise InferenceError(
                f"no such file or folder: {path}; an input is a folder, a video or a "
                ".txt with one path a line"
            )


def _of_list(path: Path, remarks: list[str]) -> Iterator[Path]:
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    lines = os.fsdecode(content).split("\n")
    words = [line.strip() for line in lines]
    if "\0" in "".join(words):
        raise InferenceError(f"{path} is no text; a list holds one path a line")
    if not any(words):
        raise InferenceError(f"{path} is an empty list; write one path a line")
    for word in filter(None, words):
        entry = Path(word).expanduser()
        if entry.exists():
            yield from _of_path(entry, remarks)
        else:
            yield entry  # fails when its turn comes, and the others do not


def _of_path(path: Path, remarks: list[str]) -> Iterator[Path]:
    if path.is_dir():
        yield from _of_folder(path, remarks)
    elif is_image(path) and not is_animation(path):
        raise InferenceError(
            f"{path} is one image; with --out, name the folder of its frames"
        )
    else:
        yield path


def _of_folder(folder: Path, remarks: list[str]) -> Iterator[Path]:
    visible = [entry for entry in folder.iterdir() if entry.name[0] != "."]
    images = frames_of(folder)
    videos = [p for p in visible if p.is_file() and _is_video_file(p)]
    if images and videos:
        raise InferenceError(
            f"{folder} holds {len(images)} images and {len(videos)} video files "
            f"({_some(p.name for p in videos)}), so it could be one video or many; "
            "separate them, or list what is meant in a .txt"
        )
    if images:
        yield folder
        return
    others = sorted(p.name for p in set(visible) - set(videos))
    if not videos:
        raise InferenceError(
            f"{folder} holds no video file and no image, only {len(others)} other "
            "entries; folders of frames are listed in a .txt: "
            "ls -d FOLDER/*/ > videos.txt"
        )
    if others:
        remarks.append(
            f"{len(others)} entries of {folder} are no video files and left out: "
            f"{_some(others)}"
        )
    yield from sorted(videos, key=natural_key)


def _is_video_file(path: Path) -> bool:
    return is_video_name(path) and not is_image(path)


def _name(path: Path) -> str:
    """Name a video without looking at it, so that a missing one keeps its name."""
    return path.stem if is_video_name(path) else path.name


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
