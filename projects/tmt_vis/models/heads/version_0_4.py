"""Configs and checkpoints of version 0.4, whose heads were one module."""

from typing import Any

from torch import Tensor

from tmt_vis.typedefs import ConfigType

_MOVED = {
    "query_decoder.": (
        "transformer_decoder.",
        "decoder_input_projs.",
        "level_embed.",
        "query_embed.",
        "query_feat.",
        "mask_embed.",
        "cls_embed.",
    ),
    "guidance.": ("tcm.", "tim."),
}


def rename_keys(state_dict: dict[str, Tensor], prefix: str) -> None:
    """Give the tensors of a head the names they have now.

    mmdet's Mask2Former uses the old names as well.

    Args:
        state_dict: of a checkpoint; changed in place.
        prefix: of the head in it.
    """
    moved = {old: new for new, olds in _MOVED.items() for old in olds}
    for key in [k for k in state_dict if k.startswith(prefix)]:
        name = key[len(prefix) :]
        for old, new in moved.items():
            if name.startswith(old):
                state_dict[f"{prefix}{new}{name}"] = state_dict.pop(key)


def frame_options(scope: ConfigType | None) -> dict[str, Any]:
    """Translate ``head.scope`` into the arguments of a head.

    Args:
        scope: ``dict(type="ClipScope")`` or ``dict(type="FrameScope", tracker=...,
            test_taxonomy=..., frames_per_chunk=...)``; None changes nothing.

    Raises:
        ValueError: on another type.
    """
    if scope is None:
        return {}
    options = dict(scope)
    kind = options.pop("type")
    if kind not in ("ClipScope", "FrameScope"):
        raise ValueError(f"scope.type must be ClipScope or FrameScope, got {kind!r}")
    return options | dict(per_frame=kind == "FrameScope")
