"""Results to files, each of which appears complete or not at all."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tmt_vis.files import replacing
from tmt_vis.structures import frame_masks
from tmt_vis.visualization import (
    TrackLabel,
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
    ``video_name``, which evaluation servers ignore. ``category_id`` is the
    ``source_id``.

    Args:
        path: The file.
        results: Of the videos, by ``video_id``.

    Returns:
        Number of tracks.
    """
    count = 0
    with replacing(path) as draft, open(draft, "w", encoding="utf-8") as stream:
        for video_id, result in results.items():
            for track in result.tracks:
                entry = _entry(track, video_id, result.name)
                stream.write(("[\n" if not count else ",\n") + json.dumps(entry))
                count += 1
        stream.write("\n]\n" if count else "[]\n")
    return count


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
    # Up to version 0.4.2 the index had neither a format nor a number of frames.
    own = {"format": _MASK_FORMAT, "num_frames": count}
    return (
        isinstance(index, dict)
        and {"video", "tracks"} <= set(index) <= {"video", "tracks", *own}
        and all(index.get(key, value) == value for key, value in own.items())
        and names == {*written, _MASK_INDEX}
    )


def write_rendering(path: Path, result: VideoResult, source: FrameSource) -> None:
    """Draw the tracks over the video, with a legend under it.

    Args:
        path: ``*.mp4`` or ``*.gif``.
        result: Of the video.
        source: The video; it is read again.
    """
    write_video(path, _render(result, source), fps=result.fps)


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


def _entry(track: Track, video_id: int, video_name: str) -> dict[str, Any]:
    return {
        "video_id": video_id,
        "category_id": track.source_id,
        "score": track.score,
        "segmentations": track.tube.to_frames(),
        "category_name": track.name,
        "track_id": track.id,
        "video_name": video_name,
    }


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


def _render(result: VideoResult, source: FrameSource) -> Iterator[np.ndarray]:
    tracks = best_per_object(result.tracks)
    labels = [TrackLabel(t.id, t.name, t.score) for t in tracks]
    frames = islice(source.frames(), result.num_frames)
    masks = _masks_per_frame(tracks, result)
    legend = None
    for frame, shown in zip(frames, masks, strict=True):
        image = draw_tracks(np.ascontiguousarray(frame[..., ::-1]), shown, labels)
        if legend is None:
            legend = _legend(labels, image.shape[0], image.shape[1])
        yield np.concatenate([image, legend])


def _legend(labels: Sequence[TrackLabel], height: int, width: int) -> np.ndarray:
    """Draw the tags of the best tracks, as many as fit under the frame, by id."""
    for count in range(len(labels), 0, -1):
        best = sorted(labels[:count], key=lambda label: label.track_id)
        legend = draw_legend(best, width=width)
        if legend.shape[0] <= height * _LEGEND_SHARE:
            return legend
    return np.zeros((0, width, 3), np.uint8)
