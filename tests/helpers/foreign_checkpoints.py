"""Checkpoints of other projects, as far as their names and shapes go."""

import re
from collections.abc import Mapping, Sequence

import torch
from helpers.golden_kit import inventory
from torch import Tensor


def shapes_of(kit: str) -> dict[str, Tensor]:
    """Return the tensors of a reference model without values (meta device)."""
    return {
        key: torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
        for key, (shape, dtype) in inventory(kit).items()
    }


def tiny(kit: str = "m2fvis_r50", *, rows: int = 41) -> dict[str, Tensor]:
    """Return the names of a reference model with a few numbers each.

    Args:
        kit: The reference model.
        rows: Rows of the classifier, "no object" included.
    """
    weights = {}
    for index, (key, (shape, _)) in enumerate(inventory(kit).items()):
        size = tuple(min(side, 4) for side in shape)
        if ".class_embed." in key:
            size = (rows, *size[1:])
        weights[key] = torch.arange(float(torch.Size(size).numel())).view(size) + index
    return weights


def with_more_blocks(
    weights: Mapping[str, Tensor], prefix: str, count: int
) -> dict[str, Tensor]:
    """Repeat the last block of a module list, as deeper variants of a backbone do.

    Args:
        weights: By name.
        prefix: Of the list, e.g. ``backbone.res4.``.
        count: Blocks wanted.
    """
    pattern = re.compile(re.escape(prefix) + r"(\d+)\.(.+)")
    found = {key: pattern.fullmatch(key) for key in weights}
    last = max(int(match[1]) for match in found.values() if match)
    out = dict(weights)
    for key, match in found.items():
        if match and int(match[1]) == last:
            for block in range(last + 1, count):
                out[f"{prefix}{block}.{match[2]}"] = weights[key]
    return out


def swin_shapes(
    embed_dims: int, *, window: int, queries: int = 100
) -> dict[str, Tensor]:
    """Return the names and shapes of a deep Swin (S, B, L), made from those of Swin-T.

    Args:
        embed_dims: Channels at stride 4; heads have 32 channels in every Swin.
        window: Side of the attention windows.
        queries: Queries of the decoder.
    """
    depth = ("backbone.layers.2.blocks.", 18)
    weights = with_more_blocks(shapes_of("m2fvis_swint"), *depth)
    out = {}
    for key, value in weights.items():
        shape = list(value.shape)
        if re.match(r"backbone\.|.*\.(input_proj\.\d\.0|adapter_1)\.weight", key):
            shape = [n // 96 * embed_dims if n % 96 == 0 else n for n in shape]
        if key.endswith("relative_position_bias_table"):
            heads = value.shape[1] * embed_dims // 96
            shape = [(2 * window - 1) ** 2, heads]
        elif key.endswith("relative_position_index"):
            shape = [window**2, window**2]
        elif "predictor.query_" in key:
            shape[0] = queries
        out[key] = value.new_empty(shape)
    return out


def old_mmdet(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of an mmdet 3 model as mmdet 2 had them."""
    rules: Sequence[tuple[str, str]] = (
        (r"(pixel_decoder\.encoder\.layers\.\d+)\.self_attn\.", r"\1.attentions.0."),
        (r"(transformer_decoder\.layers\.\d+)\.cross_attn\.", r"\1.attentions.0."),
        (r"(transformer_decoder\.layers\.\d+)\.self_attn\.", r"\1.attentions.1."),
        (r"(coder\.layers\.\d+)\.ffn\.", r"\1.ffns.0."),
    )
    out = {}
    for key, value in weights.items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        out[key] = value
    return out
