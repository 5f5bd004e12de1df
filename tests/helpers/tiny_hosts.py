"""Every host, small: the models that ``tests/contract/test_hosts.py`` asks.

A new host adds one entry to :data:`HOSTS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from helpers.tiny_idol import eager_idol
from helpers.tiny_model import model_cfg


@dataclass(frozen=True)
class TinyHost:
    """A host whose tests take milliseconds.

    Args:
        model: makes the config of the whole detector.
        train_frames: lengths of clips that the host can be trained with.
    """

    model: Callable[[], dict[str, Any]]
    train_frames: tuple[int, ...] = (1, 2, 5)


HOSTS = {
    "mask2former_vis": TinyHost(lambda: model_cfg(taxonomy_modules=False)),
    "minvis": TinyHost(lambda: model_cfg(taxonomy_modules=False, per_frame=True)),
    "tmt_vis": TinyHost(model_cfg),
    "idol": TinyHost(lambda: eager_idol(taxonomy=False), (2,)),
    "tmt_idol": TinyHost(lambda: eager_idol(taxonomy=True), (2,)),
    "tmt_minvis": TinyHost(lambda: model_cfg(per_frame=True)),
}
