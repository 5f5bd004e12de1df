"""The pictures of the demo: ground truth beside prediction, losses, taxonomy."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tmt_vis.structures import TubeRLE, tube_iou
from tmt_vis.visualization import (
    SheetVideo,
    TrackLabel,
    contact_sheet,
    draw_video,
    plot_ap,
    plot_losses,
    plot_taxonomy,
    read_scalars,
    write_image,
    write_video,
)

FPS = 6.0  # of the generated videos


@dataclass(frozen=True)
class ValSplit:
    """Where a validation split and its results lie.

    Args:
        dataset: name of the dataset.
        ann_file: annotation file in the official format.
        image_dir: folder the file names are relative to.
        results: ``results.json`` of the model, official format.
    """

    dataset: str
    ann_file: Path
    image_dir: Path
    results: Path


def read_frames(split: ValSplit, video: dict[str, Any]) -> list[np.ndarray]:
    """Read the frames of a video as RGB, failing on the first unreadable one."""
    frames = []
    for name in video["file_names"]:
        image = cv2.imread(str(split.image_dir / name))
        if image is None:
            raise OSError(f"cannot read frame {split.image_dir / name}")
        frames.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    return frames


@dataclass(frozen=True)
class Selection:
    """Which tracks a picture shows.

    Args:
        score_thr: tracks below this score are left out.
        max_iou: tracks that overlap a better one by more are left out. The demo's
            model, minutes old, often finds one object with several queries.
    """

    score_thr: float
    max_iou: float

    def of(self, results: Sequence[dict], video: dict) -> list[dict[str, Any]]:
        """Return the tracks of a video, best first."""
        good = [
            track
            for track in results
            if track["video_id"] == video["id"] and track["score"] >= self.score_thr
        ]
        kept, tubes = [], []
        for track in sorted(good, key=lambda t: -t["score"]):
            tube = TubeRLE.from_frames(
                track["segmentations"], video["height"], video["width"]
            )
            if tube_iou([tube], tubes).max(initial=0.0) <= self.max_iou:
                kept.append(track)
                tubes.append(tube)
        return kept


def write_contact_sheet(
    path: Path,
    splits: Sequence[ValSplit],
    selection: Selection,
    *,
    per_dataset: int = 2,
) -> None:
    """Lay the first videos of each split out, ground truth over prediction.

    Args:
        path: PNG to write.
        splits: what to show.
        selection: which predictions are shown.
        per_dataset: videos of each split.
    """
    blocks = [
        block for split in splits for block in _blocks(split, selection, per_dataset)
    ]
    write_image(path, contact_sheet(blocks))


def _blocks(split: ValSplit, selection: Selection, count: int) -> Iterable[SheetVideo]:
    content = json.loads(split.ann_file.read_text())
    results = json.loads(split.results.read_text())
    names = {c["id"]: c["name"] for c in content["categories"]}
    for video in content["videos"][:count]:
        frames = read_frames(split, video)
        truth = [a for a in content["annotations"] if a["video_id"] == video["id"]]
        yield SheetVideo(
            dataset=split.dataset,
            name=Path(video["file_names"][0]).parent.name,
            strips={
                "ground truth": _draw(frames, truth, names),
                "prediction": _draw(frames, selection.of(results, video), names),
            },
        )


def _draw(
    frames: list[np.ndarray],
    tracks: list[dict],
    names: dict[int, str],
    zoom: int | None = None,
) -> list[np.ndarray]:
    height, width = frames[0].shape[:2]
    tubes = [TubeRLE.from_frames(t["segmentations"], height, width) for t in tracks]
    labels = [
        TrackLabel(i + 1, names[t["category_id"]], t.get("score"))
        for i, t in enumerate(tracks)
    ]
    return list(draw_video(frames, tubes, labels, zoom=zoom))


def write_input_video(path: Path, split: ValSplit, *, fps: float) -> dict[str, Any]:
    """Join the frames of the split's first video into a video file.

    Args:
        path: mp4 to write.
        split: where the frames are.
        fps: frames per second.

    Returns:
        The video's ``name`` and the ``source_ids`` of its categories.
    """
    content = json.loads(split.ann_file.read_text())
    video = content["videos"][0]
    inside = {
        annotation["category_id"]
        for annotation in content["annotations"]
        if annotation["video_id"] == video["id"]
    }
    write_video(path, read_frames(split, video), fps=fps)
    name = Path(video["file_names"][0]).parent.name
    return dict(name=name, source_ids=sorted(inside))


def write_datasets_gif(
    path: Path, splits: Sequence[ValSplit], selection: Selection
) -> None:
    """Show the predictions on the first video of each split side by side.

    Args:
        path: GIF to write.
        splits: what to show, from left to right.
        selection: which predictions are shown.
    """
    columns = []
    for split in splits:
        content = json.loads(split.ann_file.read_text())
        results = json.loads(split.results.read_text())
        names = {c["id"]: c["name"] for c in content["categories"]}
        video = content["videos"][0]
        tracks = selection.of(results, video)
        columns.append(_draw(read_frames(split, video), tracks, names, zoom=2))
    write_video(path, [np.hstack(row) for row in zip(*columns, strict=True)], fps=FPS)


def write_gif(path: Path, video: Path, *, fps: float) -> None:
    """Convert a rendered mp4 into a GIF, for READMEs and chats."""
    capture = cv2.VideoCapture(str(video))
    frames = []
    while True:
        read, frame = capture.read()
        if not read:
            break
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    capture.release()
    write_video(path, frames, fps=fps)


def write_plots(
    out: Path, *, train_dir: Path, metrics: dict[str, float], prediction: dict[str, Any]
) -> None:
    """Plot losses, AP per dataset and the compiled taxonomy of one video.

    Args:
        out: folder of the pictures.
        train_dir: work_dir of the training.
        metrics: of the test.
        prediction: ``names``, ``scores``, ``present`` and ``title`` of the video.
    """
    plot_losses(out / "losses.png", read_scalars(train_dir))
    plot_ap(out / "ap50.png", {"TMT-VIS (demo)": metrics}, metric="AP50")
    plot_taxonomy(
        out / "taxonomy.png",
        prediction["names"],
        prediction["scores"],
        present=prediction["present"],
        title=prediction["title"],
    )
