"""Folder layouts and file conventions of the official releases."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

BASE64_URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SPLITS = ("train", "val")


@dataclass(frozen=True)
class Layout:
    """Where a dataset keeps frames and annotations, and how it spells them."""

    folder: str
    ann_files: dict[str, str]  # split -> path below folder
    image_dirs: dict[str, str]
    name_video: Callable[[np.random.Generator], str]
    name_frame: Callable[[int, int], str]  # (start index, t) -> file name
    id_steps: int = 1  # video ids advance by 1 .. id_steps
    starts: bool = False  # videos are cuts: `start_idx`, `ytid` and `label` keys
    occlusion: bool = False  # annotations carry a level per frame


def _hex_name(digits: int) -> Callable[[np.random.Generator], str]:
    return lambda rng: "".join(f"{d:x}" for d in rng.integers(0, 16, digits))


def _youtube_name(rng: np.random.Generator) -> str:
    return "".join(BASE64_URL[i] for i in rng.integers(0, 64, 11))


def _youtube_vis(folder: str, train_file: str, val_file: str) -> Layout:
    return Layout(
        folder=folder,
        ann_files={"train": train_file, "val": val_file},
        image_dirs={"train": "train/JPEGImages", "val": "valid/JPEGImages"},
        name_video=_hex_name(10),
        name_frame=lambda start, t: f"{5 * t:05d}.jpg",  # every fifth frame is labelled
    )


LAYOUTS: dict[str, Layout] = {
    "ytvis19": _youtube_vis("ytvis_2019", "train.json", "valid.json"),
    "ytvis21": _youtube_vis(
        "ytvis_2021", "train/instances.json", "valid/instances.json"
    ),
    "ovis": Layout(
        folder="ovis",
        ann_files={"train": "annotations_train.json", "val": "annotations_valid.json"},
        image_dirs={"train": "train", "val": "valid"},
        name_video=_hex_name(8),
        name_frame=lambda start, t: f"img_{t + 1:07d}.jpg",
        occlusion=True,
    ),
    "uvo": Layout(
        folder="uvo",
        ann_files={
            split: f"VideoDenseSet/UVO_video_{split}_dense_with_label.json"
            for split in SPLITS
        },
        image_dirs=dict.fromkeys(SPLITS, "uvo_videos_dense_frames"),
        name_video=_youtube_name,
        name_frame=lambda start, t: f"{start + t}.png",
        id_steps=9,
        starts=True,
    ),
}


def frame_path(dataset: str, split: str, file_name: str) -> PurePosixPath:
    """Return a frame's path below the output folder."""
    layout = LAYOUTS[dataset]
    return PurePosixPath(layout.folder, layout.image_dirs[split], file_name)
