"""Time per frame of the hosts that see one frame at a time, with random weights."""

import copy
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from helpers.config_family import load
from helpers.tiny_hosts import HOSTS
from mmdet.registry import MODELS
from mmengine.registry import DefaultScope
from torch import nn

from tmt_vis.streaming import VideoEngine, WindowPlan
from tmt_vis.structures import ClipDataSample

from .common import Options, Row, Spec, compare
from .models import Video, video

SPEC = Spec(
    name="advice/online_hosts",
    reference="MinVIS",
    ours="another online host",
    timeout=600,
)
_CONFIGS = dict(
    minvis="minvis/minvis_r50_8xb4-8k_ytvis21",
    idol="idol/idol_r50_8xb4-12k_ytvis21",
    genvis="genvis/genvis-online_r50_4xb2-90k_ytvis21",
)


def build(name: str, options: Options) -> nn.Module:
    """Build a host, R50 or tiny."""
    model = HOSTS[name].model() if options.tiny else load(_CONFIGS[name]).model
    model = copy.deepcopy(model)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(model).eval()


def seconds_per_frame(model: nn.Module, clip: Video, space: str) -> float:
    """Predict a video frame by frame."""
    plan = model.head.plan or WindowPlan(1, 0)
    engine = VideoEngine(model, label_space=space, plan=plan)
    sample = ClipDataSample(metainfo=dict(clip.meta, label_space=space))
    frames: list[Mapping[str, Any]] = [
        dict(inputs=frame[None], data_samples=sample) for frame in clip.pixels()[0]
    ]
    start = time.perf_counter()
    for _ in engine.run(frames, preprocessed=True):
        pass
    return (time.perf_counter() - start) / len(frames)


def run(options: Options) -> Iterator[Row]:
    """Time all hosts in turns."""
    clip = video(options, options.choose(2, 6))
    space = "ovis" if options.tiny else "ytvis21"
    models = {name: build(name, options) for name in _CONFIGS}
    times: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(1 + options.choose(1, 3)):
        for name, model in models.items():
            taken = seconds_per_frame(model, clip, space)
            if turn:  # the first one warms up
                times[name].append(taken)
    for name in ("idol", "genvis"):
        yield compare(
            SPEC,
            times["minvis"],
            times[name],
            size=f"{name}, one frame of {clip}",
            note="random weights, so IDOL tracks more than in a real video",
        )
