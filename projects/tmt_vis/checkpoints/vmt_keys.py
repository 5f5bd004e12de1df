"""The weights of Video Mask Transfiner (SysCV/vmt) and their names here."""

from collections.abc import Mapping

from .head_keys import Pairs, feed_forward
from .idol_keys import MASK_HEAD, attention, deformable, encoder_layer, mlp, norms
from .key_map import NORM_STATE, WEIGHT_AND_BIAS, count_indices, renamed

_BODY = "detr.backbone.0.body."
_DETR = "detr."
_LEVELS = 3  # strides 8, 16, 32 are projected, stride 64 is made of the last
_CONTROLLERS = ("controller", "controller_inc", "controller_refine")
_CONVS = (
    ("lay_hr1", "context_conv"),
    ("lay1_h", "stage_conv"),
    ("lay2_h", "fine_conv"),
    ("lay_hr1_c", "detail_conv"),
)
_BRANCHES = 4

MARKER = "controller_refine.layers.0.weight"
IGNORED = (
    # Other names of detr.bbox_embed, which the model reads.
    r"detr\.transformer\.decoder\.(bbox|class)_embed\..*",
    # The encoder has no boxes.
    r"detr\.transformer\.encoder\.layers\.\d+\.self_attn\.output_proj_box\..*",
    # The same for all frames, so the softmax over frames takes it out.
    r".*\.time_attention_weights\.bias",
    r".*\.num_batches_tracked",
)


def vmt_names(keys: Mapping[str, object]) -> dict[str, str]:
    """Name all tensors of a file with a ResNet.

    Args:
        keys: All names of the file.
    """
    names = dict(_backbone(keys))
    names |= {f"{_DETR}{a}": f"head.{b}" for a, b in _detector(keys)}
    return names | {a: f"head.cascade.{b}" for a, b in _cascade(keys)}


def _backbone(keys: Mapping[str, object]) -> Pairs:
    yield f"{_BODY}conv1.weight", "backbone.conv1.weight"
    yield from renamed(f"{_BODY}bn1", "backbone.bn1", NORM_STATE)
    for stage in range(1, 5):
        for block in range(count_indices(keys, f"{_BODY}layer{stage}.")):
            name = f"layer{stage}.{block}"
            for conv in (1, 2, 3):
                conv_name = f"{name}.conv{conv}.weight"
                yield f"{_BODY}{conv_name}", f"backbone.{conv_name}"
                norm = f"{name}.bn{conv}"
                yield from renamed(f"{_BODY}{norm}", f"backbone.{norm}", NORM_STATE)
        shortcut = f"layer{stage}.0.downsample"
        yield f"{_BODY}{shortcut}.0.weight", f"backbone.{shortcut}.0.weight"
        norm = f"{shortcut}.1"
        yield from renamed(f"{_BODY}{norm}", f"backbone.{norm}", NORM_STATE)


def _detector(keys: Mapping[str, object]) -> Pairs:
    for level in range(_LEVELS + 1):
        last = level == _LEVELS
        ours = "neck.extra_convs.0" if last else f"neck.convs.{level}"
        yield from renamed(f"input_proj.{level}.0", f"{ours}.conv", WEIGHT_AND_BIAS)
        yield from renamed(f"input_proj.{level}.1", f"{ours}.gn", WEIGHT_AND_BIAS)
    transformer, ours = "transformer", "query_decoder"
    yield f"{transformer}.level_embed", f"{ours}.encoder.level_embed"
    points = f"{transformer}.reference_points", f"{ours}.reference_points"
    yield from renamed(*points, WEIGHT_AND_BIAS)
    prefix = f"{transformer}.encoder.layers."
    for layer in range(count_indices(keys, _DETR + prefix)):
        yield from encoder_layer(f"{prefix}{layer}", f"{ours}.encoder.layers.{layer}")
    prefix = f"{transformer}.decoder.layers."
    for layer in range(count_indices(keys, _DETR + prefix)):
        yield from _decoder_layer(f"{prefix}{layer}", f"{ours}.layers.{layer}")
    yield "query_embed.weight", f"{ours}.query_embed.weight"
    for layer in range(count_indices(keys, f"{_DETR}class_embed.")):
        branch = f"class_embed.{layer}", f"{ours}.cls_branches.{layer}"
        yield from renamed(*branch, WEIGHT_AND_BIAS)
        yield from mlp(f"bbox_embed.{layer}", f"{ours}.reg_branches.{layer}")


def _decoder_layer(theirs: str, ours: str) -> Pairs:
    yield from attention(f"{theirs}.self_attn", f"{ours}.self_attn.attn")
    yield from attention(f"{theirs}.self_attn_box", f"{ours}.box_self_attn.attn")
    yield from deformable(f"{theirs}.cross_attn", f"{ours}.cross_attn")
    proj = f"{theirs}.cross_attn.output_proj_box", f"{ours}.box_proj"
    yield from renamed(*proj, WEIGHT_AND_BIAS)
    weights = "time_attention_weights", "frame_weights"
    yield f"{theirs}.{weights[0]}.weight", f"{ours}.{weights[1]}.weight"
    yield from feed_forward(theirs, ours)
    for number, layer in ((1, "0.0"), (2, "1")):
        linear = f"{theirs}.linear{number}_box", f"{ours}.box_ffn.layers.{layer}"
        yield from renamed(*linear, WEIGHT_AND_BIAS)
    # Theirs are numbered as they are made, ours as they are used.
    order = (1, 0, 2)
    yield from norms(theirs, ours, order)
    for number, index in enumerate(order, 1):
        norm = f"{theirs}.norm{number}_box", f"{ours}.box_norms.{index}"
        yield from renamed(*norm, WEIGHT_AND_BIAS)


def _cascade(keys: Mapping[str, object]) -> Pairs:
    for index, name in enumerate(_CONTROLLERS):
        yield from mlp(name, f"controllers.{index}")
    for theirs, ours in MASK_HEAD:
        pair = f"mask_head.{theirs}", f"features.{ours}"
        yield from renamed(*pair, WEIGHT_AND_BIAS)
    for pair in _CONVS:
        yield from renamed(*pair, WEIGHT_AND_BIAS)
    for layer in (0, 2, 4):
        image = f"conv_norm_relus_fuse_img.{layer}", f"image_convs.{layer}"
        yield from renamed(*image, WEIGHT_AND_BIAS)
        name = {0: "first", 2: "second", 4: "last"}[layer]
        for branch in range(_BRANCHES):
            theirs = f"conv_norm_relus_fuse_all_{branch + 1}.{layer}"
            yield from renamed(theirs, f"fusion.{branch}.{name}", WEIGHT_AND_BIAS)
    for layer in range(count_indices(keys, "encoder.layers.")):
        theirs, ours = f"encoder.layers.{layer}", f"refiner.layers.{layer}"
        yield from attention(f"{theirs}.self_attn", f"{ours}.self_attn.attn")
        yield from feed_forward(theirs, ours)
        yield from norms(theirs, ours, (0, 1))
