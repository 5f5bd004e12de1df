"""Loader workers: clips are made beside the training step."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from .common import Options, Row, Spec, compare_times
from .data_clip_pipeline import Clip

SPEC = Spec(
    name="advice/workers",
    reference="num_workers=0",
    ours="num_workers=2",
)


class _Clips(Dataset):
    def __init__(self, load: Callable[[], dict], count: int) -> None:
        self._load, self._count = load, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Tensor:
        return self._load()["inputs"]


def run(options: Options) -> Iterator[Row]:
    """Compare clips loaded while a device is busy for as long as one takes to load."""
    count = options.choose(4, 24)
    size, scale = options.choose(((36, 64), (32, 18)), ((720, 1280), (640, 360)))
    with tempfile.TemporaryDirectory() as folder:
        load = Clip(Path(folder), size, scale).ours()
        torch.set_num_threads(1)
        load()
        start = time.perf_counter()
        load()
        step = time.perf_counter() - start
        clips = _Clips(load, count)

        def epoch(workers: int) -> Callable[[], int]:
            options = dict(persistent_workers=True) if workers else {}
            loader = DataLoader(clips, num_workers=workers, **options)

            def run() -> int:
                total = 0
                for clip in loader:
                    time.sleep(step)  # the device computes
                    total += clip.numel()
                return total

            return run

        def check(a: int, b: int) -> str:
            assert a == b, f"{b} numbers instead of {a}"
            return "same clips"

        yield compare_times(
            SPEC,
            options,
            size=f"{count} clips of 2 frames, {os.cpu_count()} cores",
            a=epoch(0),
            b=epoch(2),
            check=check,
            note=f"steps of {step * 1e3:.0f} ms that need no core",
        )
