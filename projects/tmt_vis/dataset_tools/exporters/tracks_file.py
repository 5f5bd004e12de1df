"""Predicted tracks as they are exported: read from a result file, checked once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tmt_vis.datasets.frame_files import frames_of
from tmt_vis.evaluation.result_stream import iterate_entries
from tmt_vis.structures import TubeRLE
from tmt_vis.taxonomy import LabelSpace

from ..findings import Findings
from .errors import ExportError

FRAME_PATTERN = "{:06d}.jpg"  # as tools/extract_frames.py numbers them


@dataclass(frozen=True)
class ExportTrack:
    """One object.

    Args:
        id: Number of the object in its video, from 1.
        name: Category name.
        score: Of the category, in [0, 1].
        tube: Masks over all frames, at least one of them with a pixel.
    """

    id: int
    name: str
    score: float
    tube: TubeRLE


@dataclass(frozen=True)
class ExportVideo:
    """One video.

    Args:
        name: A relative path without ending, with slashes; a safe file name.
        height: H in pixels.
        width: W in pixels.
        file_names: The T frames, relative to the folder of all frames.
        tracks: Its objects, by id.
        fps: Frames per second.
    """

    name: str
    height: int
    width: int
    file_names: tuple[str, ...]
    tracks: tuple[ExportTrack, ...]
    fps: float

    @property
    def num_frames(self) -> int:
        """Number of frames, T."""
        return len(self.file_names)

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of the frames without folder and ending."""
        return tuple(Path(name).stem for name in self.file_names)


@dataclass(frozen=True)
class TrackFile:
    """Everything that is exported.

    Args:
        videos: With at least one track each.
        categories: All names that may occur, in the order of their ids, and the ids.
        image_root: Folder of the frames; None where it is not known.
        label_space_name: Of the label space that was predicted.
    """

    videos: tuple[ExportVideo, ...]
    categories: Mapping[str, int]
    image_root: Path | None
    label_space_name: str


@dataclass(frozen=True)
class ReadOptions:
    """How a result file is read.

    Args:
        images: Folder that holds a folder of frames for each video; None takes the
            names that ``tools/extract_frames.py`` gives.
        label_space: Categories the file may use, with their ids; None takes those that
            occur.
        score_thr: Tracks with a lower score are left out.
        fps: Frames per second of the videos.
    """

    images: Path | None = None
    label_space: LabelSpace | None = None
    score_thr: float = 0.0
    fps: float = 30.0


def read_tracks(path: Path, options: ReadOptions, findings: Findings) -> TrackFile:
    """Read the results of ``tools/infer.py --out-json``.

    An object with several categories gets the one with the best score.

    Args:
        path: The JSON list of tracks.
        options: How it is read.
        findings: What is left out is counted here.

    Raises:
        ExportError: If an entry breaks a rule, or nothing is left to export.
    """
    best: dict[tuple[int, int], tuple[str, Mapping[str, Any], ExportTrack]] = {}
    ids: dict[str, int] = {}
    for number, entry in enumerate(_entries(path)):
        where = f"{path}: entry {number}"
        _check_category(entry, ids, options.label_space, where)
        track = _track(entry, where)
        name, video_id = (
            _text(entry, "video_name", where),
            _id(entry, "video_id", where),
        )
        if track is None:
            findings.add("tracks without a pixel, left out", where)
        elif track.score < options.score_thr:
            findings.add("tracks below the score threshold, left out", where)
        elif (known := best.get((video_id, track.id))) and known[
            2
        ].score >= track.score:
            findings.add("further categories of an object, left out", where)
        else:
            if known:
                findings.add("further categories of an object, left out", where)
            best[video_id, track.id] = (name, entry, track)
    if not best:
        raise ExportError(
            f"{path} holds no track to export; lower --score-thr or predict again"
        )
    by_video: dict[int, tuple[str, list[ExportTrack]]] = {}
    for (video_id, _), (name, _, track) in sorted(best.items()):
        by_video.setdefault(video_id, (name, []))[1].append(track)
    _check_names(by_video, path)
    videos = tuple(_video(n, tracks, options, path) for n, tracks in by_video.values())
    space = options.label_space
    if space is not None:
        ids = {c.name: c.source_id for c in space.categories}
    ordered = dict(sorted(ids.items(), key=lambda item: item[1]))
    name = "exported" if space is None else space.name
    return TrackFile(videos, ordered, options.images, name)


def _entries(path: Path) -> Iterable[Mapping[str, Any]]:
    size = path.stat().st_size  # no entry is longer than the file
    try:
        for number, entry in enumerate(iterate_entries(path, max_entry=size)):
            if not isinstance(entry, Mapping):
                raise ExportError(f"{path}: entry {number} must be an object")
            yield entry
    except ValueError as error:
        if isinstance(error, ExportError):
            raise
        raise ExportError(f"{error}; give the file of tools/infer.py --out-json") from (
            error
        )


def _check_category(
    entry: Mapping[str, Any],
    ids: dict[str, int],
    space: LabelSpace | None,
    where: str,
) -> None:
    """Take up the category, or find that it is of another label space."""
    name, number = (
        _text(entry, "category_name", where),
        _id(entry, "category_id", where),
    )
    if space is not None:
        known = {c.name: c.source_id for c in space.categories}
        if known.get(name) != number:
            raise ExportError(
                f"{where}: category {name!r} with id {number} is not in label space "
                f"{space.name!r}; name the label space that was predicted"
            )
    if ids.setdefault(name, number) != number:
        raise ExportError(
            f"{where}: category {name!r} has the ids {ids[name]} and {number}; the "
            "file mixes label spaces, export them one by one"
        )


def _track(entry: Mapping[str, Any], where: str) -> ExportTrack | None:
    frames = entry.get("segmentations")
    if not isinstance(frames, Sequence) or isinstance(frames, str) or not frames:
        raise ExportError(
            f"{where}: segmentations must be a list with a mask per frame"
        )
    score = entry.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise ExportError(f"{where}: score must be a number, got {score!r:.40}")
    number = _id(entry, "track_id", where)
    first = next((frame for frame in frames if frame is not None), None)
    if first is None:
        return None
    try:
        height, width = first["size"]
        tube = TubeRLE.from_frames(frames, height, width)
    except (KeyError, TypeError, ValueError) as error:
        raise ExportError(f"{where}: broken masks ({error})") from error
    name = _text(entry, "category_name", where)
    return ExportTrack(number, name, float(score), tube) if tube.area else None


def _id(entry: Mapping[str, Any], key: str, where: str) -> int:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ExportError(
            f"{where}: {key} must be a whole number, got {value!r:.40}; give the file "
            "of tools/infer.py --out-json"
        )
    return value


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise ExportError(
            f"{where}: has no {key}; give the file of tools/infer.py --out-json"
        )
    return value


def _check_names(
    videos: Mapping[int, tuple[str, list[ExportTrack]]], path: Path
) -> None:
    names: dict[str, int] = {}
    for video_id, (name, _) in videos.items():
        if name in names:
            raise ExportError(
                f"{path}: the videos {names[name]} and {video_id} are both called "
                f"{name!r}, so their files would be one; rename one, predict it again"
            )
        names[name] = video_id
        if Path(name).is_absolute() or {"..", "."} & set(name.split("/")):
            raise ExportError(
                f"{path}: {name!r} is no name for a folder; rename the video and "
                "predict it again"
            )


def _video(
    name: str, tracks: list[ExportTrack], options: ReadOptions, path: Path
) -> ExportVideo:
    first = tracks[0].tube
    for track in tracks:
        sizes = [
            (t.num_frames, t.height, t.width) for t in (first, track.tube)
        ]  # T, H, W
        if sizes[0] != sizes[1]:
            raise ExportError(
                f"{path}: the tracks {tracks[0].id} and {track.id} of video {name!r} "
                f"have other frames (T, H, W): {sizes[0]} and {sizes[1]}"
            )
    return ExportVideo(
        name=name,
        height=first.height,
        width=first.width,
        file_names=_file_names(name, first.num_frames, options.images),
        tracks=tuple(tracks),
        fps=options.fps,
    )


def _file_names(name: str, count: int, images: Path | None) -> tuple[str, ...]:
    if images is None:
        return tuple(f"{name}/{FRAME_PATTERN.format(t)}" for t in range(count))
    folder = images / name
    if not folder.is_dir():
        raise ExportError(
            f"{folder} does not exist; --images must hold a folder of frames for each "
            "video, which tools/extract_frames.py writes"
        )
    frames = frames_of(folder)
    if len(frames) != count:
        raise ExportError(
            f"{folder} holds {len(frames)} frames but video {name!r} was predicted "
            f"with {count}; give the frames that were predicted"
        )
    return tuple(frame.relative_to(images).as_posix() for frame in frames)
