"""VITA and GenVIS as benchmarks run them: R50, or a shallow model of full width."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from helpers.config_family import load
from mmdet.registry import MODELS
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from tmt_vis.streaming import VideoEngine
from tmt_vis.structures import ClipDataSample

from .common import Options
from .models import Video

CONFIGS = dict(
    vita="vita/vita_r50_8xb1-140k_ytvis19",
    genvis="genvis/genvis-online_r50_4xb2-15k_ytvis19",
)


def video(options: Options, frames: int) -> Video:
    """Return a video of 360p."""
    if options.tiny:
        return Video(frames, (32, 64), (32, 64), (32, 64))
    return Video(frames, (384, 640), (360, 640), (360, 640))


def build(host: str, *, shallow: bool, **head: Any) -> nn.Module:
    """Build a host with random weights.

    Args:
        host: a key of ``CONFIGS``.
        shallow: few layers and a narrow backbone, with queries and mask features of
            full width: what is kept of a frame is the same.
        **head: changes of the head's config.
    """
    cfg = copy.deepcopy(load(CONFIGS[host]).model.to_dict())
    cfg["head"] |= head
    if shallow:
        cfg["backbone"] |= dict(depth=18, base_channels=16, stem_channels=16)
        cfg["head"]["pixel_decoder"]["in_channels"] = [16, 32, 64, 128]
        cfg["head"]["pixel_decoder"]["encoder"]["num_layers"] = 1
        cfg["head"]["decoder"]["num_layers"] = 2
        cfg["head"]["video"]["encoder"]["num_layers"] = 2
        cfg["head"]["video"]["decoder"]["num_layers"] = 2
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(cfg).eval()


def sample(clip: Video) -> ClipDataSample:
    """Return the sample of a video."""
    meta = {k: v for k, v in clip.meta.items() if k != "batch_input_shape"}
    return ClipDataSample(metainfo=dict(meta, label_space="ytvis19"))


def frames_of(clip: Video) -> Iterator[dict[str, Any]]:
    """Yield uint8 frames one by one; none is kept."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(clip.frames):
        pixels = torch.randint(0, 256, (1, 3, *clip.image), generator=generator)
        yield dict(inputs=pixels.to(torch.uint8), data_samples=sample(clip))


def stream(model: nn.Module, clip: Video) -> Any:
    """Predict a video frame by frame and return its objects."""
    engine = VideoEngine(model, label_space="ytvis19", several_categories=True)
    linker = engine.linker()
    for prediction, _ in engine.run(frames_of(clip)):
        linker.add(prediction)
    return linker.finish()


def normalised(clip: Video) -> Tensor:
    """Return one normalised and padded frame, ``(1, 3, H, W)``."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, 3, *clip.padded, generator=generator)
