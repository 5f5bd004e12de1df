"""The weights of IDOL (VNext, detectron2) and their names here."""

from collections.abc import Mapping

from .backbone_keys import detectron2_backbone
from .head_keys import DEFORMABLE, Pairs, feed_forward
from .key_map import WEIGHT_AND_BIAS, count_indices, renamed

_DETR = "detr.detr."
_BACKBONE = f"{_DETR}backbone.0.backbone."
_ATTENTION = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
_LEVELS = 3  # strides 8, 16, 32 are projected, stride 64 is made of the last
MASK_HEAD = (
    ("lay3", "merge_convs.0"),
    ("lay4", "merge_convs.1"),
    ("dcn", "merge_convs.2"),  # a plain convolution
    ("lay1", "out_convs.0"),
    ("lay2", "out_convs.1"),
)

MARKER = "detr.reid_embed_head.layers.0.weight"
IGNORED = (
    # Other names of detr.detr.bbox_embed, which the model reads.
    r"detr\.detr\.transformer\.decoder\.(bbox|class)_embed\..*",
    # Of stride 4, which IDOL does not read.
    r"backbone\.norm0\..*",
    r"(detr\.)*pixel_(mean|std)",
    r".*\.num_batches_tracked",
)


def modern(key: str) -> str:
    """Name the backbone as detectron2's other models do."""
    if key.startswith(_BACKBONE):
        return "backbone." + key.removeprefix(_BACKBONE)
    return key


def idol_backbone(keys: Mapping[str, object]) -> dict[str, str]:
    """Name the backbone, but what belongs to stride 4."""
    names = detectron2_backbone(keys)
    return {k: v for k, v in names.items() if not k.startswith("backbone.norm0.")}


def idol_head(keys: Mapping[str, object]) -> dict[str, str]:
    """Name everything but the backbone.

    Args:
        keys: All names of the file.
    """
    names = {f"{_DETR}{a}": f"head.{b}" for a, b in _detector(keys)}
    masks = (renamed(*pair, WEIGHT_AND_BIAS) for pair in MASK_HEAD)
    parts = {
        f"mask_head.{a}": f"mask_features.{b}" for pairs in masks for a, b in pairs
    }
    parts |= dict(mlp("controller", "controller"))
    parts |= dict(mlp("reid_embed_head", "embed_head"))
    return names | {f"detr.{a}": f"head.query_decoder.{b}" for a, b in parts.items()}


def _detector(keys: Mapping[str, object]) -> Pairs:
    for level in range(_LEVELS + 1):
        last = level == _LEVELS
        ours = "neck.extra_convs.0" if last else f"neck.convs.{level}"
        proj = f"input_proj.{level}"
        yield from renamed(f"{proj}.0", f"{ours}.conv", WEIGHT_AND_BIAS)
        yield from renamed(f"{proj}.1", f"{ours}.gn", WEIGHT_AND_BIAS)
    transformer, ours = "transformer", "query_decoder"
    yield f"{transformer}.level_embed", f"{ours}.encoder.level_embed"
    points = f"{transformer}.reference_points", f"{ours}.reference_points"
    yield from renamed(*points, WEIGHT_AND_BIAS)
    for kind, pairs in (("encoder", encoder_layer), ("decoder", _decoder_layer)):
        prefix = f"{transformer}.{kind}.layers."
        for layer in range(count_indices(keys, _DETR + prefix)):
            yield from pairs(f"{prefix}{layer}", f"{ours}.{kind}.layers.{layer}")
    yield "query_embed.weight", f"{ours}.query_embed.weight"
    for layer in range(count_indices(keys, f"{_DETR}class_embed.")):
        branch = f"class_embed.{layer}", f"{ours}.cls_branches.{layer}"
        yield from renamed(*branch, WEIGHT_AND_BIAS)
        yield from mlp(f"bbox_embed.{layer}", f"{ours}.reg_branches.{layer}")


def encoder_layer(theirs: str, ours: str) -> Pairs:
    """Pair a layer of the deformable encoder."""
    yield from deformable(f"{theirs}.self_attn", f"{ours}.self_attn")
    yield from feed_forward(theirs, ours)
    yield from norms(theirs, ours, (0, 1))


def _decoder_layer(theirs: str, ours: str) -> Pairs:
    yield from attention(f"{theirs}.self_attn", f"{ours}.self_attn.attn")
    yield from deformable(f"{theirs}.cross_attn", f"{ours}.cross_attn")
    yield from feed_forward(theirs, ours)
    # Theirs are numbered as they are made, ours as they are used.
    yield from norms(theirs, ours, (1, 0, 2))


def attention(theirs: str, ours: str) -> Pairs:
    """Pair torch's multi-head attention."""
    yield from renamed(theirs, ours, _ATTENTION)


def deformable(theirs: str, ours: str) -> Pairs:
    """Pair a deformable attention."""
    for name in DEFORMABLE:
        yield from renamed(f"{theirs}.{name}", f"{ours}.{name}", WEIGHT_AND_BIAS)


def norms(theirs: str, ours: str, order: tuple[int, ...]) -> Pairs:
    """Pair the norms of a layer; ``order``: our number of each of theirs."""
    for number, index in enumerate(order, 1):
        norm = f"{theirs}.norm{number}", f"{ours}.norms.{index}"
        yield from renamed(*norm, WEIGHT_AND_BIAS)


def mlp(theirs: str, ours: str) -> Pairs:
    """Pair three linear layers."""
    for layer in range(3):  # ours is a Sequential with ReLUs in between
        pair = f"{theirs}.layers.{layer}", f"{ours}.{2 * layer}"
        yield from renamed(*pair, WEIGHT_AND_BIAS)
