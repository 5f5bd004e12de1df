"""Every name of a foreign checkpoint finds its place, and every place its name."""

import pytest
import torch
from helpers import golden_kit
from helpers.config_family import build_model, load
from helpers.foreign_checkpoints import (
    old_mmdet,
    shapes_of,
    swin_shapes,
    tiny,
    with_more_blocks,
)
from mmdet.models.backbones.swin import WindowMSA, swin_converter
from mmdet.models.layers import PatchMerging

from tmt_vis.checkpoints import (
    KeyMapError,
    SourceCheckpoint,
    UnknownArchitectureError,
    convert,
)
from tmt_vis.checkpoints.backbone_keys import merging_order
from tmt_vis.taxonomy import Taxonomy

BASELINE = "mask2former_vis/mask2former-vis_r50_8xb2-8k_ytvis21"
MINVIS = "minvis/minvis_r50_8xb4-10k_ovis"
GENVIS = "genvis_r50_online"
BUFFERS = ("num_batches_tracked", "taxonomy_json")


def our_shapes(backbone="r50", *, name=None):
    """Return name -> shape of the baseline with some backbone, or of another config."""
    name = name or BASELINE.replace("r50", backbone)
    state = build_model(load(name).model).state_dict()
    return {k: tuple(v.shape) for k, v in state.items() if not k.endswith(BUFFERS)}


def converted_shapes(weights, **kwargs):
    result = convert(SourceCheckpoint(weights), **kwargs)
    return {k: tuple(v.shape) for k, v in result.state_dict.items()}, result


@pytest.mark.parametrize(
    "kit, backbone", [("m2fvis_r50", "r50"), ("m2fvis_swint", "swin-t-p4-w7-224")]
)
def test_every_key_and_shape(kit, backbone):
    shapes, result = converted_shapes(shapes_of(kit))
    assert shapes == our_shapes(backbone)
    assert result.ignored == ("criterion.empty_weight",)


@pytest.mark.parametrize("arch", ["auto", "minvis"])
def test_minvis(arch):
    """Its 25 categories are OVIS's, and no file says how it looks at frames."""
    shapes, result = converted_shapes(
        shapes_of("minvis_r50"), arch=arch, label_spaces=["ovis"]
    )
    taxonomy = shapes.pop("head.vocabulary.taxonomy_json")
    assert shapes == our_shapes(name=MINVIS) and taxonomy
    assert result.ignored == ("criterion.empty_weight",)
    found = "minvis" if arch == "minvis" else "mask2former-vis or minvis"
    assert result.meta["source"]["architecture"] == found


@pytest.mark.parametrize(
    "embed_dims, name",
    [
        (128, BASELINE.replace("r50", "swin-b-p4-w12-384-in21k")),
        (192, BASELINE.replace("r50", "swin-l-p4-w12-384-in21k")),
        (192, "minvis/minvis_swin-l-p4-w12-384-in21k_8xb4-8k_ytvis21"),
    ],
)
def test_every_key_and_shape_of_large_swins(embed_dims, name):
    queries = 200 if "swin-l" in name else 100
    weights = swin_shapes(embed_dims, window=12, queries=queries)
    assert len(weights) == 650
    assert converted_shapes(weights)[0] == our_shapes(name=name)


@pytest.mark.parametrize(
    "kit, deeper, backbone",
    [
        ("m2fvis_r50", ("backbone.res4.", 23), "r101"),
        ("m2fvis_swint", ("backbone.layers.2.blocks.", 18), "swin-s-p4-w7-224"),
    ],
)
def test_every_key_of_deeper_backbones(kit, deeper, backbone):
    shapes, _ = converted_shapes(with_more_blocks(shapes_of(kit), *deeper))
    assert shapes == our_shapes(backbone)


def test_swin_without_the_constant_index():
    weights = shapes_of("m2fvis_swint")
    kept = {k: v for k, v in weights.items() if "position_index" not in k}
    shapes, _ = converted_shapes(kept)
    assert len(kept) == len(weights) - 12
    left_out = our_shapes("swin-t-p4-w7-224").keys() - shapes.keys()
    assert len(left_out) == 12 and all("position_index" in key for key in left_out)


def test_projected_levels():
    weights = shapes_of("m2fvis_r50")
    for level in range(3):
        for leaf in ("weight", "bias"):
            key = f"sem_seg_head.predictor.input_proj.{level}.{leaf}"
            weights[key] = torch.zeros(1)
    shapes, _ = converted_shapes(weights)
    extra = shapes.keys() - our_shapes().keys()
    assert extra == {
        f"head.query_decoder.decoder_input_projs.{level}.{leaf}"
        for level in range(3)
        for leaf in ("weight", "bias")
    }


def test_names_of_older_detectron2_files():
    weights = shapes_of("m2fvis_r50")
    old = {
        key.replace("sem_seg_head.pixel_decoder.", "sem_seg_head.").replace(
            "query_feat", "static_query"
        ): value
        for key, value in weights.items()
    }
    assert old.keys() != weights.keys()
    assert converted_shapes(old)[0] == our_shapes()


def mmdet_shapes(prefix):
    state = build_model(load(BASELINE).model).state_dict()
    return {
        key.replace("query_decoder.", "").replace("head.", prefix, 1): value
        for key, value in state.items()
        if not key.endswith("taxonomy_json")
    }


@pytest.mark.parametrize("prefix", ["panoptic_head.", "track_head."])
@pytest.mark.parametrize("rename", [dict, old_mmdet])
def test_mmdet_files(prefix, rename):
    weights = mmdet_shapes(prefix)
    renamed = rename(weights)
    assert (renamed.keys() == weights.keys()) == (rename is dict)
    shapes, result = converted_shapes(renamed)
    assert shapes == our_shapes()
    assert len(result.ignored) == 53
    assert all(key.endswith("num_batches_tracked") for key in result.ignored)


def test_old_mmdet_attentions_are_not_swapped():
    key = "panoptic_head.transformer_decoder.layers.4.{}.attn.in_proj_bias"
    weights = mmdet_shapes("panoptic_head.")
    weights[key.format("cross_attn")] = torch.ones(2)
    weights[key.format("self_attn")] = torch.zeros(3)
    old = old_mmdet(weights)
    assert len(old[key.format("attentions.0")]) == 2
    shapes, _ = converted_shapes(old)
    ours = "head.query_decoder.transformer_decoder.layers.4.{}.attn.in_proj_bias"
    assert shapes[ours.format("cross_attn")] == (2,)
    assert shapes[ours.format("self_attn")] == (3,)


def test_a_missing_tensor_is_named():
    weights = shapes_of("m2fvis_r50")
    del weights["backbone.res3.2.conv1.norm.bias"]
    with pytest.raises(KeyMapError, match=r"lacks 1 of 557 .*res3\.2\.conv1\.norm"):
        convert(SourceCheckpoint(weights))


def test_a_tensor_without_a_place_is_named_and_can_be_ignored():
    weights = shapes_of("m2fvis_r50") | {"sem_seg_head.predictor.x": torch.zeros(1)}
    with pytest.raises(KeyMapError, match=r"1 tensors .*predictor\.x.*--ignore"):
        convert(SourceCheckpoint(weights))
    shapes, result = converted_shapes(weights, ignore=[r".*\.x"])
    assert shapes == our_shapes()
    assert "sem_seg_head.predictor.x" in result.ignored


def test_a_name_in_old_and_new_form():
    weights = shapes_of("m2fvis_r50")
    query = weights["sem_seg_head.predictor.query_feat.weight"]
    weights["sem_seg_head.predictor.static_query.weight"] = query
    with pytest.raises(KeyMapError, match="twice"):
        convert(SourceCheckpoint(weights))


VIDEO_MODELS = {
    "vita_r50": ("vita", "vita/vita_r50_8xb1-188k_ytvis21", 2),
    "genvis_r50_online": ("genvis", "genvis/genvis-online_r50_4xb2-90k_ytvis21", 3),
}


@pytest.mark.parametrize("kit", VIDEO_MODELS)
def test_every_key_and_shape_of_vita_and_genvis(kit):
    arch, config, ignored = VIDEO_MODELS[kit]
    for asked in (arch, "auto"):
        shapes, result = converted_shapes(shapes_of(kit), arch=asked)
        assert shapes == our_shapes(name=config)
        assert result.meta["source"]["architecture"] == arch
        assert len(result.ignored) == ignored
        assert all(key.endswith("criterion.empty_weight") for key in result.ignored)


@pytest.mark.parametrize("kit", VIDEO_MODELS)
def test_both_classifiers_of_a_video_model_are_sorted(kit):
    weights = tiny(kit)
    result = convert(
        SourceCheckpoint(weights),
        label_spaces=["ovis", "ytvis21"],
        source_labels="ytvis21",
    )
    taxonomy = Taxonomy.from_label_spaces(["ovis", "ytvis21"])
    rows = taxonomy.slot_to_union("ytvis21").tolist()
    pairs = (
        ("sem_seg_head.predictor.class_embed", "head.query_decoder.cls_embed"),
        ("vita_module.class_embed", "head.video.cls_embed"),
    )
    for theirs, ours in pairs:
        for leaf in ("weight", "bias"):
            source = weights[f"{theirs}.{leaf}"]
            found = result.state_dict[f"{ours}.{leaf}"]
            assert len(found) == taxonomy.num_categories + 1
            assert torch.equal(found[rows], source[:-1])
            assert torch.equal(found[-1], source[-1])


@pytest.mark.parametrize("kit, asked", [("vita_r50", "genvis"), (GENVIS, "vita")])
def test_vita_and_genvis_are_told_apart(kit, asked):
    names = "names of VITA" if asked == "genvis" else "names of GenVIS"
    with pytest.raises(UnknownArchitectureError, match=names):
        convert(SourceCheckpoint(shapes_of(kit)), arch=asked)


ALL_OF_MASK2FORMER_AND = {
    "DVIS": ["tracker.transformer_ffn_layers.0.norm.weight"],
}
NOTHING_BUT = {
    "SeqFormer": ["detr.detr.transformer.decoder.layers.0.time_attention_weights.bias"],
    "Deformable DETR": [
        "transformer.decoder.layers.0.cross_attn.sampling_offsets.weight"
    ],
    "Deformable DETR, which": [
        "decoder.layers.0.cross_attn.sampling_offsets.weight",
        "bbox_head.cls_branches.0.weight",
    ],
    "Mask R-CNN": ["roi_heads.box_head.fc1.weight"],
    "without a Mask2Former head": ["layer4.0.conv1.weight", "fc.weight"],
    "a Swin": ["layers.0.blocks.0.attn.qkv.weight", "head.weight"],
    "this project": ["head.vocabulary.taxonomy_json"],
    r"has tensors such as \['conv.weight'\]": ["conv.weight"],
}


@pytest.mark.parametrize("name", [*ALL_OF_MASK2FORMER_AND, *NOTHING_BUT])
def test_other_architectures_are_named(name):
    extended = name in ALL_OF_MASK2FORMER_AND
    keys = (ALL_OF_MASK2FORMER_AND | NOTHING_BUT)[name]
    weights = shapes_of("m2fvis_r50") if extended else {}
    weights |= {key: torch.zeros(1) for key in keys}
    with pytest.raises(UnknownArchitectureError, match=name):
        convert(SourceCheckpoint(weights))


def test_another_architecture_than_asked_for():
    weights = shapes_of("m2fvis_r50")
    with pytest.raises(UnknownArchitectureError, match="names of detectron2's"):
        convert(SourceCheckpoint(weights), arch="mmdet-mask2former")
    with pytest.raises(UnknownArchitectureError, match="must be auto or one of"):
        convert(SourceCheckpoint(weights), arch="resnet")


@pytest.mark.parametrize(
    "arch, rows, recorded",
    [
        ("auto", 41, "mask2former-vis or minvis"),
        ("auto", 81, "mask2former"),
        ("auto", 134, "mask2former"),
        ("auto", 151, "mask2former or mask2former-vis or minvis"),
        ("minvis", 26, "minvis"),
    ],
)
def test_what_is_recorded_as_architecture(arch, rows, recorded):
    weights = shapes_of("m2fvis_r50")
    weights["sem_seg_head.predictor.class_embed.bias"] = torch.zeros(rows)
    _, result = converted_shapes(weights, arch=arch)
    assert result.meta["source"]["architecture"] == recorded


class OfficialPatchMerging(torch.nn.Module):
    """Patch merging as the Swin paper's code states it: concatenate, norm, reduce."""

    def __init__(self, channels):
        super().__init__()
        self.norm = torch.nn.LayerNorm(4 * channels)
        self.reduction = torch.nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x):
        """Merge (B, H, W, C), padded to even sides."""
        _, height, width, _ = x.shape
        x = torch.nn.functional.pad(x, (0, 0, 0, width % 2, 0, height % 2))
        # (row, column): below comes before right.
        order = ((0, 0), (1, 0), (0, 1), (1, 1))
        neighbours = [x[:, row::2, column::2] for row, column in order]
        return self.reduction(self.norm(torch.cat(neighbours, -1)))


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_patch_merging_after_reordering(size):
    torch.manual_seed(0)
    official, ours = OfficialPatchMerging(3), PatchMerging(3, 6)
    for parameter in official.norm.parameters():
        torch.nn.init.normal_(parameter)
    state = official.state_dict()
    ours.load_state_dict({key: merging_order(value) for key, value in state.items()})
    x = torch.randn(2, *size, 3)
    expected = official(x).flatten(1, 2)
    merged, _ = ours(x.flatten(1, 2), size)
    torch.testing.assert_close(merged, expected)
    ours.load_state_dict(state)
    assert (ours(x.flatten(1, 2), size)[0] - expected).abs().max() > 0.1


def test_a_swin_becomes_what_mmdet_makes_of_it():
    """mmdet's own converter knows the backbone alone, without its prefix."""
    weights = tiny("m2fvis_swint")
    prefix = "backbone."
    theirs = swin_converter(
        {k.removeprefix(prefix): v for k, v in weights.items() if prefix in k}
    )
    state = convert(SourceCheckpoint(weights)).state_dict
    ours = {key: value for key, value in state.items() if key.startswith(prefix)}
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


def test_the_constant_index_of_a_kit_without_values():
    key = "backbone.layers.3.blocks.1.attn.relative_position_index"
    made = golden_kit._verbatim("m2fvis_swint", key, (49, 49))
    expected = WindowMSA(32, 1, (7, 7)).relative_position_index
    assert torch.equal(torch.from_numpy(made), expected)


def test_patch_merging_is_reordered_and_nothing_else():
    weights = {
        key: torch.rand(value.shape) if ".downsample." in key else value
        for key, value in shapes_of("m2fvis_swint").items()
    }
    state = convert(SourceCheckpoint(weights)).state_dict
    for stage in range(3):
        for leaf in ("reduction.weight", "norm.weight", "norm.bias"):
            theirs = weights[f"backbone.layers.{stage}.downsample.{leaf}"]
            ours = state[f"backbone.stages.{stage}.downsample.{leaf}"]
            assert torch.equal(ours, merging_order(theirs))


def test_idol_reads_its_boxes_under_one_name():
    """The decoder holds the box branches as well, which may be missing."""
    weights = shapes_of("idol_r50")
    alias = r"detr.detr.transformer.decoder.bbox_embed."
    aliases = [key for key in weights if key.startswith(alias)]
    result = convert(SourceCheckpoint(weights), source_labels="ytvis21")
    assert set(result.ignored) == set(aliases) and len(aliases) == 36
    branch = result.state_dict["head.query_decoder.reg_branches.3.4.weight"]
    assert branch.shape == (4, 256)
    assert result.meta["source"]["architecture"] == "idol"
    for key in aliases:
        del weights[key]
    again = convert(SourceCheckpoint(weights), arch="idol", source_labels="ytvis21")
    assert again.state_dict.keys() == result.state_dict.keys()


def test_idol_is_told_from_its_relatives():
    attention = "transformer.decoder.layers.0.cross_attn.sampling_offsets.bias"
    for weights, name in (
        ({"detr.detr.x.time_attention_weights.weight": torch.zeros(1)}, "SeqFormer"),
        ({attention: torch.zeros(1)}, "Deformable DETR"),
        (shapes_of("m2fvis_r50"), "Mask2Former"),
    ):
        with pytest.raises(UnknownArchitectureError, match=name):
            convert(SourceCheckpoint(weights), arch="idol")


def test_all_weights_of_idol_have_their_place():
    """19.61 M parameters outside of the backbone (40 categories)."""
    result = convert(SourceCheckpoint(shapes_of("idol_r50")), source_labels="ytvis21")
    head = [v for k, v in result.state_dict.items() if k.startswith("head.")]
    count = sum(v.numel() for v in head if v.dtype == torch.float32)
    assert round(count / 1e6, 2) == 19.61


def test_all_columns_of_vmt_are_kept():
    weights = shapes_of("vmt_r50")
    bias = "detr.class_embed.5.bias"
    weights[bias] = torch.arange(42.0)
    result = convert(SourceCheckpoint(weights), arch="vmt", source_labels="ytvis19")
    converted = result.state_dict["head.query_decoder.cls_branches.5.bias"]
    assert converted.tolist() == list(range(42)), "slot = column - 1"
    # 36 aliases, 12 tensors of the encoder that nothing reads, 6 without effect.
    assert len(result.ignored) == 36 + 12 + 6
    other = convert(
        SourceCheckpoint(weights), source_labels="ytvis19", label_spaces=["ovis"]
    )
    bias = other.state_dict["head.query_decoder.cls_branches.5.bias"]
    assert len(bias) == 27 and [bias[0], bias[-1]] == [0, 41]
    assert result.meta["source"]["architecture"] == "vmt"
