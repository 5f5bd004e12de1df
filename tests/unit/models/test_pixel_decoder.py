"""ClipPixelDecoder is mmdet's pixel decoder: weights, initialisation, numbers."""

import copy

import pytest
import torch
from helpers.tiny_model import head_cfg
from mmdet.registry import MODELS
from mmengine.config import ConfigDict

from tmt_vis.engine import StepCounter
from tmt_vis.models.necks import pixel_decoder

CHANNELS = (16, 32, 64, 128)


def build(kind, seed=0, **options):
    cfg = ConfigDict(copy.deepcopy(head_cfg()["pixel_decoder"]), **options)
    cfg.type, cfg.encoder.num_layers = kind, 2
    torch.manual_seed(seed)
    decoder = MODELS.build(cfg)
    decoder.init_weights()
    return decoder


@pytest.fixture(scope="module")
def pair():
    """mmdet's and ours, away from the integer offsets of the initialisation.

    There the gradient of a bilinear sample has two values.
    """
    decoders = build("MSDeformAttnPixelDecoder"), build("ClipPixelDecoder")
    for decoder in decoders:
        generator = torch.Generator().manual_seed(1)
        for parameter in decoder.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.data += 0.1 * noise
    return decoders


def features(size, *, frames=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(2)
    shapes = [(c, *(-(-s // 2**i) for s in size)) for i, c in enumerate(CHANNELS)]
    return [
        torch.randn(frames, *shape, generator=generator).to(dtype).requires_grad_()
        for shape in shapes
    ]


def results(decoder, feats):
    mask_features, levels = decoder(feats)
    loss = (mask_features**2).mean() + sum((level**3).mean() for level in levels)
    inputs = [*feats, *decoder.parameters()]
    grads = torch.autograd.grad(loss, inputs, allow_unused=True)
    return [mask_features, *levels], [grad for grad in grads if grad is not None]


def check_equal(pair, size, tolerance, dtype):
    theirs, ours = (copy.deepcopy(decoder).to(dtype) for decoder in pair)
    feats = features(size, dtype=dtype)
    for expected, got in zip(results(theirs, feats), results(ours, feats), strict=True):
        for a, b in zip(expected, got, strict=True):
            assert a.shape == b.shape
            assert (a - b).abs().max() <= tolerance * a.abs().max()


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("autocast", [False, True])
def test_a_prediction_refines_frame_by_frame(pair, frames, autocast):
    decoder = copy.deepcopy(pair[1])
    feats = features((7, 41), frames=frames)
    at_once = []
    decoder.mask_feature.register_forward_hook(
        lambda module, inputs, output: at_once.append(len(output))
    )
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        expected, levels = decoder(feats)
        with torch.no_grad():
            got, same_levels = decoder(feats)
    assert at_once == [frames] + [1] * frames
    assert got.dtype == expected.dtype
    # Autocast rounds the weights of the sampling to bfloat16 with gradients only.
    for a, b in zip([expected, *levels], [got, *same_levels], strict=True):
        tolerance = 2e-2 if autocast else 1e-6
        assert (a - b).abs().max() <= tolerance * a.abs().max()


@pytest.mark.parametrize("options", [{}, dict(sampling="triton")])
def test_same_weights_and_initialisation_from_the_same_seed(options):
    expected = build("MSDeformAttnPixelDecoder").state_dict()
    next_number = torch.rand(1)
    got = build("ClipPixelDecoder", **options).state_dict()
    assert torch.equal(torch.rand(1), next_number)
    assert list(expected) == list(got)
    assert all(torch.equal(expected[key], got[key]) for key in expected)


@pytest.mark.parametrize("size", [(16, 24), (7, 41), (18, 26)])
def test_values_and_gradients_equal_mmdet(pair, size):
    # In float64 what is left is mmdet's rounding of the reference points (to float32).
    check_equal(pair, size, 2e-6, torch.float64)
    check_equal(pair, size, 1e-5, torch.float32)


def test_the_operator_of_devices_gives_the_same(pair, monkeypatch):
    """mmcv's operator, here the PyTorch one of projects/mmcv_ext."""
    on_device = pixel_decoder._attend_on_device
    calls = []

    def attend(attn, tokens, pos, geometry, sampling):
        value = attn.value_proj(tokens).unflatten(-1, (attn.num_heads, -1))
        query = tokens + pos
        offsets = attn.sampling_offsets(query).unflatten(-1, (-1, 2))
        scores = attn.attention_weights(query).unflatten(-1, (attn.num_heads, -1))
        calls.append(1)
        out = on_device(attn, value, offsets, scores.softmax(-1), geometry)
        return attn.output_proj(out)

    monkeypatch.setattr(pixel_decoder, "_attend", attend)
    check_equal(pair, (7, 10), 1e-5, torch.float32)
    assert len(calls) == 2


def test_nothing_is_read_back_and_what_depends_on_sizes_is_made_once(pair):
    decoder = copy.deepcopy(pair[1])
    feats = features((8, 12))
    with StepCounter() as first:
        decoder(feats)
    with StepCounter() as second:
        decoder(feats)
    assert first.num_syncs == second.num_syncs == 0
    assert {"sin", "cos", "cumsum"} <= set(first.ops)
    assert not {"sin", "cos", "cumsum", "masked_fill"} & set(second.ops)


@pytest.mark.parametrize("grad", [True, False])
def test_the_map_in_front_of_the_last_convolution(pair, grad):
    decoder, feats = pair[1], features((8, 12))
    with torch.set_grad_enabled(grad):
        masks, levels = decoder(feats)
        again, others, fine = decoder(feats, with_fine=True)
        torch.testing.assert_close(again, masks)
        torch.testing.assert_close(decoder.mask_feature(fine), masks)
    assert all(map(torch.equal, levels, others))


def test_sizes_are_forgotten(pair):
    decoder = copy.deepcopy(pair[1])
    with torch.no_grad():
        for width in range(10):
            decoder(features((8, 8 + 2 * width), frames=1))
    assert len(decoder._geometries) <= 8
    assert not [key for key in decoder.state_dict() if "geometr" in key]


@pytest.mark.parametrize(
    ("options", "used"),
    [
        ({}, "mmcv"),
        (dict(sampling="auto"), "mmcv"),
        (dict(sampling="triton"), "triton"),
    ],
)
def test_triton_is_used_on_devices_that_ask_for_it(monkeypatch, options, used):
    """A meta tensor is on no CPU."""
    calls = []

    def with_triton(value, x, y, weights, layout):
        assert layout.device.type == "meta" and x.dtype == y.dtype == torch.float32
        assert x.shape == y.shape == weights.shape == (*value.shape[:2], layout.samples)
        calls.append("triton")
        return value.flatten(2)

    def with_mmcv(attn, value, offsets, weights, geometry):
        calls.append("mmcv")
        return value.flatten(2)

    monkeypatch.setattr(pixel_decoder, "deform_attention_triton", with_triton)
    monkeypatch.setattr(pixel_decoder, "_attend_on_device", with_mmcv)
    decoder = build("ClipPixelDecoder", **options)
    with torch.no_grad():
        decoder(features((8, 12)))
        assert not calls, "CPUs have their own"
        decoder.to("meta")([feat.to("meta") for feat in features((8, 12))])
    assert calls == [used] * 2


def test_an_unknown_sampling_is_refused():
    with pytest.raises(ValueError, match="must be one of auto, triton, got 'cuda'"):
        build("ClipPixelDecoder", sampling="cuda")


@pytest.mark.gpu
def test_triton_on_a_gpu_equals_the_operator(pair):
    decoder = copy.deepcopy(pair[1]).cuda()
    feats = [f.detach().cuda().requires_grad_() for f in features((18, 26))]
    with torch.backends.cudnn.flags(allow_tf32=False):
        expected = results(decoder, feats)
        decoder.sampling = "triton"
        got = results(decoder, feats)
    for ours, theirs in zip(got, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert (a - b).abs().max() <= 1e-3 * b.abs().max()
