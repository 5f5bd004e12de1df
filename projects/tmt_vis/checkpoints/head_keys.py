"""The head of detectron2's Mask2Former and its counterpart here.

Ours is named as mmdet's, so the second column also describes mmdet's files.
"""

from collections.abc import Iterator, Mapping

from .key_map import WEIGHT_AND_BIAS, count_indices, renamed

Pairs = Iterator[tuple[str, str]]
_LEVELS = 3
_DECODER = "head.query_decoder."
_FPN = (("adapter_1", "lateral_convs.0"), ("layer_1", "output_convs.0"))
ATTENTION = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
DEFORMABLE = (
    "sampling_offsets",
    "attention_weights",
    "value_proj",
    "output_proj",
)


def pixel_decoder_names(num_layers: int) -> Pairs:
    """Pair the parameters of the multi-scale deformable pixel decoder.

    Args:
        num_layers: Encoder layers.
    """
    for level in range(_LEVELS):  # strides 32, 16, 8 on both sides
        theirs, ours = f"input_proj.{level}", f"input_convs.{level}"
        yield from renamed(f"{theirs}.0", f"{ours}.conv", WEIGHT_AND_BIAS)
        yield from renamed(f"{theirs}.1", f"{ours}.gn", WEIGHT_AND_BIAS)
    yield "transformer.level_embed", "level_encoding.weight"
    for layer in range(num_layers):
        theirs = f"transformer.encoder.layers.{layer}"
        ours = f"encoder.layers.{layer}"
        for name in DEFORMABLE:
            attn = f"{theirs}.self_attn.{name}", f"{ours}.self_attn.{name}"
            yield from renamed(*attn, WEIGHT_AND_BIAS)
        yield from feed_forward(theirs, ours)
        yield from renamed(f"{theirs}.norm1", f"{ours}.norms.0", WEIGHT_AND_BIAS)
        yield from renamed(f"{theirs}.norm2", f"{ours}.norms.1", WEIGHT_AND_BIAS)
    for theirs, ours in _FPN:
        yield f"{theirs}.weight", f"{ours}.conv.weight"
        yield from renamed(f"{theirs}.norm", f"{ours}.gn", WEIGHT_AND_BIAS)
    yield from renamed("mask_features", "mask_feature", WEIGHT_AND_BIAS)


def decoder_names(num_layers: int, *, with_projections: bool = False) -> Pairs:
    """Pair the parameters of the masked transformer decoder.

    Args:
        num_layers: Decoder layers.
        with_projections: Whether the levels are projected to the decoder's width.
    """
    yield from transformer_names(num_layers)
    for table in ("query_feat", "query_embed", "level_embed"):
        yield f"{table}.weight", f"{table}.weight"
    yield from renamed("class_embed", "cls_embed", WEIGHT_AND_BIAS)
    yield from mask_head_names()
    if with_projections:
        for level in range(_LEVELS):
            proj = f"input_proj.{level}", f"decoder_input_projs.{level}"
            yield from renamed(*proj, WEIGHT_AND_BIAS)


def transformer_names(num_layers: int) -> Pairs:
    """Pair the layers of a decoder and the norm behind them.

    Args:
        num_layers: Decoder layers.
    """
    for layer in range(num_layers):
        ours = f"transformer_decoder.layers.{layer}"
        cross = f"transformer_cross_attention_layers.{layer}"
        own = f"transformer_self_attention_layers.{layer}"
        ffn = f"transformer_ffn_layers.{layer}"
        yield from renamed(
            f"{cross}.multihead_attn", f"{ours}.cross_attn.attn", ATTENTION
        )
        yield from renamed(f"{own}.self_attn", f"{ours}.self_attn.attn", ATTENTION)
        yield from feed_forward(ffn, ours)
        for index, block in enumerate((cross, own, ffn)):
            norm = f"{block}.norm", f"{ours}.norms.{index}"
            yield from renamed(*norm, WEIGHT_AND_BIAS)
    yield from renamed("decoder_norm", "transformer_decoder.post_norm", WEIGHT_AND_BIAS)


def mask_head_names() -> Pairs:
    """Pair the MLP that makes mask embeddings."""
    for layer in range(3):  # ours is a Sequential with ReLUs in between
        mlp = f"mask_embed.layers.{layer}", f"mask_embed.{2 * layer}"
        yield from renamed(*mlp, WEIGHT_AND_BIAS)


def feed_forward(theirs: str, ours: str) -> Pairs:
    """Pair the two matrices of a layer's FFN."""
    yield from renamed(f"{theirs}.linear1", f"{ours}.ffn.layers.0.0", WEIGHT_AND_BIAS)
    yield from renamed(f"{theirs}.linear2", f"{ours}.ffn.layers.1", WEIGHT_AND_BIAS)


def detectron2_head(keys: Mapping[str, object]) -> dict[str, str]:
    """Name the head of a detectron2 file, with its prefixes.

    Args:
        keys: All names of the file.
    """
    pixels, predictor = "sem_seg_head.pixel_decoder.", "sem_seg_head.predictor."
    encoder = count_indices(keys, f"{pixels}transformer.encoder.layers.")
    layers = count_indices(keys, f"{predictor}transformer_ffn_layers.")
    projected = f"{predictor}input_proj.0.weight" in keys
    names = {
        f"{pixels}{theirs}": f"head.pixel_decoder.{ours}"
        for theirs, ours in pixel_decoder_names(encoder)
    }
    decoder = decoder_names(layers, with_projections=projected)
    return names | {
        f"{predictor}{theirs}": f"{_DECODER}{ours}" for theirs, ours in decoder
    }


def mmdet_head(keys: Mapping[str, object], prefix: str) -> dict[str, str]:
    """Name the head of an mmdet file.

    Args:
        keys: All names of the file.
        prefix: Where the head lies, ``panoptic_head.`` or ``track_head.``.
    """
    pixels = f"{prefix}pixel_decoder."
    encoder = count_indices(keys, f"{pixels}encoder.layers.")
    layers = count_indices(keys, f"{prefix}transformer_decoder.layers.")
    projected = f"{prefix}decoder_input_projs.0.weight" in keys
    names = {
        f"{pixels}{ours}": f"head.pixel_decoder.{ours}"
        for _, ours in pixel_decoder_names(encoder)
    }
    decoder = decoder_names(layers, with_projections=projected)
    return names | {f"{prefix}{ours}": f"{_DECODER}{ours}" for _, ours in decoder}
