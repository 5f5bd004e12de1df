"""The names that transformers gives a Mask2Former with a Swin backbone.

Written down from files that transformers 4.48.3 ("disk 4") and 5.24.0 ("disk 5") saved,
and from the model that 5.24.0 has in memory.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

_SWIN = "model.pixel_level_module.encoder."
_PIXELS = "model.pixel_level_module.decoder."
_PREDICTOR = "model.transformer_module."


def as_transformers(weights: Mapping[str, Tensor], layout: str) -> dict[str, Tensor]:
    """Name the tensors of detectron2's Mask2Former-VIS Swin-T as transformers does.

    Args:
        weights: By detectron2's names.
        layout: ``disk 4``, ``disk 5`` or ``memory 5``.
    """
    out: dict[str, Tensor] = {}
    for key, value in weights.items():
        parts = key.split(".")
        if parts[0] == "backbone":
            names = _backbone(parts[1:], layout)
        elif parts[0] == "criterion":
            names = [key]
        elif parts[1] == "pixel_decoder":
            names = [_PIXELS + _pixel_decoder(".".join(parts[2:]))]
        else:
            names = _predictor(parts[2:])
        values = value.chunk(3) if len(names) == 3 else [value] * len(names)
        out |= zip(names, values, strict=True)
    if layout != "disk 4":
        for leaf in ("weight", "bias"):
            out[f"{_SWIN}swin.layernorm.{leaf}"] = torch.zeros(8)
    return out


def _backbone(parts: list[str], layout: str) -> list[str]:
    memory = layout == "memory 5"
    root = f"{_SWIN}swin." if memory else _SWIN
    rest = ".".join(parts)
    if parts[0] == "patch_embed":
        rest = rest.replace("patch_embed.proj", "patch_embeddings.projection")
        return [f"{root}embeddings.{rest.removeprefix('patch_embed.')}"]
    if parts[0].startswith("norm"):
        stage = int(parts[0][4:]) + 1
        return [f"{_SWIN}hidden_states_norms.stage{stage}.{parts[1]}"]
    if parts[2] == "downsample":
        return [f"{root}encoder.{rest}"]
    block = f"{root}encoder.layers.{parts[1]}.blocks.{parts[3]}."
    name, leaf = ".".join(parts[4:-1]), parts[-1]
    if leaf == "relative_position_index":
        return [f"{block}attention.self.{leaf}"] if layout == "disk 4" else []
    if leaf == "relative_position_bias_table":
        module = "relative_position_bias" if memory else "self"
        return [f"{block}attention.{module}.{leaf}"]
    if name == "attn.qkv":
        query = ("q_proj", "k_proj", "v_proj")
        query = query if memory else ("self.query", "self.key", "self.value")
        return [f"{block}attention.{one}.{leaf}" for one in query]
    names = {
        "norm1": ("layernorm_before", "layernorm_before"),
        "norm2": ("layernorm_after", "layernorm_after"),
        "attn.proj": ("attention.output.dense", "attention.o_proj"),
        "mlp.fc1": ("intermediate.dense", "mlp.fc1"),
        "mlp.fc2": ("output.dense", "mlp.fc2"),
    }
    return [f"{block}{names[name][memory]}.{leaf}"]


def _pixel_decoder(name: str) -> str:
    for ours, theirs in (
        ("input_proj.", "input_projections."),
        ("transformer.", ""),
        (".norm1.", ".self_attn_layer_norm."),
        (".norm2.", ".final_layer_norm."),
        (".linear", ".fc"),
        ("mask_features.", "mask_projection."),
        ("adapter_1.norm.", "adapter_1.1."),
        ("layer_1.norm.", "layer_1.1."),
        ("adapter_1.weight", "adapter_1.0.weight"),
        ("layer_1.weight", "layer_1.0.weight"),
    ):
        name = name.replace(ours, theirs)
    return name


def _predictor(parts: list[str]) -> list[str]:
    name, leaf = parts[0], parts[-1]
    simple = {
        "decoder_norm": "decoder.layernorm",
        "query_feat": "queries_features",
        "query_embed": "queries_embedder",
        "level_embed": "level_embed",
    }
    if name == "class_embed":
        return [f"class_predictor.{leaf}"]
    if name == "mask_embed":
        mlp = f"decoder.mask_predictor.mask_embedder.{parts[2]}.0.{leaf}"
        return [_PREDICTOR + mlp]
    if name in simple:
        return [f"{_PREDICTOR}{simple[name]}.{leaf}"]
    layer = f"{_PREDICTOR}decoder.layers.{parts[1]}."
    if "ffn" in name:
        module = parts[2].replace("linear", "fc")
        return [f"{layer}{module.replace('norm', 'final_layer_norm')}.{leaf}"]
    attention = "self_attn" if "self" in name else "cross_attn"
    if parts[2] == "norm":
        return [f"{layer}{attention}_layer_norm.{leaf}"]
    if attention == "self_attn" and leaf.startswith("in_proj"):
        leaf = leaf.removeprefix("in_proj_")
        return [f"{layer}self_attn.{one}_proj.{leaf}" for one in "qkv"]
    return [f"{layer}{'.'.join([attention, *parts[3:]])}"]
