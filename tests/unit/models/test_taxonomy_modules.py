"""TCM and TIM, equation by equation, and what each ablation switch changes."""

import math

import pytest
import torch
import torch.nn.functional as F

from tmt_vis.models import (
    CompiledTaxonomy,
    TaxonomyAdditionLayer,
    TaxonomyCompilationModule,
    TaxonomyConcatenationLayer,
    TaxonomyInjectionLayer,
    TaxonomyInjectionModule,
)
from tmt_vis.models.features import (
    ClipFeatures,
    ClipPositionalEncoding,
    FeatureLevel,
)
from tmt_vis.models.taxonomy import CategoryScores

WIDTH, TEXT, CATEGORIES = 16, 12, 7


def _features(clips=2, frames=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    position = ClipPositionalEncoding(WIDTH)
    memories = []
    for size in ((1, 2), (2, 4), (4, 8)):
        tokens = frames * size[0] * size[1]
        memories.append(
            FeatureLevel(
                torch.randn(clips, tokens, WIDTH, generator=generator),
                position(frames, size, torch.device("cpu")),
                size,
            )
        )
    masks = torch.randn(clips, frames, WIDTH, 8, 16, generator=generator)
    return ClipFeatures(masks, tuple(memories))


def _text(seed=1):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(CATEGORIES, TEXT, generator=generator), dim=-1)


def _tcm(**kwargs):
    torch.manual_seed(0)
    cfg = dict(
        channels=WIDTH, text_dim=TEXT, num_taxonomy=3, num_heads=2, ffn_channels=16
    )
    return TaxonomyCompilationModule(**(cfg | kwargs))


def _attention(layer, query, keys, pos):
    """nn.MultiheadAttention itself, on the layer's weights."""
    values = keys
    keys = keys if pos is None else keys + pos
    return layer.cross_attn.attn(query, keys, values, need_weights=False)[0]


def _block(layer, query, keys, pos):
    query = layer.norms[0](query + _attention(layer, query, keys, pos))
    hidden = layer.ffn.layers[0][0](query).relu()
    return layer.norms[1](query + layer.ffn.layers[1](hidden))


def test_compilation_follows_the_equations():
    """Eqs. 2-5 written out for each clip and category."""
    tcm, text, features = _tcm(), _text(), _features()
    keep = torch.ones(2, CATEGORIES, dtype=torch.bool)
    compiled = tcm(text, features.levels, keep)
    first, _, second = tcm.adapter
    adapted = second(first(text).relu())  # Eq. 2
    rows = adapted.expand(2, -1, -1)
    for index in range(2):  # Eqs. 3 and 4, at strides 32 and 16
        memory = features.levels[index]
        rows = _block(tcm.layers[index], rows, memory.tokens, memory.pos)
    for clip in range(2):
        scores = [
            torch.dot(tcm.score(rows[clip, i]), adapted[i]) / math.sqrt(WIDTH)
            + tcm.score_bias
            for i in range(CATEGORIES)
        ]  # Eq. 5
        scores = torch.stack(scores)
        torch.testing.assert_close(compiled.score_logits[clip], scores)
        best = scores.sigmoid().argsort(descending=True)[:3]
        assert compiled.union_ids[clip].tolist() == best.tolist()
        torch.testing.assert_close(compiled.embeddings[clip], rows[clip][best])


def test_the_prior_is_the_initial_score():
    """An untrained TCM calls every category unlikely, so the loss starts small."""
    bias = _tcm(prior=0.02).score_bias
    assert bias.sigmoid().item() == pytest.approx(0.02)


def test_text_of_unit_variance_starts_with_categories_that_differ():
    """Unit vectors times sqrt(D): Eq. 2 of inputs as large as Xavier expects."""
    text, features = _text(), _features()
    keep = torch.ones(2, CATEGORIES, dtype=torch.bool)
    factor = math.sqrt(TEXT)
    assert (factor * text).square().mean().item() == pytest.approx(1)
    plain, scaled = _tcm(), _tcm(unit_variance_text=True)
    expected = plain(factor * text, features.levels, keep).score_logits
    torch.testing.assert_close(
        scaled(text, features.levels, keep).score_logits, expected
    )
    assert not torch.allclose(plain(text, features.levels, keep).score_logits, expected)
    assert scaled.state_dict().keys() == plain.state_dict().keys()


def test_only_the_given_categories_are_compiled():
    keep = torch.zeros(2, CATEGORIES, dtype=torch.bool)
    keep[0, [1, 4]] = True
    keep[1, 2:] = True
    compiled = _tcm()(_text(), _features().levels, keep)
    assert set(compiled.union_ids[0][:2].tolist()) == {1, 4}
    assert compiled.keep.tolist() == [[True, True, False], [True, True, True]]
    assert (compiled.union_ids[1] >= 2).all()


def test_ties_go_to_the_smaller_union_id():
    text = _text()[:1].expand(CATEGORIES, -1)
    keep = torch.ones(2, CATEGORIES, dtype=torch.bool)
    compiled = _tcm()(text, _features().levels, keep)
    assert compiled.union_ids.tolist() == [[0, 1, 2]] * 2


def test_ranking_survives_half_precision_saturation():
    """sigmoid(17) equals sigmoid(20) in float16; their logits do not."""
    tcm = _tcm(num_taxonomy=2)
    logits = torch.tensor([[17.0, 20.0, 18.0, 0.0, 0.0, 0.0, 0.0]])
    keep = torch.ones(1, CATEGORIES, dtype=torch.bool)
    compiled = tcm.select(
        CategoryScores(torch.zeros(1, CATEGORIES, WIDTH), logits), keep
    )
    assert compiled.union_ids.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    "source, levels",
    [("memory_rr", {0, 1}), ("memory_all", {0, 1, 2}), ("stride8", {2})],
)
def test_feature_sources(source, levels):
    """Exactly the named levels matter."""
    tcm, text = _tcm(features=source), _text()
    keep = torch.ones(2, CATEGORIES, dtype=torch.bool)
    features = _features()
    before = tcm(text, features.levels, keep).score_logits
    for level in range(3):
        memories = list(features.levels)
        memory = memories[level]
        memories[level] = FeatureLevel(memory.tokens + 1, memory.pos, memory.size)
        after = tcm(text, memories, keep).score_logits
        assert torch.equal(before, after) == (level not in levels)
    assert not tcm.needs_mask_level


def test_mask_feature_source_reads_the_mask_features_only():
    tcm, text, features = _tcm(features="mask_feature"), _text(), _features()
    assert tcm.needs_mask_level
    keep = torch.ones(2, CATEGORIES, dtype=torch.bool)
    masks, others = features.mask_level(), [None] * 3  # not looked at
    assert masks.tokens.shape == (2, 2 * 8 * 16, WIDTH) and masks.pos is None
    pixel = features.mask_features[1, 1, :, 3, 5]
    assert torch.equal(masks.tokens[1, 8 * 16 + 3 * 16 + 5], pixel)
    before = tcm(text, [*others, masks], keep).score_logits
    changed = ClipFeatures(features.mask_features + 1, features.levels).mask_level()
    assert not torch.equal(before, tcm(text, [*others, changed], keep).score_logits)


def test_sharing_halves_the_blocks_and_layers_are_counted():
    assert len(_tcm(share_layers=True).layers) == 1
    assert len(_tcm(num_layers=3).layers) == 3


@pytest.mark.parametrize(
    "kwargs, message",
    [
        (dict(features="pixels"), "features must be one of"),
        (dict(score_supervision="maybe"), "is not a valid ScoreSupervision"),
    ],
)
def test_bad_choices(kwargs, message):
    with pytest.raises(ValueError, match=message):
        _tcm(**kwargs)


# ------------------------------------------------------------------ injection


def _compiled(counts=(3, 2)):
    torch.manual_seed(3)
    keep = torch.tensor([[i < n for i in range(3)] for n in counts])
    clips = len(counts)
    ids = torch.arange(3).expand(clips, -1)
    scores = torch.zeros(clips, CATEGORIES)
    return CompiledTaxonomy(
        torch.randn(clips, 3, WIDTH), keep, ids, scores, scores.bool()
    )


def _queries(count=5):
    torch.manual_seed(4)
    return torch.randn(2, count, WIDTH), torch.randn(2, count, WIDTH)


def test_injection_follows_equation_6():
    torch.manual_seed(0)
    layer = TaxonomyInjectionLayer(
        channels=WIDTH, num_taxonomy=3, num_heads=2, ffn_channels=16
    )
    queries, pos = _queries()
    compiled = _compiled()
    injected, same_pos = layer(queries, pos, compiled)
    block = layer.block
    attended = block.cross_attn.attn(
        queries + pos,
        compiled.embeddings,
        compiled.embeddings,
        key_padding_mask=~compiled.keep,  # True = blocked there
        need_weights=False,
    )[0]
    expected = block.norms[0](queries + attended)
    hidden = block.ffn.layers[0][0](expected).relu()
    expected = block.norms[1](expected + block.ffn.layers[1](hidden))
    torch.testing.assert_close(injected, expected)
    assert same_pos is pos


def test_padding_is_never_injected():
    layer = TaxonomyInjectionLayer(channels=WIDTH, num_taxonomy=3, num_heads=2)
    queries, pos = _queries()
    compiled = _compiled()
    before = layer(queries, pos, compiled)[0]
    compiled.embeddings[1, 2] += 100
    assert torch.equal(before, layer(queries, pos, compiled)[0])
    compiled.embeddings[1, 1] += 100
    assert not torch.equal(before, layer(queries, pos, compiled)[0])


def test_small_layer_scale_keeps_the_direction_of_warm_queries():
    torch.manual_seed(0)
    layer = TaxonomyInjectionLayer(channels=WIDTH, num_taxonomy=3, layer_scale=1e-6)
    queries, pos = _queries()
    injected = layer(queries, pos, _compiled())[0]
    plain = F.layer_norm(queries, (WIDTH,))
    torch.testing.assert_close(injected, plain, atol=1e-3, rtol=1e-3)


def test_addition_goes_round_the_embeddings_of_the_clip():
    queries, pos = _queries()
    compiled = _compiled(counts=(3, 2))
    added = TaxonomyAdditionLayer(channels=WIDTH, num_taxonomy=3)(
        queries, pos, compiled
    )[0]
    for clip, order in enumerate(([0, 1, 2, 0, 1], [0, 1, 0, 1, 0])):
        expected = queries[clip] + compiled.embeddings[clip][order]
        torch.testing.assert_close(added[clip], expected)


def test_concatenation_appends_queries_with_positions_by_rank():
    layer = TaxonomyConcatenationLayer(channels=WIDTH, num_taxonomy=3)
    queries, pos = _queries()
    compiled = _compiled(counts=(3, 2))
    longer, longer_pos = layer(queries, pos, compiled)
    assert torch.equal(longer[:, :5], queries) and torch.equal(longer_pos[:, :5], pos)
    assert torch.equal(longer[0, 5:], compiled.embeddings[0])
    assert longer[1, 7].eq(0).all(), "padding has no content"
    assert torch.equal(longer_pos[1, 5:], layer.rank_pos.weight)


@pytest.mark.parametrize("layers, count", [("all", 4), ("first", 1)])
def test_where_injection_happens(layers, count):
    tim = TaxonomyInjectionModule(
        num_decoder_layers=4, channels=WIDTH, num_taxonomy=3, layers=layers
    )
    assert tim.injected_layers == tuple(range(count))
    queries, pos = _queries()
    compiled = _compiled()
    for index in range(4):
        changed = not torch.equal(tim(index, queries, pos, compiled)[0], queries)
        assert changed == (index < count)


def test_unknown_place():
    with pytest.raises(ValueError, match="layers must be 'all' or 'first'"):
        TaxonomyInjectionModule(
            num_decoder_layers=2, channels=WIDTH, num_taxonomy=3, layers="last"
        )


# ------------------------------------------------------------------ positions


def test_position_equals_mmdets_and_depends_on_time():
    from mmdet.models.layers import SinePositionalEncoding3D

    mask = torch.zeros(1, 3, 2, 5, dtype=torch.bool)
    expected = SinePositionalEncoding3D(num_feats=8, normalize=True)(mask)
    ours = ClipPositionalEncoding(16)(3, (2, 5), torch.device("cpu"))
    torch.testing.assert_close(
        ours[0].view(3, 2, 5, 16).permute(0, 3, 1, 2), expected[0]
    )
    assert not torch.equal(ours[0, :10], ours[0, 10:20])


def test_position_cache_is_bounded():
    encoding = ClipPositionalEncoding(8)
    for frames in range(1, 30):
        encoding(frames, (2, 2), torch.device("cpu"))
    assert len(encoding._cache) == encoding._MAX_ENTRIES
