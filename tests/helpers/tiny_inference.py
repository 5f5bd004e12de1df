"""A config and a checkpoint on disk, as a user has them, and frames to look at."""

import copy
import json
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from helpers.tiny_model import build, model_cfg
from mmengine.config import Config

from tmt_vis.inference import ArrayFrames, VISInferencer

SIZE = (32, 48)
RESIZE = dict(type="Resize", scale=(60, 30), keep_ratio=True)
PIPELINE = [
    dict(type="LoadClipFrames"),
    dict(type="ClipBroadcaster", transforms=[RESIZE]),
    dict(type="PackClipInputs"),
]
TEXT_CLASSIFIER = dict(type="TextSimilarityClassifier")


def tiny_cfg(*, frames_per_chunk: int = 3, **head: Any) -> Config:
    """Make a whole config; its test pipelines resize to (h, w) = (30, 45)."""
    spaces = head.get("label_spaces", ("ytvis19", "ovis"))
    datasets = {
        name: dict(type="VISDataset", label_space=name, pipeline=PIPELINE)
        for name in spaces
    }
    test = dict(dataset=dict(type="MultiDatasetVideoDataset", datasets=datasets))
    model = dict(model_cfg(**head), frames_per_chunk=frames_per_chunk)
    return Config(copy.deepcopy(dict(model=model, test_dataloader=test)))


def write_config(path: Path, cfg: Config) -> Path:
    """Write a config file; ``Config.dump`` formats it, which takes a second."""
    lines = [f"{key} = {value!r}" for key, value in cfg.to_dict().items()]
    path.write_text("\n".join(lines))
    return path


def write_checkpoint(path: Path, **head: Any) -> Path:
    """Write a checkpoint of the model of ``tiny_cfg``."""
    torch.save(dict(state_dict=_weights(json.dumps(head))), path)
    return path


def tiny_inferencer(*, head: dict | None = None, **options: Any) -> VISInferencer:
    """Return an inferencer; those of one head share the model, which takes time."""
    find = copy.copy(_inferencer(json.dumps(head or {})))
    find.cfg = copy.deepcopy(find.cfg)  # Config.copy() would share what is nested
    for name, value in options.items():
        assert hasattr(find, name)
        setattr(find, name, value)
    return find


@cache
def _weights(head: str) -> dict[str, torch.Tensor]:
    return build(**json.loads(head)).state_dict()


@cache
def _inferencer(head: str) -> VISInferencer:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_checkpoint(Path(folder) / "tiny.pth", **json.loads(head))
        return VISInferencer(tiny_cfg(**json.loads(head)), checkpoint, device="cpu")


def frames(count: int, *, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """Make frames of noise in which a bright square moves."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 90, (count, *size, 3), dtype=np.uint8)
    for number, image in enumerate(images):
        column = 2 * number % (size[1] - 12)
        image[8:20, column : column + 12] = (40, 200, 250)
    return list(images)


def write_images(folder: Path, images: Sequence[np.ndarray]) -> Path:
    """Write frames as PNG; names count without leading zeros."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        assert cv2.imwrite(str(folder / f"frame{number}.png"), image)
    return folder


def write_video_file(path: Path, images: Sequence[np.ndarray], *, fps: float = 5):
    """Write frames as a video with one JPEG per frame."""
    height, width = images[0].shape[:2]
    code = cv2.VideoWriter_fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), code, fps, (width, height))
    assert writer.isOpened()
    for image in images:
        writer.write(image)
    writer.release()
    return path


class WatchedFrames(ArrayFrames):
    """Copies of frames, made when asked for; knows how many are alive.

    Args:
        images: The frames.
        fail_at: Number of the frame at which reading breaks; None: never.
    """

    def __init__(self, images: Sequence[np.ndarray], *, fail_at: int | None = None):
        super().__init__(images)
        self.fail_at = fail_at
        self.num_read = 0
        self.alive = 0
        self.most_alive = 0

    def _read(self, start: int) -> Iterator[np.ndarray]:
        for number, image in enumerate(super()._read(start), start):
            if number == self.fail_at:
                raise OSError(f"frame {number} broke")
            self.num_read += 1
            copied = image.copy()
            self.alive += 1
            self.most_alive = max(self.most_alive, self.alive)
            weakref.finalize(copied, self._died)
            yield copied
            del copied

    def _died(self) -> None:
        self.alive -= 1
