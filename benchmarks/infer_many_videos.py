"""Many videos: two workers against one, and what else than the model takes time."""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from helpers import tiny_inference
from mmdet.registry import MODELS

from tmt_vis.inference import WindowPlan, load_config
from tmt_vis.inference.many_videos import (
    ListedVideo,
    ManyVideosRequest,
    Shard,
    VideoWorker,
    list_videos,
    run_worker,
)

from . import ROOT
from .common import Incorrect, Options, Row, Skipped, Spec, Target, compare

SPEC = Spec(
    name="infer/many_videos",
    reference="one worker of tools/infer.py --out, one thread",
    ours="two workers, one thread each",
    target=Target(ratio=1.6),
    timeout=900,
)
# The paper's model with the text vectors that ship.
_CONFIG = f"""
_base_ = "{ROOT / "configs" / "tmt_vis" / "tmt-vis_r50_8xb2-6k_ytvis19.py"}"
_encoder = dict(_delete_=True, type="SentenceTransformerTextEncoder")
model = dict(head=dict(text_embeddings=dict(encoder=_encoder)))
"""
_START = 120.0  # seconds in which all workers must have loaded their models


@dataclass(frozen=True)
class _Times:
    """Seconds of one worker: in all, and within the model."""

    total: float
    model: float


def run(options: Options) -> Iterator[Row]:
    """Predict the same videos with one and with two workers, in turns."""
    if (os.cpu_count() or 1) < 2:
        raise Skipped("needs two cores")
    torch.set_num_threads(1)  # before workers are forked
    count, length = options.choose((4, 2), (6, 4), (24, 36))
    # At least three: a pair loads three models, which takes longer than it measures.
    pairs = options.choose(1, 3, options.pairs)
    size = options.choose((32, 48), (720, 1280))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        request = _request(folder, options)
        videos = _videos(folder / "videos", count, length, size)
        one, two, shares = [], [], []
        for turn in range(pairs):
            outs = [folder / f"{turn}-{workers}" for workers in (1, 2)]
            alone = _measure(request(outs[0]), videos, workers=1)
            both = _measure(request(outs[1]), videos, workers=2)
            if _contents(outs[0]) != _contents(outs[1]):
                raise Incorrect(f"{SPEC.name}: two workers give other files than one")
            one.append(max(times.total for times in alone))
            two.append(max(times.total for times in both))
            shares += [1 - times.model / times.total for times in alone]
    what = f"{count} videos of {length} frames of {size[0]}x{size[1]}"
    note = "loading the model not counted"
    agreement = "the same bytes"
    yield compare(SPEC, one, two, size=what, note=note, agreement=agreement)
    yield compare(
        SPEC,
        [],
        shares,
        size=f"{what}: share of time outside of the model, one worker",
        unit="share",
        target=Target(at_most=0.1),
        note="decoding, resizing, linking, writing; 10 tracks a video",
    )


def _request(folder: Path, options: Options) -> Callable[[Path], ManyVideosRequest]:
    """Write a checkpoint of random weights; return what makes a request of a folder."""
    config, checkpoint = folder / "config.py", folder / "random.pth"
    if options.tiny:
        tiny_inference.write_config(config, tiny_inference.tiny_cfg())
    else:
        config.write_text(_CONFIG)
    torch.manual_seed(0)
    model = MODELS.build(load_config(config).model)
    torch.save(dict(state_dict=model.state_dict()), checkpoint)

    def request(out: Path) -> ManyVideosRequest:
        return ManyVideosRequest(
            out=out,
            config=str(config),
            checkpoint=str(checkpoint),
            device="cpu",
            windows=WindowPlan(36, 6),
            score_thr=0.0,
            max_objects=10,
            threads=1,
        )

    return request


def _videos(
    folder: Path, count: int, length: int, size: tuple[int, int]
) -> tuple[ListedVideo, ...]:
    folder.mkdir()
    frames = tiny_inference.frames(length + count, size=size)
    for number in range(count):
        shown = frames[number : number + length]
        tiny_inference.write_video_file(folder / f"{number}.avi", shown)
    return list_videos([str(folder)]).videos


def _measure(
    request: ManyVideosRequest, videos: Sequence[ListedVideo], *, workers: int
) -> list[_Times]:
    """Start workers, wait until all have loaded, and time their videos."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(workers)
    pipes, processes = [], []
    for index in range(workers):
        ours, theirs = context.Pipe(duplex=False)
        part = Shard(index, workers).take(videos)
        arguments = (request, videos, part, barrier, theirs)
        processes.append(context.Process(target=_work, args=arguments))
        processes[-1].start()
        theirs.close()
        pipes.append(ours)
    try:
        return [pipe.recv() for pipe in pipes]
    except EOFError:
        raise RuntimeError("a worker died; its error is above") from None
    finally:
        for process in processes:
            process.join()


def _work(
    request: ManyVideosRequest,
    videos: Sequence[ListedVideo],
    part: Sequence[ListedVideo],
    barrier: Any,
    pipe: Connection,
) -> None:
    worker = VideoWorker(request, videos)
    model = worker.find.model
    spent = [0.0]
    for owner, name in (
        (model, "preprocess"),
        (model, "pixel_features"),
        (model.head, "predict_window"),
    ):
        setattr(owner, name, _timed(getattr(owner, name), spent))
    barrier.wait(_START)
    start = time.perf_counter()
    run_worker(worker, part)
    pipe.send(_Times(time.perf_counter() - start, spent[0]))


def _timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent[0] += time.perf_counter() - start

    return call


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("results/*.json")}
