"""Results to files, each of which appears complete or not at all."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tmt_vis.files import replacing
from tmt_vis.structures import frame_masks
from tmt_vis.visualization import (
    TrackLabel,
    WrittenVideo,
    draw_legend,
    draw_tracks,
    track_color,
    write_video,
)

from .errors import InferenceError
from .frame_sources import FrameSource
from .results import Track, VideoResult

_MASK_INDEX = "tracks.json"
_MASK_NAME = "{:05d}.png"
_MASK_FORMAT = "tmt_vis.masks/1"
_LEGEND_SHARE = 1 / 3  # of the height of a frame, at most
_MAX_BYTE = 255


def write_json(path: Path, results: Mapping[int, VideoResult]) -> int:
    """Write tracks in the result format of YouTube-VIS, with names.

    The keys the format knows come with ``category_name``, ``track_id`` and
    ``video_name``, which evaluation servers ignore, and for a video with a variable
    rate ``frame_times``, in seconds. ``category_id`` is the ``source_id``.

    Args:
        path: The file.
        results: Of the videos, by ``video_id``.

    Returns:
        Number of tracks.
    """
    count = 0
    with replacing(path) as draft, open(draft, "w", encoding="utf-8") as stream:
        for video_id, result in results.items():
            for entry in track_entries(result, video_id):
                stream.write(("[\n" if not count else ",\n") + json.dumps(entry))
                count += 1
        stream.write("\n]\n" if count else "[]\n")
    return count


def track_entries(result: VideoResult, video_id: int) -> Iterator[dict[str, Any]]:
    """Yield the tracks of a video as JSON data, see :func:`write_json`."""
    for track in result.tracks:
        yield _entry(track, video_id, result)


def write_masks(folder: Path, result: VideoResult) -> None:
    """Write one index image per frame, and what the indices mean.

    A pixel holds the id of its track, 0 where there is none; where tracks overlap, the
    better score wins. Images are 8 bit with a palette, 16 bit grey beyond 255 ids.
    ``tracks.json`` gives name, score and colour of each id.

    Args:
        folder: Holds ``00000.png`` and on. A folder with nothing but masks that were
            written here is replaced.
        result: Of the video.

    Raises:
        InferenceError: If there is a folder that holds something else.
    """
    check_mask_folder(folder)
    tracks = best_per_object(result.tracks)
    wide = max((track.id for track in tracks), default=0) > _MAX_BYTE
    with replacing(folder, is_ours=is_mask_folder) as draft:
        draft.mkdir()
        masks = _masks_per_frame(tracks, result)
        for number, shown in enumerate(masks):
            index = np.zeros((result.height, result.width), np.uint16)
            # Best last, so that it covers the others.
            for track, mask in zip(tracks[::-1], shown[::-1], strict=True):
                index[mask] = track.id
            image = Image.fromarray(index if wide else index.astype(np.uint8))
            if not wide:
                image.putpalette(_palette())
            image.save(draft / _MASK_NAME.format(number))
        content = {
            "format": _MASK_FORMAT,
            "video": result.name,
            "num_frames": result.num_frames,
            "fps": result.fps,
            "frame_times": result.frame_times,
            "tracks": [_mask_row(track) for track in tracks],
        }
        text = json.dumps(content, indent=1)
        (draft / _MASK_INDEX).write_text(text + "\n", encoding="utf-8")


def check_mask_folder(folder: Path) -> None:
    """Refuse a folder that may not be replaced by masks.

    Raises:
        InferenceError: If it exists and holds anything else than masks.
    """
    if folder.exists() and not is_mask_folder(folder):
        raise InferenceError(
            f"{folder} exists and does not hold masks of an earlier run only, so it is "
            "not replaced; choose another folder"
        )


def is_mask_folder(folder: Path) -> bool:
    """Tell whether a folder is empty, or holds what :func:`write_masks` wrote, only."""
    if not folder.is_dir():
        return False
    paths = list(folder.iterdir())
    if not all(path.is_file() and not path.is_symlink() for path in paths):
        return False
    names = {path.name for path in paths}
    if not names:
        return True
    try:
        index = json.loads((folder / _MASK_INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    count = len(names) - 1
    written = {_MASK_NAME.format(number) for number in range(count)}
    if not isinstance(index, dict) or names != {*written, _MASK_INDEX}:
        return False
    if set(index) == {"video", "tracks"}:  # as up to version 0.4.2
        return True
    return index.get("format") == _MASK_FORMAT and index.get("num_frames") == count


def write_rendering(
    path: Path,
    result: VideoResult,
    source: FrameSource,
    *,
    legend: bool = True,
    progress: Callable[[int], None] | None = None,
) -> WrittenVideo:
    """Draw the tracks over the video, with a legend under it.

    Args:
        path: ``*.mp4``, ``*.gif`` or another of ``VIDEO_SUFFIXES``.
        result: Of the video.
        source: The video; it is read again. Frames of pixels that are no squares are
            stretched, so that a circle is a circle.
        legend: Write the tags of the tracks under the frames.
        progress: Called after each frame with the number of frames drawn; what it
            raises stops the drawing, and no file is left.

    Returns:
        What the file holds.
    """
    frames = _render(result, source, with_legend=legend, progress=progress)
    return write_video(path, frames, fps=result.fps, times=result.frame_times)


def best_per_object(tracks: Sequence[Track]) -> list[Track]:
    """Keep the best category of each object.

    Args:
        tracks: Best score first.
    """
    unique: dict[int, Track] = {}
    for track in tracks:
        unique.setdefault(track.id, track)
    return list(unique.values())


def _masks_per_frame(
    tracks: Sequence[Track], result: VideoResult
) -> Iterator[np.ndarray]:
    """Yield the masks of the tracks, (N, H, W) bool, for each frame."""
    return frame_masks(
        [track.tube for track in tracks],
        height=result.height,
        width=result.width,
        num_frames=result.num_frames,
    )


def _entry(track: Track, video_id: int, result: VideoResult) -> dict[str, Any]:
    entry = {
        "video_id": video_id,
        "category_id": track.source_id,
        "score": track.score,
        "segmentations": track.tube.to_frames(),
        "category_name": track.name,
        "track_id": track.id,
        "video_name": result.name,
    }
    if result.frame_times is not None:
        entry["frame_times"] = result.frame_times
    return entry


def _mask_row(track: Track) -> dict[str, Any]:
    return {
        "id": track.id,
        "name": track.name,
        "source_id": track.source_id,
        "score": track.score,
        "color": list(track_color(track.id)),
        "first_frame": track.first_frame,
        "last_frame": track.last_frame,
    }


def _palette() -> list[int]:
    """Black for 0, then the colours of the tracks: 256 RGB triples, flat."""
    colors = [track_color(number) for number in range(1, _MAX_BYTE + 1)]
    return [0, 0, 0, *(value for color in colors for value in color)]


def _render(
    result: VideoResult,
    source: FrameSource,
    *,
    with_legend: bool,
    progress: Callable[[int], None] | None,
) -> Iterator[np.ndarray]:
    tracks = best_per_object(result.tracks)
    labels = [TrackLabel(t.id, t.name, t.score) for t in tracks]
    frames = islice(source.frames(), result.num_frames)
    masks = _masks_per_frame(tracks, result)
    legend = None
    for number, (frame, shown) in enumerate(zip(frames, masks, strict=True), 1):
        frame, shown = _square_pixels(frame, shown, source.pixel_aspect)
        image = draw_tracks(np.ascontiguousarray(frame[..., ::-1]), shown, labels)
        if legend is None:
            listed = labels if with_legend else []
            legend = _legend(listed, image.shape[0], image.shape[1])
        yield np.concatenate([image, legend])
        if progress is not None:
            progress(number)


def _square_pixels(
    frame: np.ndarray, masks: np.ndarray, aspect: float
) -> tuple[np.ndarray, np.ndarray]:
    """Stretch a frame (H, W, 3) and its masks (N, H, W) to pixels that are squares."""
    height, width = frame.shape[:2]
    if round(width * aspect) == width:
        return frame, masks
    size = (max(1, round(width * aspect)), height)
    stretched = [
        cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        for mask in masks
    ]
    masks = np.array(stretched, dtype=bool).reshape(-1, *size[::-1])
    return cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR), masks


def _legend(labels: Sequence[TrackLabel], height: int, width: int) -> np.ndarray:
    """Draw the tags of the best tracks, as many as fit under the frame, by id."""
    for count in range(len(labels), 0, -1):
        best = sorted(labels[:count], key=lambda label: label.track_id)
        legend = draw_legend(best, width=width)
        if legend.shape[0] <= height * _LEGEND_SHARE:
            return legend
    return np.zeros((0, width, 3), np.uint8)
