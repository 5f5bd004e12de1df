"""Fast mask paths equal their readable references; conventions are pinned."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tmt_vis.ops import (
    PointSampler,
    clip_generator,
    decode_masks,
    keep_from_mask_logits,
    mask_logits,
    masked_attention,
    masked_attention_reference,
    resize_clip,
    sample_points,
)
from tmt_vis.ops.mask_logits import _even_ratio


@pytest.mark.parametrize("rows", [1, 5])
def test_fused_attention_equals_reference(rows):
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 4, 5, 8).unbind(0)
    keep = torch.rand(2, rows, 5) > 0.4
    keep[..., 0] = True
    fused = masked_attention(q, k, v, keep)
    torch.testing.assert_close(fused, masked_attention_reference(q, k, v, keep))
    # True = attend: a blocked key has no influence at all.
    v2 = v.clone()
    blocked = (~keep).nonzero()
    b, _, m = blocked[0].tolist()
    v2[b, :, m] += 100
    changed = masked_attention(q, k, v2, keep) - fused
    row = slice(None) if rows == 1 else blocked[0, 1]
    assert changed[b, :, row].abs().max() == 0


def test_keep_blocks_sigmoid_below_half_and_rescues_empty_rows():
    logits = torch.tensor([[[-1.0, 0.0, 2.0], [-3.0, -2.0, -1.0]]])
    expected = (logits.sigmoid() >= 0.5) | torch.tensor([[[False], [True]]])
    assert torch.equal(keep_from_mask_logits(logits), expected)


@pytest.mark.parametrize("size", [(3, 5), (2, 2), (6, 10), (5, 7)])
def test_resizing_features_equals_resizing_masks(size):
    """Also for odd sizes: the interpolation is linear in the values."""
    torch.manual_seed(0)
    embeds, features = torch.randn(2, 4, 8), torch.randn(2, 3, 8, 6, 10)
    fast = mask_logits(embeds, resize_clip(features, size))
    full = mask_logits(embeds, features).flatten(1, 2)
    slow = F.interpolate(full, size=size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(fast, slow.unflatten(1, (4, 3)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size, ratio", [((8, 16), 2), ((4, 8), 4), ((2, 4), 8)])
def test_even_ratios_are_the_mean_of_four_cells(size, ratio):
    torch.manual_seed(0)
    features = torch.randn(2, 3, 4, 16, 32)
    assert _even_ratio((16, 32), size) == ratio
    slow = F.interpolate(features.flatten(0, 1), size=size, mode="bilinear")
    torch.testing.assert_close(resize_clip(features, size).flatten(0, 1), slow)


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (5, 10), (3, 32), (16, 8)])
def test_other_ratios_are_interpolated(size):
    assert _even_ratio((16, 32), size) == 0


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_decoding_in_chunks_equals_all_at_once(chunk):
    torch.manual_seed(0)
    embeds, features = torch.randn(3, 8), torch.randn(5, 8, 8, 16)
    sizes = dict(padded_size=(32, 64), image_size=(27, 61), output_size=(37, 83))
    logits = mask_logits(embeds[None], features[None])[0]
    logits = F.interpolate(logits, size=(32, 64), mode="bilinear")[..., :27, :61]
    expected = F.interpolate(logits, size=(37, 83), mode="bilinear") > 0
    parts = decode_masks(embeds, features, **sizes, frames_per_chunk=chunk)
    assert torch.equal(torch.cat(list(parts), dim=1), expected)


def test_point_zero_is_the_corner_of_the_image_not_the_first_pixel_centre():
    """align_corners=False, x before y, zero padding outside."""
    image = torch.arange(8.0).view(1, 1, 2, 4) + 1
    centre = torch.tensor([[[2.5 / 4, 1.5 / 2]]])  # x = column 2, y = row 1
    assert sample_points(image, centre).item() == pytest.approx(image[0, 0, 1, 2])
    corner = torch.zeros(1, 1, 2)
    assert sample_points(image, corner).item() == pytest.approx(image[0, 0, 0, 0] / 4)


def test_loss_points_prefer_undecided_pixels():
    logits = torch.full((1, 1, 8, 8), 10.0)
    logits[..., 4:] = 0.0
    sampler = PointSampler(num_points=64, importance_ratio=0.75)
    points = sampler.loss_points(logits, clip_generator(3, logits.device))
    assert points.shape == (1, 64, 2)
    assert (points[0, :48, 0] > 0.5).all()
    assert (points[0, 48:, 0] < 0.5).any()


def test_points_depend_on_the_clip_seed_only():
    sampler, device = PointSampler(num_points=5), torch.device("cpu")
    first = sampler.matching_points(device, clip_generator(1, device))
    torch.rand(7)
    again = sampler.matching_points(device, clip_generator(1, device))
    other = sampler.matching_points(device, clip_generator(2, device))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize(
    "kwargs", [dict(num_points=0), dict(oversample_ratio=0.5), dict(importance_ratio=2)]
)
def test_point_sampler_rejects(kwargs):
    with pytest.raises(ValueError, match="Mask2Former uses"):
        PointSampler(**kwargs)


def test_sampling_equals_mmcv():
    from mmcv.ops import point_sample

    torch.manual_seed(0)
    values, points = torch.randn(2, 3, 7, 9), torch.rand(2, 11, 2)
    assert np.allclose(sample_points(values, points), point_sample(values, points))
