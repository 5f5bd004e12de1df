"""The video part of VITA and GenVIS and its counterpart here."""

from collections.abc import Mapping

from .head_keys import (
    ATTENTION,
    Pairs,
    feed_forward,
    mask_head_names,
    transformer_names,
)
from .key_map import WEIGHT_AND_BIAS, count_indices, renamed

_THEIRS, _OURS = "vita_module.", "head.video."
_LINEAR = (
    ("vita_mask_features", "mask_feature"),
    ("class_embed", "cls_embed"),
    ("sim_embed_frame", "frame_embed"),
    ("sim_embed_clip", "video_embed"),
    ("input_proj_dec", "encoder.input_proj"),
)
_MEMORY = (
    ("pre_query_embed_k", "memory.query_key"),
    ("pre_query_embed_v", "memory.query_value"),
    ("pre_memory_embed_k", "memory.memory_key"),
    ("pre_memory_embed_v", "memory.memory_value"),
)


def encoder_names(num_layers: int) -> Pairs:
    """Pair the layers of the object encoder.

    Args:
        num_layers: Encoder layers.
    """
    for layer in range(num_layers):
        ours = f"encoder.layers.{layer}"
        blocks = f"enc_self_attn.{layer}", f"enc_ffn.{layer}"
        attn = f"{blocks[0]}.self_attn", f"{ours}.self_attn.attn"
        yield from renamed(*attn, ATTENTION)
        yield from feed_forward(blocks[1], ours)
        for index, block in enumerate(blocks):
            norm = f"{block}.norm", f"{ours}.norms.{index}"
            yield from renamed(*norm, WEIGHT_AND_BIAS)


def video_branch_names(
    *, encoder_layers: int, decoder_layers: int, with_memory: bool
) -> Pairs:
    """Pair all parameters of the video part.

    Args:
        encoder_layers: Of the object encoder.
        decoder_layers: Of the object decoder.
        with_memory: Whether there is a memory (GenVIS).
    """
    yield from encoder_names(encoder_layers)
    for theirs, ours in transformer_names(decoder_layers):
        yield theirs, f"decoder.{ours}"
    for table in ("query_feat", "query_embed"):
        yield f"{table}.weight", f"decoder.{table}.weight"
    yield "fq_pos.weight", "decoder.frame_query_pos.weight"
    yield from mask_head_names()
    for theirs, ours in (*_LINEAR, *(_MEMORY if with_memory else ())):
        yield from renamed(theirs, ours, WEIGHT_AND_BIAS)


def detectron2_video_branch(
    keys: Mapping[str, object], *, with_memory: bool
) -> dict[str, str]:
    """Name the video part of a detectron2 file, with its prefixes.

    Args:
        keys: All names of the file.
        with_memory: Whether there is a memory (GenVIS).
    """
    names = video_branch_names(
        encoder_layers=count_indices(keys, f"{_THEIRS}enc_ffn."),
        decoder_layers=count_indices(keys, f"{_THEIRS}transformer_ffn_layers."),
        with_memory=with_memory,
    )
    return {f"{_THEIRS}{theirs}": f"{_OURS}{ours}" for theirs, ours in names}
