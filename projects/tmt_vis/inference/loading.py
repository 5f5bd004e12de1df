"""Config and checkpoint to a model that is ready to predict."""

import hashlib
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

# The package also makes CheckpointLoader read weights only.
from tmt_vis.engine import (
    IncompleteWeightsError,
    apply_options,
    load_complete_weights,
    read_config,
)
from tmt_vis.model_zoo import NamedModel, open_model
from tmt_vis.models import VideoSegmentor

from .devices import usable_device
from .errors import InferenceError


def load_config(
    config: str | PathLike[str] | Config, cfg_options: Mapping[str, Any] | None = None
) -> Config:
    """Read a config and apply options to it.

    Args:
        config: Path of a config file, or a config, which is not changed.
        cfg_options: Dotted names and values, as ``--cfg-options``.

    Returns:
        The config.

    Raises:
        ConfigError: If the file is no config of a model, or an option has no place.
    """
    if not isinstance(config, Config):
        return read_config(config, cfg_options)
    cfg = config.copy()
    apply_options(cfg, cfg_options)
    return cfg


def open_named(
    name: str | PathLike[str] | Config, *, accept_license: bool
) -> NamedModel:
    """Get the released model that a user asked for without giving a checkpoint.

    Args:
        name: Its name.
        accept_license: Whether the licence of its weights is accepted.

    Raises:
        InferenceError: If it is a config, which needs a checkpoint.
        ModelZooError: If there is no such model, or it cannot be had.
    """
    if isinstance(name, Config) or fspath(name).endswith(".py"):
        raise InferenceError(
            "a config needs a checkpoint (checkpoint=, --checkpoint), got none; "
            "without one, give the name of a released model (tmt-vis infer "
            "--list-models)"
        )
    return open_model(fspath(name), accept_license=accept_license)


def load_model(
    cfg: Config, checkpoint: str | PathLike[str], device: torch.device | str | None
) -> VideoSegmentor:
    """Build the model of a config with the weights of a checkpoint.

    Nothing but tensors and plain values is read from the checkpoint, and nothing is
    downloaded but the checkpoint itself, if it is a URL.

    Args:
        cfg: The config.
        checkpoint: Path or URL.
        device: Where the model goes; None takes the GPU if there is one.

    Returns:
        The model in evaluation mode.

    Raises:
        InferenceError: If the config's model is no VideoSegmentor, or the checkpoint
            lacks weights of it.
        CheckpointTaxonomyError: If it was trained on other label spaces.
        UnsafeCheckpointError: If it holds pickled classes.
        DamagedCheckpointError: If it is cut off, or no checkpoint.
    """
    device = usable_device(device)
    model = MODELS.build(cfg.model)
    if not isinstance(model, VideoSegmentor):
        raise InferenceError(
            "inference needs a config whose model is a TMTVIS or VideoSegmentor, got "
            f"{cfg.model.type}"
        )
    loaded = CheckpointLoader.load_checkpoint(fspath(checkpoint), map_location="cpu")
    _load_weights(model, loaded["state_dict"], fspath(checkpoint))
    return model.to(device).eval()


def _load_weights(
    model: nn.Module, weights: Mapping[str, Tensor], checkpoint: str
) -> None:
    try:
        load_complete_weights(model, weights, source=checkpoint)
    except IncompleteWeightsError as error:
        raise InferenceError(str(error)) from error


def digest_of_state(module: nn.Module) -> str:
    """Hash the weights and buffers of a module (about a second per 500 MB).

    Args:
        module: The module, on any device.

    Returns:
        SHA-256 in hex.
    """
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
