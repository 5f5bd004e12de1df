"""Backbones of detectron2 and their counterparts in mmdet."""

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from .key_map import NORM_STATE, WEIGHT_AND_BIAS, Transform, count_indices, renamed

Pairs = Iterator[tuple[str, str]]


def resnet_names(blocks: Sequence[int]) -> Pairs:
    """Pair the parameters of a bottleneck ResNet (50, 101, 152).

    Nothing is transformed: both stems read RGB, and both put the stride into the 3x3
    convolution.

    Args:
        blocks: Blocks per stage, from stride 4 to 32.
    """
    yield "stem.conv1.weight", "conv1.weight"
    yield from renamed("stem.conv1.norm", "bn1", NORM_STATE)
    for stage, count in enumerate(blocks, start=1):
        for block in range(count):
            theirs, ours = f"res{stage + 1}.{block}", f"layer{stage}.{block}"
            for conv in (1, 2, 3):
                yield f"{theirs}.conv{conv}.weight", f"{ours}.conv{conv}.weight"
                norm = f"{theirs}.conv{conv}.norm"
                yield from renamed(norm, f"{ours}.bn{conv}", NORM_STATE)
        shortcut, ours = f"res{stage + 1}.0.shortcut", f"layer{stage}.0.downsample"
        yield f"{shortcut}.weight", f"{ours}.0.weight"
        yield from renamed(f"{shortcut}.norm", f"{ours}.1", NORM_STATE)


def swin_names(depths: Sequence[int], *, with_index: bool) -> Pairs:
    """Pair the parameters of a Swin transformer.

    Args:
        depths: Blocks per stage.
        with_index: Whether the file holds ``relative_position_index``, a constant that
            is the same in both implementations.
    """
    yield from renamed("patch_embed.proj", "patch_embed.projection", WEIGHT_AND_BIAS)
    yield from renamed("patch_embed.norm", "patch_embed.norm", WEIGHT_AND_BIAS)
    for stage, depth in enumerate(depths):
        for block in range(depth):
            theirs, ours = (
                f"{name}.{stage}.blocks.{block}" for name in ("layers", "stages")
            )
            yield from _swin_block(theirs, ours, with_index)
        yield from renamed(f"norm{stage}", f"norm{stage}", WEIGHT_AND_BIAS)
    for stage in range(len(depths) - 1):
        theirs, ours = (f"{name}.{stage}.downsample" for name in ("layers", "stages"))
        yield f"{theirs}.reduction.weight", f"{ours}.reduction.weight"
        yield from renamed(f"{theirs}.norm", f"{ours}.norm", WEIGHT_AND_BIAS)


def _swin_block(theirs: str, ours: str, with_index: bool) -> Pairs:
    for norm in ("norm1", "norm2"):
        yield from renamed(f"{theirs}.{norm}", f"{ours}.{norm}", WEIGHT_AND_BIAS)
    for linear in ("qkv", "proj"):
        attn = f"{theirs}.attn.{linear}", f"{ours}.attn.w_msa.{linear}"
        yield from renamed(*attn, WEIGHT_AND_BIAS)
    leaves = ["relative_position_bias_table"]
    leaves += ["relative_position_index"] if with_index else []
    yield from renamed(f"{theirs}.attn", f"{ours}.attn.w_msa", leaves)
    yield from renamed(f"{theirs}.mlp.fc1", f"{ours}.ffn.layers.0.0", WEIGHT_AND_BIAS)
    yield from renamed(f"{theirs}.mlp.fc2", f"{ours}.ffn.layers.1", WEIGHT_AND_BIAS)


def merging_order(weight: Tensor) -> Tensor:
    """Reorder the input of a patch merging layer of the official Swin for mmdet's.

    The official layer concatenates the four neighbours (row, column) as (0,0), (1,0),
    (0,1), (1,1), each with all its channels; mmdet unfolds, which puts the channel
    first and the neighbours in reading order behind it.

    Args:
        weight: (..., 4C), of the reduction or of its norm.

    Returns:
        The same numbers in mmdet's order.
    """
    by_neighbour = weight.unflatten(-1, (2, 2, -1))  # (..., column, row, C)
    return by_neighbour.movedim(-1, -3).transpose(-1, -2).flatten(-3)


def detectron2_backbone(keys: Mapping[str, object]) -> dict[str, str]:
    """Name the backbone of a detectron2 file, with its prefix.

    Args:
        keys: All names of the file.

    Returns:
        Our name by source name; empty for a backbone that is neither.
    """
    if "backbone.stem.conv1.weight" in keys:
        blocks = [count_indices(keys, f"backbone.res{i}.") for i in range(2, 6)]
        pairs = resnet_names(blocks)
    elif "backbone.patch_embed.proj.weight" in keys:
        stages = count_indices(keys, "backbone.layers.")
        depths = [
            count_indices(keys, f"backbone.layers.{i}.blocks.") for i in range(stages)
        ]
        index = "backbone.layers.0.blocks.0.attn.relative_position_index"
        pairs = swin_names(depths, with_index=index in keys)
    else:
        return {}
    return {f"backbone.{theirs}": f"backbone.{ours}" for theirs, ours in pairs}


def detectron2_transforms(keys: Mapping[str, object]) -> dict[str, Transform]:
    """List the source names whose values change."""
    downsampling = (
        key
        for key in keys
        if key.startswith("backbone.layers.") and ".downsample." in key
    )
    return dict.fromkeys(downsampling, merging_order)
