"""What predict() tells about the taxonomy of a video, for the metrics."""

import torch
from helpers.tiny_model import build, samples


def test_every_slot_has_a_score_and_a_rank():
    model = build(label_spaces=("ytvis19", "uvo")).eval()
    inputs, data = samples(("uvo", "ytvis19"), size=(32, 32))
    for sample in model.predict(inputs, data):
        report, vocabulary = sample.pred_taxonomy, model.head.vocabulary
        union_of_slot = vocabulary.slots_to_union(sample.label_space)
        has_text = vocabulary.has_text[union_of_slot]
        # UVO's "other" has no text.
        assert (report.slot_ranks >= 0).tolist() == has_text.tolist()
        order = report.slot_ranks.argsort()[(~has_text).sum() :]
        assert report.slot_ranks[order].tolist() == list(range(len(order)))
        assert (report.slot_scores[order].diff() <= 0).all()
        # The first N_T are those that were compiled, in the same order.
        assert union_of_slot[order[:5]].tolist() == report.union_ids.tolist()
        torch.testing.assert_close(report.slot_scores[order[:5]], report.scores)
        assert set(report.slot_compiled.nonzero()[:, 0].tolist()) == set(
            order[:5].tolist()
        )
        assert "slot_ranks" in sample.to_dict()["pred_taxonomy"]


def test_unified_vocabulary_ranks_among_all_categories():
    model = build(vocab_mode=dict(test="unified"), compilation=dict(num_taxonomy=45))
    inputs, data = samples(("ovis",), size=(32, 32))
    (sample,) = model.eval().predict(inputs, data)
    report = sample.pred_taxonomy
    assert len(report.union_ids) == 45
    position = {u: i for i, u in enumerate(report.union_ids.tolist())}
    slots = model.head.vocabulary.slots_to_union("ovis").tolist()
    assert report.slot_ranks.tolist() == [position[u] for u in slots]
    assert report.slot_compiled.all()
