"""Videos that say something about some categories only (BURST, LVIS)."""

import pytest
import torch
from helpers.tiny_model import build, samples

KNOWN = (0, 1, 7)  # two annotated categories of the sample, one verified to be absent


def federated(known, space="ytvis19", **options):
    inputs, data = samples((space,), **options)
    data[0].set_metainfo(dict(known_slots=known))
    return inputs, data


def gradients(model, inputs, data):
    sum(model.loss(inputs, data).values()).backward()
    return model.head.query_decoder.cls_embed.weight.grad[:-1]


@pytest.mark.parametrize("restricted", [True, False])
def test_an_unknown_category_is_neither_positive_nor_negative(restricted):
    model = build(label_space_mask=restricted)
    own = model.head.vocabulary.slots_to_union("ytvis19")
    known = torch.zeros(len(own), dtype=torch.bool)
    known[list(KNOWN)] = True
    grads = gradients(model, *federated(KNOWN))
    assert grads[own[known]].ne(0).any(1).all()
    assert grads[own[~known]].eq(0).all()
    # The naive union takes other data sets' categories for absent, as it always does.
    foreign = ~model.head.vocabulary.class_keep(["ytvis19"])[0]
    assert grads[foreign].ne(0).any() == (not restricted)


def test_the_matching_does_not_see_unknown_categories(monkeypatch):
    model = build()
    seen = []
    assign = model.head.supervision.assigner.assign

    def spy(logits, *args):
        seen.append(logits)
        return assign(logits, *args)

    monkeypatch.setattr(model.head.supervision.assigner, "assign", spy)
    model.loss(*federated(KNOWN))
    probs = seen[0].softmax(-1)
    own = model.head.vocabulary.slots_to_union("ytvis19")
    assert set(probs.sum((0, 1, 2)).nonzero().flatten().tolist()) == {
        *own[list(KNOWN)].tolist(),
        probs.shape[-1] - 1,
    }


def test_the_compilation_loss_leaves_unknown_categories_alone():
    model = build()
    inputs, data = federated(KNOWN)
    features = model.head.clip_features(model.extract_feat(inputs), len(inputs))
    compiled = model.head.compile_taxonomy(features, ["ytvis19"])
    compiled.score_logits.retain_grad()
    targets = [model.head.clip_targets(data[0])]
    known = model.head.known_keep(data)
    loss = model.head.guidance.loss(
        compiled, targets, ["ytvis19"], model.head.vocabulary, known=known
    )
    loss["loss_taxo_comp"].backward()
    own = model.head.vocabulary.slots_to_union("ytvis19")
    touched = compiled.score_logits.grad[0].nonzero().flatten().tolist()
    assert sorted(touched) == sorted(own[list(KNOWN)].tolist())


def test_a_clip_that_says_nothing_costs_nothing():
    model = build()
    losses = model.loss(*federated((), instances=0))
    assert all(loss.isfinite() for loss in losses.values())
    assert losses["loss_cls"] == 0 and losses["loss_taxo_comp"] == 0


def test_all_known_is_the_same_as_no_list():
    inputs, data = federated(None)
    plain = build().loss(inputs, data)
    listed = build().loss(*federated(tuple(range(40))))
    assert all(torch.equal(plain[name], listed[name]) for name in plain)


def test_at_test_time_every_category_of_the_label_space_stays():
    model = build().eval()
    tracks = [
        model.predict(*federated(known))[0].pred_tracks for known in (None, KNOWN)
    ]
    assert torch.equal(tracks[0].scores, tracks[1].scores)
    assert torch.equal(tracks[0].labels, tracks[1].labels)


@pytest.mark.parametrize("per_frame", [False, True])
def test_crowds_and_incomplete_categories_reach_the_losses(per_frame):
    """In a clip without objects, only "no object" can be learnt, by every query."""

    def pushed(**facts):
        model = build(per_frame=per_frame, taxonomy_modules=False)
        inputs, data = samples(("ytvis19",), instances=0)
        if facts.pop("crowd", False):
            crowd = samples(("ytvis19",), instances=1)[1][0].gt_instances
            crowd.masks[:] = True
            data[0].ignored_instances = crowd
        data[0].set_metainfo(facts)
        sum(model.loss(inputs, data).values()).backward()
        return model.head.query_decoder.cls_embed.bias.grad[-1].abs().item()

    assert pushed() > 0
    assert pushed(incomplete_slots=tuple(range(40))) == 0
    assert pushed(crowd=True) < 0.7 * pushed(), "a query without a mask lies nowhere"
