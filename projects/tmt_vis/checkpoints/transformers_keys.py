"""Names of Hugging Face transformers, as detectron2 has them.

Their Mask2Former is a rewrite of detectron2's: the same numbers, with queries, keys and
values of some attentions apart. Checked against the files of transformers 4.48.3 and
5.24.0, whose names on disk differ by a buffer and an unused norm; names that version 5
has in memory only are read as well.
"""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from .errors import KeyMapError, UnknownArchitectureError

MARKER = "model.transformer_module.decoder.layernorm.weight"
_SWIN = "model.pixel_level_module.encoder."
_BACKBONE = (
    (r"(swin\.)?embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"(swin\.)?embeddings\.norm\.", "patch_embed.norm."),
    (r"hidden_states_norms\.stage1\.", "norm0."),
    (r"hidden_states_norms\.stage2\.", "norm1."),
    (r"hidden_states_norms\.stage3\.", "norm2."),
    (r"hidden_states_norms\.stage4\.", "norm3."),
    (r"(swin\.)?encoder\.layers\.", "layers."),
)
_BLOCK = (
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (
        r"\.attention\.(?:self\.)?([qkv])(?:uery|ey|alue|_proj)\.(\w+)$",
        r".attn.qkv.\2#\1",
    ),
    (r"\.attention\.(output\.dense|o_proj)\.", ".attn.proj."),
    (r"\.attention\.(self|relative_position_bias)\.relative", ".attn.relative"),
    (r"\.(intermediate\.dense|mlp\.fc1)\.", ".mlp.fc1."),
    (r"\.(output\.dense|mlp\.fc2)\.", ".mlp.fc2."),
)
_PIXELS = "model.pixel_level_module.decoder."
_PIXEL_DECODER = (
    (r"^input_projections\.", "input_proj."),
    (r"^level_embed$", "transformer.level_embed"),
    (r"^encoder\.", "transformer.encoder."),
    (r"\.self_attn_layer_norm\.", ".norm1."),
    (r"\.final_layer_norm\.", ".norm2."),
    (r"\.fc([12])\.", r".linear\1."),
    (r"^mask_projection\.", "mask_features."),
    (r"^(adapter|layer)_1\.0\.", r"\1_1."),
    (r"^(adapter|layer)_1\.1\.", r"\1_1.norm."),
)
_TRANSFORMER = "model.transformer_module."
_LAYER = r"^decoder\.layers\.(\d+)\."
_SELF, _CROSS, _FFN = (
    rf"transformer_{name}_layers.\1."
    for name in ("self_attention", "cross_attention", "ffn")
)
_DECODER = (
    (rf"{_LAYER}self_attn\.([qkv])_proj\.(\w+)$", rf"{_SELF}self_attn.in_proj_\3#\2"),
    (rf"{_LAYER}self_attn\.", f"{_SELF}self_attn."),
    (rf"{_LAYER}self_attn_layer_norm\.", f"{_SELF}norm."),
    (rf"{_LAYER}cross_attn\.", f"{_CROSS}multihead_attn."),
    (rf"{_LAYER}cross_attn_layer_norm\.", f"{_CROSS}norm."),
    (rf"{_LAYER}fc([12])\.", rf"{_FFN}linear\2."),
    (rf"{_LAYER}final_layer_norm\.", f"{_FFN}norm."),
    (r"^decoder\.layernorm\.", "decoder_norm."),
    (r"^decoder\.mask_predictor\.mask_embedder\.(\d)\.0\.", r"mask_embed.layers.\1."),
    (r"^queries_features\.", "query_feat."),
    (r"^queries_embedder\.", "query_embed."),
    (r"^input_projections\.", "input_proj."),
)
_PARTS = (
    (_SWIN, "backbone.", (*_BACKBONE, *_BLOCK)),
    (_PIXELS, "sem_seg_head.pixel_decoder.", _PIXEL_DECODER),
    (_TRANSFORMER, "sem_seg_head.predictor.", _DECODER),
    ("class_predictor.", "sem_seg_head.predictor.class_embed.", ()),
)
# The norm behind the last stage, which version 5 saves and nothing uses.
UNUSED = r"backbone\.swin\.layernorm\.(weight|bias)"


def as_detectron2(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name the weights of transformers' Mask2Former as detectron2 would.

    Args:
        weights: Name -> tensor.

    Returns:
        The same numbers; queries, keys and values of an attention in one tensor.

    Raises:
        UnknownArchitectureError: If the backbone is no Swin.
        KeyMapError: If an attention lacks queries, keys or values.
    """
    backbone = [key for key in weights if key.startswith(_SWIN)]
    if not any(".attention." in key for key in backbone):
        raise UnknownArchitectureError(
            "of transformers' Mask2Former, those with a Swin backbone can be "
            f"converted, got a backbone with {backbone[:2]}"
        )
    out: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for key, value in weights.items():
        name, _, part = _renamed(key).partition("#")
        if part:
            parts.setdefault(name, {})[part] = value
        else:
            out[name] = value
    for name, found in parts.items():
        if set(found) != set("qkv"):
            raise KeyMapError(
                f"the checkpoint must have queries, keys and values of {name}, got "
                f"{', '.join(sorted(found))} only; is it complete?"
            )
        out[name] = torch.cat([found[part] for part in "qkv"])
    return out


def _renamed(key: str) -> str:
    for theirs, ours, rules in _PARTS:
        if key.startswith(theirs):
            name = key.removeprefix(theirs)
            for pattern, replacement in rules:
                name = re.sub(pattern, replacement, name)
            return ours + name
    return key
