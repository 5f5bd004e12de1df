"""Every host, small: the models that ``tests/contract/test_hosts.py`` asks.

A new host adds one entry to :data:`HOSTS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from helpers.tiny_idol import eager_idol
from helpers.tiny_model import model_cfg
from helpers.tiny_vmt import model_cfg as vmt_cfg


@dataclass(frozen=True)
class TinyHost:
    """A host whose tests take milliseconds.

    Args:
        model: makes the config of the whole detector.
        train_frames: lengths of clips that the host can be trained with.
    """

    model: Callable[[], dict[str, Any]]
    train_frames: tuple[int, ...] = (1, 2, 5)


_VIDEO = dict(
    encoder=dict(num_layers=2, num_heads=4, ffn_channels=32),
    decoder=dict(num_queries=6, num_layers=2, num_heads=4, ffn_channels=32),
)


def vita_cfg(**head: Any) -> dict[str, Any]:
    """Make the config of a tiny VITA, guided unless told otherwise."""
    video = _VIDEO | head.pop("video", {})
    return model_cfg(type="VITAHead", video=video, **head)


def genvis_cfg(**head: Any) -> dict[str, Any]:
    """Make the config of a tiny GenVIS, guided unless told otherwise."""
    video = _VIDEO | head.pop("video", {})
    model = model_cfg(type="GenVISHead", video=video, **head)
    return model | dict(frozen=("backbone", "head.pixel_decoder", "head.query_decoder"))


HOSTS = {
    "mask2former_vis": TinyHost(lambda: model_cfg(taxonomy_modules=False)),
    "minvis": TinyHost(lambda: model_cfg(taxonomy_modules=False, per_frame=True)),
    "tmt_vis": TinyHost(model_cfg),
    "idol": TinyHost(lambda: eager_idol(taxonomy=False), (2,)),
    "tmt_idol": TinyHost(lambda: eager_idol(taxonomy=True), (2,)),
    "tmt_minvis": TinyHost(lambda: model_cfg(per_frame=True)),
    "vmt": TinyHost(vmt_cfg),
    "vita": TinyHost(lambda: vita_cfg(taxonomy_modules=False)),
    "tmt_vita": TinyHost(lambda: vita_cfg(inject_to="both")),
    "genvis": TinyHost(lambda: genvis_cfg(taxonomy_modules=False)),
    "tmt_genvis_semi": TinyHost(lambda: genvis_cfg(window=2), train_frames=(2, 4)),
}
