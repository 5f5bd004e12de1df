"""Presets, backbones and ablations change what they say, and nothing else."""

import pytest
from helpers.config_family import (
    ABLATIONS,
    MAIN,
    build_model,
    differences,
    load,
    with_options,
)

SCHEDULE_AND_MIX = "_8xb2-16k_ytvis19-ovis-uvo"
HEAD = "model.head."
ABSENT = "<absent>"


def _preset(name: str) -> str:
    return f"tmt_vis/{name}_r50{SCHEDULE_AND_MIX}"


def _swin(name: str) -> str:
    return f"tmt_vis/tmt-vis_{name}{SCHEDULE_AND_MIX}"


def _changes(name: str, base: str = MAIN) -> dict:
    return {
        key: ours
        for key, (ours, _) in differences(load(name), load(base)).items()
        # How a removed block shows in a flat list: its keys are gone.
        if ours != ABSENT
    }


PRESETS = {
    _preset("tmt-vis-strict"): {"compilation.score_supervision": "gate"},
    _preset("tmt-vis-released-intent"): {
        "compilation.score_supervision": "none",
        "compilation.num_layers": 1,
        "compilation.features": "mask_feature",
        "injection.layers": "first",
        "criterion.taxonomy_loss.enabled": False,
    },
    _preset("m2f-joint"): {
        "text_embeddings": None,
        "compilation": None,
        "injection": None,
        "label_space_mask": False,
    },
    _preset("tmt-vis-best"): {
        "compilation.unit_variance_text": True,
        "criterion.loss_weights.comp": 20.0,
        "injection.layer.norm_first": True,
        "injection.layer.layer_scale": 0.0,
    },
    ABLATIONS + f"tmt-vis-unified_r50{SCHEDULE_AND_MIX}": {
        "vocab_mode.train": "unified"
    },
}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_differ_from_the_paper_in_the_stated_keys(name):
    expected = {HEAD + key: value for key, value in PRESETS[name].items()}
    assert _changes(name) == expected


def test_the_paper_preset_is_what_the_notes_resolve():
    head = load(MAIN).model.head
    assert head.compilation.num_taxonomy == 10
    assert head.compilation.num_layers == 2
    assert head.injection.layers == "all"
    assert head.criterion.loss_weights == dict(cls=2.0, mask=5.0, dice=5.0, taxo=0.5)
    assert head.vocab_mode == dict(train="dataset", test="dataset")
    ratios = load(MAIN).train_dataloader.sampler.ratios
    assert ratios == dict(ytvis19=1.0, uvo=1.0, ovis=0.75)


def test_built_presets_differ_in_their_modules():
    paper, strict, released, joint = (
        build_model(load(name).model).head for name in (MAIN, *list(PRESETS)[:3])
    )
    assert len(paper.guidance.tim.layers) == len(strict.guidance.tim.layers) == 9
    assert len(released.guidance.tim.layers) == 1
    assert joint.guidance is None and joint.vocabulary.text_embeddings is None
    trained = [
        head.guidance.tcm.score.weight.requires_grad
        for head in (paper, strict, released)
    ]
    assert trained == [True, True, False]
    first = [
        head.supervision.stages[0].class_name
        for head in (paper, strict, released, joint)
    ]
    assert first == ["d0.loss_taxo", "d0.loss_taxo", None, "d0.loss_cls"]


def test_the_naive_union_trains_and_tests_on_every_category():
    joint = build_model(load(_preset("m2f-joint")).model).head
    assert joint.class_keep(["ovis"]).shape == (1, 104)
    assert not joint.label_space_mask


def _is_backbone_or_width(key: str) -> bool:
    variables = ("backbone.", "feature_channels", "num_queries", "imagenet.")
    return key.startswith(
        (
            *variables,
            "model.backbone.",
            "model.head.pixel_decoder.in_channels",
            "load_from",
        )
    )


SWINS = {
    _swin("swin-t-p4-w7-224"): (MAIN, {}),
    _swin("swin-s-p4-w7-224"): (_swin("swin-t-p4-w7-224"), {}),
    _swin("swin-b-p4-w12-384-in21k"): (_swin("swin-s-p4-w7-224"), {}),
    _swin("swin-l-p4-w12-384-in21k"): (
        _swin("swin-b-p4-w12-384-in21k"),
        {"model.head.num_queries": 200},
    ),
    _swin("r101"): (MAIN, {}),
}


@pytest.mark.parametrize("name", SWINS)
def test_a_backbone_swap_changes_backbone_and_widths_only(name):
    base, extra = SWINS[name]
    changed = differences(load(name), load(base))
    rest = {k: ours for k, (ours, _) in changed.items() if not _is_backbone_or_width(k)}
    assert "load_from" in changed
    if "swin-t" in name:
        sizes = {k: v for k, v in rest.items() if k.endswith("transforms.0.scale")}
        assert set(sizes.values()) == {(1333, 480)}
        assert not any("train_" in key for key in sizes)
        rest = {k: v for k, v in rest.items() if k not in sizes}
    assert rest == extra


def test_swin_t_replaces_the_resnet_wholly():
    backbone = load(_swin("swin-t-p4-w7-224")).model.backbone
    assert not {"depth", "norm_cfg", "norm_eval", "style"} & set(backbone)


@pytest.mark.parametrize("backbone", ["r50", "swin-l-p4-w12-384-in21k"])
def test_other_mixes_change_data_and_taxonomy_only(backbone):
    for mix in ("ytvis21-ovis-uvo", "ytvis19-ytvis21-ovis-uvo"):
        name = f"tmt_vis/tmt-vis_{backbone}_8xb2-16k_{mix}"
        changed = differences(load(name), load(_swin(backbone)))
        roots = {key.split(".")[0] for key in changed if not key.startswith("model.")}
        loaders = {f"{s}_dataloader" for s in ("train", "val", "test")}
        assert roots == loaders | {"val_evaluator", "test_evaluator"}
        model = {key for key in changed if key.startswith("model.")}
        assert {key.rsplit(".", 1)[0] for key in model} <= {
            "model.head.taxonomy",
            "model.head.taxonomy.label_spaces",
        }


def test_a_mix_from_a_swin_is_tested_at_its_size():
    name = "tmt_vis/tmt-vis_swin-l-p4-w12-384-in21k_8xb2-16k_ytvis21-ovis-uvo"
    dataset = load(name).val_dataloader.dataset.datasets.ytvis21
    assert dataset.pipeline[1].transforms[0].scale == (1333, 480)


def test_single_dataset_baseline_is_its_tmt_vis_without_the_taxonomy_modules():
    tmt = build_model(load("tmt_vis/tmt-vis_r50_8xb2-6k_ytvis19").model)
    m2f = build_model(load("mask2former_vis/mask2former-vis_r50_8xb2-6k_ytvis19").model)
    added = {
        name.split(".")[1]
        for name in tmt.state_dict().keys() - m2f.state_dict().keys()
        if not name.startswith("head.vocabulary.")
    }
    assert added == {"guidance"}
    assert not m2f.state_dict().keys() - tmt.state_dict().keys()


def test_table3_rows_differ_from_the_main_config_in_data_and_schedule():
    for row in ("6k_ytvis19", "10k_uvo", "8k_ytvis19-ovis", "12k_ovis-uvo"):
        name = f"{ABLATIONS}tmt-vis_r50_8xb2-{row}-to-all"
        assert load(name).model == load(MAIN).model
        assert load(name).val_dataloader == load(MAIN).val_dataloader


def test_zero_shot_tests_know_what_was_trained():
    overlap = load(ABLATIONS + "tmt-vis_r50_8xb2-12k_ovis-uvo-to-all")
    assert overlap.test_evaluator.metrics.ytvis19.train_label_spaces == ["ovis", "uvo"]
    ovis = load(ABLATIONS + "tmt-vis_r50_8xb2-6k_ytvis19-to-ovis")
    assert ovis.test_evaluator.metrics.ovis.train_label_spaces == ["ytvis19"]
    assert build_model(ovis.model).head.track_decoding.near_pooling
    assert not build_model(overlap.model).head.track_decoding.near_pooling


def test_a_mistyped_option_is_an_error_here():
    with pytest.raises(KeyError, match="num_taxonomies"):
        with_options(load(MAIN), ["model.head.compilation.num_taxonomies=5"])
