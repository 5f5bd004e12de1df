"""The whole model: text acts, clips do not leak, every parameter learns."""

import json

import pytest
import torch
from helpers.tiny_model import build, head_cfg, samples
from mmdet.registry import MODELS
from mmengine.logging import MMLogger

from tmt_vis.models import CheckpointTaxonomyError, query_decoder

SHAPES = [(1, 1), (1, 5), (2, 2), (3, 2)]


def _losses(model, **kwargs):
    inputs, data = samples(**kwargs)
    return model.loss(inputs, data)


def _scores(model, inputs, data):
    out = model.eval().predict(inputs, data)
    return torch.stack([sample.pred_tracks.scores for sample in out])


@pytest.mark.parametrize("clips, frames", SHAPES)
def test_any_batch_and_length(clips, frames):
    model = build()
    spaces = ("ytvis19", "ovis", "ytvis19")[:clips]
    inputs, data = samples(spaces, frames=frames, size=(32, 64))
    losses = model.loss(inputs, data)
    assert all(torch.isfinite(value) for value in losses.values())
    for sample in model.eval().predict(inputs, data):
        assert len(sample.pred_tracks.tubes) == len(sample.pred_tracks.scores) == 10
        tube = sample.pred_tracks.tubes[0]
        assert (tube.num_frames, tube.height, tube.width) == (frames, 50, 75)


@pytest.mark.parametrize("num_taxonomy", [1, 2, 5, 10, 15, 20, 50, 100])
def test_any_number_of_compiled_categories(num_taxonomy):
    model = build(compilation=dict(num_taxonomy=num_taxonomy))
    inputs, data = samples(size=(32, 32))
    assert all(torch.isfinite(v) for v in model.loss(inputs, data).values())
    out = model.eval().predict(inputs, data)
    # OVIS has 25 categories and YouTube-VIS 40: never more than that.
    sizes = [len(sample.pred_taxonomy.union_ids) for sample in out]
    assert sizes == [min(num_taxonomy, 40), min(num_taxonomy, 25)]


@pytest.mark.parametrize("num_taxonomy", [0, -3])
def test_num_taxonomy_out_of_range(num_taxonomy):
    with pytest.raises(ValueError, match=r"num_taxonomy \(N_T\) must be >= 1, got"):
        build(compilation=dict(num_taxonomy=num_taxonomy))


VARIANTS = {
    "paper": {},
    "baseline": dict(taxonomy_modules=False),
    "gate": dict(compilation=dict(score_supervision="gate")),
    "unit variance": dict(compilation=dict(unit_variance_text=True)),
    "none": dict(compilation=dict(score_supervision="none")),
    "no taxonomy loss": dict(criterion=dict(taxonomy_loss=dict(enabled=False))),
    "extra": dict(criterion=dict(taxonomy_loss=dict(target="extra"))),
    "all layers": dict(criterion=dict(taxonomy_loss=dict(layers="all"))),
    "final": dict(criterion=dict(taxonomy_loss=dict(assign="final"))),
    "first": dict(injection=dict(layers="first")),
    "add": dict(
        injection=dict(layers="first", layer=dict(type="TaxonomyAdditionLayer"))
    ),
    "concat": dict(
        injection=dict(layers="first", layer=dict(type="TaxonomyConcatenationLayer"))
    ),
    "text classifier": dict(
        classifier=dict(type="TextSimilarityClassifier"),
        label_spaces=("ytvis19", "uvo"),
    ),
    "unified": dict(vocab_mode=dict(train="unified", test="unified")),
    "shared layers": dict(compilation=dict(share_layers=True)),
    "memory_all": dict(compilation=dict(features="memory_all")),
    "stride8": dict(compilation=dict(features="stride8")),
    "mask_feature": dict(compilation=dict(features="mask_feature")),
    "zero queries": dict(query_init="zero"),
    "naive union": dict(label_space_mask=False),
    "layer scale": dict(
        injection=dict(
            layer=dict(type="TaxonomyInjectionLayer", num_heads=4, layer_scale=0.01)
        )
    ),
}


@pytest.mark.parametrize("instances", [0, 2])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_trainable_parameter_gets_a_gradient(name, instances):
    """DDP runs with find_unused_parameters=False, also on empty batches."""
    model = build(**VARIANTS[name])
    spaces = ("ytvis19", "uvo") if name == "text classifier" else ("ytvis19", "ovis")
    losses = _losses(model, spaces=spaces, size=(32, 32), instances=instances)
    sum(losses.values()).backward()
    missing = [
        key
        for key, value in model.named_parameters()
        if value.requires_grad and value.grad is None
    ]
    assert not missing
    if name == "none":
        assert not model.head.guidance.tcm.score.weight.requires_grad


def test_straight_through_gate_changes_no_value_and_feeds_the_score():
    gate = build(compilation=dict(score_supervision="gate"))
    bce = build()
    bce.load_state_dict(gate.state_dict())
    inputs, data = samples()
    torch.testing.assert_close(_scores(gate, inputs, data), _scores(bce, inputs, data))
    gate.train()
    losses = gate.loss(inputs, data)
    assert "loss_taxo_comp" not in losses
    sum(losses.values()).backward()
    assert gate.head.guidance.tcm.score.weight.grad.abs().sum() > 0


def test_text_changes_predictions_at_test_time():
    model = build()
    inputs, data = samples()
    before = _scores(model, inputs, data)
    model.head.vocabulary.text_embeddings.copy_(
        model.head.vocabulary.text_embeddings.flip(0)
    )
    assert not torch.allclose(before, _scores(model, inputs, data))


def test_model_without_text_embeddings_is_an_error():
    with pytest.raises(ValueError, match="set head.text_embeddings"):
        MODELS.build(head_cfg(text_embeddings=None))


def test_label_space_without_any_text_is_refused(tmp_path):
    """TCM could compile nothing for it, and its loss would be 0 / 0."""
    path = tmp_path / "blobs.json"
    category = dict(source_id=1, name="blob", has_text=False)
    path.write_text(json.dumps(dict(name="blobs", categories=[category])))
    with pytest.raises(ValueError, match=r"\['blobs'\] have none; give a category"):
        MODELS.build(head_cfg(label_spaces=("ytvis19", str(path))))
    MODELS.build(head_cfg(label_spaces=("ytvis19", str(path)), taxonomy_modules=False))


def test_unsupervised_score_is_a_plain_dot_product():
    tcm = build(compilation=dict(score_supervision="none")).head.guidance.tcm
    assert torch.equal(tcm.score.weight, torch.eye(32)) and not tcm.score.bias.any()


def test_tcm_and_tim_belong_together():
    with pytest.raises(ValueError, match="set both or neither"):
        MODELS.build(head_cfg(injection=None))


@pytest.mark.parametrize("name", ["paper", "add", "concat", "mask_feature", "unified"])
def test_clips_of_a_batch_do_not_see_each_other(name):
    """Neither features nor compiled taxonomy leak: not in value, not in gradient."""
    model = build(**VARIANTS[name]).eval()
    inputs, data = samples()
    together = _scores(model, inputs, data)
    alone = torch.cat(
        [_scores(model, inputs[i : i + 1], data[i : i + 1]) for i in range(2)]
    )
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    swapped = _scores(model, inputs.flip(0), data[::-1])
    torch.testing.assert_close(swapped.flip(0), together, atol=1e-5, rtol=1e-4)
    inputs.requires_grad_()
    features = model.head.clip_features(model.extract_feat(inputs), len(inputs))
    compiled = model.head.compile_taxonomy(features, ["ytvis19", "ovis"])
    final = model.head.decode(features, compiled, model.head.supervision.stages[-1:])[0]
    final.class_logits[0].sum().backward()
    assert inputs.grad[0].abs().sum() > 0 and inputs.grad[1].abs().sum() == 0


def test_each_layer_is_guided_by_the_prediction_in_front_of_it(monkeypatch):
    """Layer 1 by the injected queries, layer l by the output of layer l - 1."""
    model = build()
    guides = []

    def record(mask_embeds, level_features):
        guides.append(mask_embeds)
        return keep(mask_embeds, level_features)

    keep = query_decoder.attention_keep
    monkeypatch.setattr(query_decoder, "attention_keep", record)
    inputs, _ = samples()
    features = model.head.clip_features(model.extract_feat(inputs), len(inputs))
    compiled = model.head.compile_taxonomy(features, ["ytvis19", "ovis"])
    stages = model.head.decode(features, compiled, model.head.supervision.stages)
    for guide, stage in zip(guides, stages[:-1], strict=True):
        assert torch.equal(guide, stage.mask_embeds) and not guide.requires_grad


def test_frames_of_a_clip_do_see_each_other():
    model = build().eval()
    inputs, data = samples(("ytvis19",), frames=3)
    before = _scores(model, inputs, data)
    inputs[:, 2] += 1
    assert not torch.allclose(before, _scores(model, inputs, data))


def test_foreign_category_gets_no_gradient_but_does_in_the_naive_union():
    """A clip of YouTube-VIS says nothing about OVIS's sheep, except naively."""
    inputs, data = samples(("ytvis19",))
    grads = {}
    for restricted in (True, False):
        model = build(label_space_mask=restricted)
        sum(model.loss(inputs, data).values()).backward()
        grads[restricted] = model.head.query_decoder.cls_embed.weight.grad
    foreign = ~model.head.vocabulary.class_keep(["ytvis19"])[0]
    assert foreign.sum() == 5  # the categories only OVIS has
    assert grads[True][:-1][foreign].eq(0).all()
    assert grads[False][:-1][foreign].ne(0).any(1).all()
    assert grads[True][:-1][~foreign].ne(0).any(1).all()


def test_compilation_loss_says_nothing_about_foreign_categories():
    model = build()
    inputs, data = samples(("ytvis19",))
    features = model.head.clip_features(model.extract_feat(inputs), len(inputs))
    compiled = model.head.compile_taxonomy(features, ["ytvis19"])
    compiled.score_logits.retain_grad()
    targets = [model.head.clip_targets(data[0])]
    loss = model.head.guidance.loss(
        compiled, targets, ["ytvis19"], model.head.vocabulary
    )
    loss["loss_taxo_comp"].backward()
    foreign = ~model.head.vocabulary.class_keep(["ytvis19"])[0]
    assert compiled.score_logits.grad[0][foreign].eq(0).all()


def test_predictions_are_slots_of_the_evaluated_label_space():
    model = build(label_spaces=("ytvis19", "uvo"), test_cfg=dict(max_per_video=300))
    inputs, data = samples(("uvo", "ytvis19"), size=(32, 32))
    uvo, ytvis = model.eval().predict(inputs, data)
    assert 40 < uvo.pred_tracks.labels.max() < 81
    assert ytvis.pred_tracks.labels.max() < 40


def test_other_is_never_compiled_but_classified():
    """UVO's "other" has no meaning for a text encoder (A22)."""
    model = build(label_spaces=("uvo",), compilation=dict(num_taxonomy=100))
    inputs, data = samples(("uvo",), size=(32, 32))
    out = model.eval().predict(inputs, data)[0]
    other = model.head.vocabulary.taxonomy.names.index("other")
    assert len(out.pred_taxonomy.union_ids) == 80
    assert other not in out.pred_taxonomy.union_ids
    assert model.head.class_keep(["uvo"])[0, other]


def test_near_pooling_reaches_vehical_but_not_from_its_own_slots():
    """Zero-shot on OVIS: "Vehical" is predicted through sedan and truck (A23)."""
    model = build(test_cfg=dict(max_per_video=10, near_pooling=True))
    taxonomy = model.head.vocabulary.taxonomy
    space = taxonomy.label_spaces["ovis"]
    slot, bird = space.names.index("Vehical"), space.names.index("Bird")
    logits = torch.full((1, taxonomy.num_categories + 1), -4.0)
    logits[0, taxonomy.names.index("truck")] = 4.0
    logits[0, taxonomy.names.index("parrot")] = 3.0
    probs = model.head.slot_probs(logits, "ovis")[0]
    assert probs[slot] == probs.max() > 0.5
    assert probs[bird] < probs[space.names.index("Parrot")]
    plain = build(test_cfg=dict(max_per_video=10)).head.slot_probs(logits, "ovis")[0]
    assert plain[slot] < 0.05


def test_unknown_label_space():
    model = build()
    inputs, data = samples(("uvo",))
    with pytest.raises(KeyError, match="not part of the model's taxonomy"):
        model.loss(inputs, data)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_training_step(dtype):
    model = build()
    inputs, data = samples()
    with torch.autocast("cpu", dtype=dtype):
        losses = model.loss(inputs, data)
    full = model.loss(inputs, data)
    for key, value in losses.items():
        assert value.dtype == torch.float32 and torch.isfinite(value)
        assert value.item() == pytest.approx(full[key].item(), rel=0.2, abs=0.05)
    sum(losses.values()).backward()


def test_chunked_frames_give_the_same_tracks():
    model = build().eval()
    inputs, data = samples(("ytvis19",), frames=5)
    whole = model.predict(inputs, data)[0].pred_tracks
    model.frames_per_chunk = 2
    chunked = model.predict(inputs, data)[0].pred_tracks
    torch.testing.assert_close(whole.scores, chunked.scores)
    assert torch.equal(whole.labels, chunked.labels)
    assert whole.tubes == chunked.tubes


@pytest.mark.parametrize(
    ("size", "frames"),
    [((384, 640), 4), ((360, 640), 4), ((96, 160), 8), ((1088, 1920), 1)],
)
def test_a_cpu_takes_fewer_large_frames_at_a_time(size, frames):
    model = build()
    assert model.chunk_length(size) == frames
    model.frames_per_chunk = 5
    assert model.chunk_length(size) == 5


def test_cpus_predict_channels_last():
    model = build().eval()
    inputs, data = samples(("ytvis19",), frames=2)
    seen = []
    model.backbone.conv1.register_forward_pre_hook(
        lambda module, args: seen.append(
            args[0].is_contiguous(memory_format=torch.channels_last)
        )
    )
    with torch.no_grad():
        ours = model.pixel_features(inputs[0])
    as_trained = model.pixel_features(inputs[0])
    assert seen == [True, False]
    torch.testing.assert_close(ours.mask_features, as_trained.mask_features)
    for a, b in zip(ours.levels, as_trained.levels, strict=True):
        torch.testing.assert_close(a, b)


# ------------------------------------------------------------------ checkpoints


def test_state_dict_round_trip():
    model, other = build(0), build(1)
    other.load_state_dict(model.state_dict())
    inputs, data = samples()
    assert torch.equal(_scores(model, inputs, data), _scores(other, inputs, data))


def test_checkpoint_of_another_taxonomy():
    state = build(label_spaces=("ytvis19",)).state_dict()
    with pytest.raises(CheckpointTaxonomyError, match="trained on label spaces"):
        build().load_state_dict(state, strict=False)


def test_checkpoint_of_the_same_spaces_in_another_order():
    state = build(label_spaces=("ovis", "ytvis19")).state_dict()
    with pytest.raises(CheckpointTaxonomyError, match="first difference: union_id 1"):
        build().load_state_dict(state, strict=False)


def test_checkpoint_of_another_text_encoder():
    wider = dict(encoder=dict(type="HashTextEncoder", dim=16), template="{}")
    state = build(text_embeddings=wider).state_dict()
    with pytest.raises(CheckpointTaxonomyError, match="text encoder of the checkpoint"):
        build().load_state_dict(state, strict=False)


def test_wrong_embedding_width_names_the_remedy():
    model = build()
    model.head.vocabulary.text_embeddings = torch.zeros(45, 7)
    inputs, data = samples()
    with pytest.raises(ValueError, match="built for text embeddings of width 24"):
        model.loss(inputs, data)


@pytest.mark.parametrize("prefix", ["panoptic_head.", "track_head."])
def test_warm_start_from_mmdet(prefix, monkeypatch):
    """All of Mask2Former is taken over; its classifier has other rows."""
    source = build(0, taxonomy_modules=False, label_spaces=("coco",))
    state = {
        key.replace("head.", prefix, 1) if key.startswith("head.") else key: value
        for key, value in source.state_dict().items()
        if "vocabulary" not in key
    }
    model = build(1)
    warnings = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, "warning", warnings.append)
    result = model.load_state_dict(state, strict=False)
    assert not result.unexpected_keys
    assert (
        "(81, 32), the joint taxonomy needs (46, 32): it is not loaded" in warnings[0]
    )
    new = (
        "head.guidance.tcm.",
        "head.guidance.tim.",
        "head.vocabulary.",
        "head.query_decoder.cls_embed.",
    )
    assert all(key.startswith(new) for key in result.missing_keys)
    a, b = source.state_dict(), model.state_dict()
    key = (
        "head.query_decoder.transformer_decoder.layers.0.cross_attn.attn.in_proj_weight"
    )
    assert torch.equal(a[key], b[key])


def test_foreign_classifier_of_the_same_size_is_not_taken_silently(monkeypatch):
    """Rows of YouTube-VIS 2019 fit into 2021 and mean something else."""
    state = build(taxonomy_modules=False, label_spaces=("ytvis19",)).state_dict()
    state = {k: v for k, v in state.items() if "vocabulary" not in k}
    warnings = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, "warning", warnings.append)
    model = build(1, taxonomy_modules=False, label_spaces=("ytvis21",))
    model.load_state_dict(state, strict=False)
    assert "nothing says which categories its rows are" in warnings[0]


def test_extra_prediction_cannot_follow_concatenation():
    with pytest.raises(ValueError, match="replace_aux0"):
        build(
            injection=dict(
                layers="first", layer=dict(type="TaxonomyConcatenationLayer")
            ),
            criterion=dict(taxonomy_loss=dict(target="extra")),
        )


def test_injection_once_only_layers_reject_all():
    with pytest.raises(ValueError, match="injection.layers='first'"):
        build(injection=dict(layer=dict(type="TaxonomyAdditionLayer")))


def test_gate_survives_scores_whose_sigmoid_is_zero():
    """A demo-sized run reached such scores within 80 iterations and became NaN."""
    gate = build(compilation=dict(score_supervision="gate"))
    gate.head.guidance.tcm.score_bias.data.fill_(-200.0)
    inputs, data = samples()
    gate.train()
    losses = gate.loss(inputs, data)
    sum(v for k, v in losses.items() if "loss" in k).backward()
    assert all(v.isfinite().all() for v in losses.values())
    assert gate.head.guidance.tcm.score.weight.grad.isfinite().all()
    assert gate.head.guidance.tcm.score.weight.grad.abs().sum() > 0


def test_injection_can_start_as_the_identity():
    """The usual order never does: its LayerNorm changes warm-started queries."""
    layer = dict(type="TaxonomyInjectionLayer", num_heads=4, ffn_channels=32)
    for extra, same in (({}, False), (dict(norm_first=True, layer_scale=0.0), True)):
        model = build(injection=dict(layer=layer | extra))
        inputs, data = samples()
        with torch.no_grad():
            features = model.head.clip_features(model.extract_feat(inputs), len(inputs))
            compiled = model.head.compile_taxonomy(features, ["ytvis19", "ovis"])
            queries = model.head.query_decoder.query_feat.weight.expand(2, -1, -1) * 3
            out, _ = model.head.guidance.tim(
                0, queries, torch.zeros_like(queries), compiled
            )
        assert torch.equal(out, queries) == same


def test_weight_of_the_compilation_loss_is_separate():
    light = build()
    heavy = build(criterion=dict(loss_weights=dict(comp=5.0)))
    heavy.load_state_dict(light.state_dict())
    ours, theirs = _losses(heavy), _losses(light)
    ratio = ours["loss_taxo_comp"] / theirs["loss_taxo_comp"]
    assert ratio.item() == pytest.approx(10.0)  # 5.0 instead of taxo's 0.5
    torch.testing.assert_close(ours["d0.loss_taxo"], theirs["d0.loss_taxo"])
