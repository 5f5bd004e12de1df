"""The heads of the diagnosis: TCM that is told the truth, TIM that is told nothing."""

import json

import pytest
import torch
from helpers.tiny_model import build, samples

from experiments.miniature import learned_tokens, oracle  # noqa: F401  registers


def _compiled(model):
    inputs, data = samples(("ytvis19", "ovis"))
    features = model.head.clip_features(model.extract_feat(inputs), len(inputs))
    spaces = [sample.label_space for sample in data]
    return model.head.compile_taxonomy(features, spaces, samples=data)


def test_learned_tokens_are_the_same_for_every_clip_and_learn():
    model = build(guidance=dict(type="LearnedTokensGuidance"))
    compiled = _compiled(model)
    first, second = compiled.embeddings
    assert torch.equal(first, second) and compiled.keep.all()
    assert not torch.equal(*compiled.score_logits), "TCM still looks at the clip"
    losses = model.loss(*samples(("ytvis19", "ovis")))
    sum(losses.values()).backward()
    assert model.head.guidance.tokens.weight.grad.abs().sum() > 0
    assert "loss_taxo_comp" in losses


@pytest.fixture
def oracle_model(tmp_path):
    space = build().head.vocabulary.taxonomy.label_spaces["ytvis19"]
    annotations = [dict(video_id=3, category_id=space.categories[7].source_id)]
    file = tmp_path / "instances.json"
    file.write_text(json.dumps(dict(annotations=annotations)))
    ann_files = dict(ytvis19=str(file))
    return build(guidance=dict(type="OracleGuidance", ann_files=ann_files))


def test_the_oracle_compiles_what_the_clip_shows(oracle_model):
    _, data = samples(("ytvis19", "ovis"))
    compiled = _compiled(oracle_model)
    for row, sample in enumerate(data):
        union = oracle_model.head.vocabulary.slots_to_union(sample.label_space)
        shown = set(union[sample.gt_instances.labels].tolist())
        kept = compiled.union_ids[row][compiled.keep[row]].tolist()
        assert set(kept) == shown and len(kept) == len(shown)


def test_the_oracle_is_told_the_categories_of_test_videos(oracle_model):
    inputs, (sample,) = samples(("ytvis19",))
    sample.set_metainfo(dict(dataset="ytvis19", video_id=3))
    oracle_model.eval()
    (predicted,) = oracle_model.predict(inputs, [sample])
    assert "pred_taxonomy" not in predicted
    union = oracle_model.head.vocabulary.slots_to_union("ytvis19")
    head = oracle_model.head
    features = head.clip_features(oracle_model.extract_feat(inputs), 1)
    compiled = head.compile_taxonomy(features, ["ytvis19"], samples=[sample])
    assert compiled.union_ids[compiled.keep].tolist() == [union[7]]
