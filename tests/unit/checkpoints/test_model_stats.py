"""tools/model_stats.py counts what is there, and all of it."""

import copy

import pytest
import torch
from helpers.config_family import build_model, load
from helpers.tiny_model import build, model_cfg
from mmengine.config import Config

from tmt_vis.text import TextEmbeddingError

R50 = "mask2former_vis/mask2former-vis_r50_8xb2-6k_ytvis19"
SWIN_L = "tmt_vis/tmt-vis_swin-l-p4-w12-384-in21k_8xb2-16k_ytvis19-ovis-uvo"


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("model_stats")


def millions(counts):
    return sum(count.total for count in counts.values()) / 1e6


def test_the_published_sizes(tool):
    """44.0M for R50 with 100 queries, 215.5M for Swin-L with 200; 40 categories."""
    r50 = tool.count_parameters(build_model(load(R50).model))
    assert set(r50) == {"backbone", "pixel decoder", "decoder", "classifier"}
    assert round(millions(r50), 1) == 44.0
    assert r50["classifier"] == (41 * 257, 41 * 257)
    # The two tensors of each of the 53 frozen norms are not trained.
    assert r50["backbone"] == (23_508_032, 23_508_032 - 53_120)
    large, swin_l = copy.deepcopy(load(R50).model), load(SWIN_L).model
    large.backbone = swin_l.backbone
    large.head.num_queries = swin_l.head.num_queries
    large.head.pixel_decoder.in_channels = swin_l.head.pixel_decoder.in_channels
    assert large.head.num_queries == 200
    assert round(millions(tool.count_parameters(build_model(large))), 1) == 215.5


def test_every_parameter_has_one_room(tool):
    model = build()
    counts = tool.count_parameters(model)
    assert set(counts) == set(tool.PARTS)
    assert sum(c.total for c in counts.values()) == sum(
        parameter.numel() for parameter in model.parameters()
    )
    assert counts["tcm"].total == sum(
        p.numel() for p in model.head.guidance.tcm.parameters()
    )


def decoder_flops(*, queries, channels, ffn, tokens):
    """Count 2 operations per multiply-add, layer by layer; tokens of each layer."""
    total = 0
    square = queries * channels**2
    for memory in tokens:
        cross = 2 * square + 2 * memory * channels**2  # q, out; k, v
        cross += 2 * queries * memory * channels  # scores, sums
        own = 4 * square + 2 * queries**2 * channels
        guide = queries * memory * channels  # where the layer looks
        total += cross + own + 2 * queries * channels * ffn + guide
    mask_embeds = (len(tokens) + 1) * 3 * square  # one MLP per prediction
    return 2 * (total + mask_embeds)


def test_decoder_flops_by_hand(tool):
    model = build(taxonomy_modules=False, label_spaces=["ytvis19"]).eval()
    flops = tool.count_flops(model, torch.randn(1, 2, 3, 64, 96))
    tokens = [2 * 6, 2 * 4 * 6, 2 * 8 * 12]
    expected = decoder_flops(queries=8, channels=32, ffn=32, tokens=tokens)
    assert flops["decoder"] == expected
    assert flops["classifier"] == 2 * 8 * 32 * 41


def test_frames_pass_the_backbone_one_by_one(tool):
    model = build().eval()
    one, three = (tool.count_flops(model, torch.randn(1, t, 3, 64, 64)) for t in (1, 3))
    assert set(one) == set(tool.PARTS)
    for room in ("backbone", "pixel decoder"):
        assert three[room] == 3 * one[room] > 0
    assert model.head.query_decoder.query_feat.weight.requires_grad


def test_activations(tool):
    model = build().eval()
    one, two, many = (
        tool.measure_activations(model, torch.randn(1, t, 3, 64, 64), instances=n)
        for t, n in ((1, 1), (2, 1), (2, 3))
    )
    # At least what the stem keeps: its input and output.
    assert one > 4 * (3 * 64 * 64 + 16 * 32 * 32)
    assert 1.6 * one < two < 2.1 * one and two < many


def test_from_the_command_line(tool, repo_root, capsys):
    demo = next((repo_root / "configs" / "demo").glob("*.py"))
    tool.main([str(demo), "--shape", "2", "60", "64"])
    printed = capsys.readouterr().out
    assert "2 frames of 64 x 64 (padded)" in printed and "activations" in printed
    rows = [line.rsplit(maxsplit=4) for line in printed.splitlines()]
    parts = {row[0]: row[1:] for row in rows if row[0] in (*tool.PARTS, "all")}
    assert {"backbone", "pixel decoder", "tcm", "tim", "all"} <= set(parts)
    for column in range(4):
        values = {k: float(row[column].replace(",", "")) for k, row in parts.items()}
        total = values.pop("all")
        assert total == pytest.approx(sum(values.values()), abs=0.05) and total > 0


def test_missing_text_embeddings(tool, capsys):
    encoder = dict(type="OpenCLIPTextEncoder", model="RN50", pretrained="nobody")
    text = dict(encoder=encoder, template="{}")
    cfg = Config(dict(model=model_cfg()))
    cfg.model.head.text_embeddings = text
    with pytest.raises(TextEmbeddingError, match="nobody(.|\n)*--text-dim 1024"):
        tool.build_model(cfg, None)
    assert tool.build_model(cfg, 40).head.vocabulary.text_dim == 40
    assert "note: meaningless text embeddings of width 40" in capsys.readouterr().out
