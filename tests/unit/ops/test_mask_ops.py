"""Fast mask paths equal their readable references; conventions are pinned."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tmt_vis.ops import (
    PointSampler,
    attend_in_parts,
    clip_generator,
    keep_from_mask_logits,
    mask_logits,
    masked_attention,
    masked_attention_reference,
    output_masks,
    resize_clip,
    sample_points,
    sample_shared_points,
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("rows", [None, 1, 5])
@pytest.mark.parametrize("step", [1, 3, 7])
def test_attention_in_parts_equals_reference(step, rows, dtype):
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 4, n, 8, dtype=dtype) for n in (5, 7, 7))
    keep = None
    if rows:
        keep = torch.rand(2, rows, 7) > 0.4
        keep[..., :3] = False  # no query may attend to the first part of three keys ...
        keep[0, :, 5:] = False  # ... nor, of the first clip, to the last keys
        keep[..., 4] = True
    slow = masked_attention_reference(q.double(), k.double(), v.double(), keep)
    parts = (
        (k[:, :, i : i + step], v[:, :, i : i + step], rows and keep[..., i : i + step])
        for i in range(0, 7, step)
    )
    fast = attend_in_parts(q, parts)
    assert fast.dtype == dtype
    bound = {torch.float32: 1e-6, torch.float64: 1e-14, torch.bfloat16: 0.02}[dtype]
    torch.testing.assert_close(fast.double(), slow, atol=bound, rtol=bound)


def test_keep_blocks_sigmoid_below_half_and_rescues_empty_rows():
    logits = torch.tensor([[[-1.0, 0.0, 2.0], [-3.0, -2.0, -1.0]]])
    expected = (logits.sigmoid() >= 0.5) | torch.tensor([[[False], [True]]])
    assert torch.equal(keep_from_mask_logits(logits), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_keep_equals_its_readable_reference(dtype):
    """Also for zeros of both signs, infinities and a column of NaN."""
    torch.manual_seed(0)
    logits = torch.randn(2, 50, 6) - 1  # about one row in four is empty
    logits[0, :3, 0] = torch.tensor([0.0, -0.0, float("inf")])
    logits[0, 3] = -float("inf")
    logits[1, :, 5] = float("nan")
    logits = logits.to(dtype)
    reference = logits >= 0
    empty = ~reference.any(-1, keepdim=True)
    assert 5 < empty.sum() < 50
    # NaN ends a training elsewhere; here it only must not be attended.
    expected = (reference | empty) & ~logits.isnan()
    # A row whose largest value is NaN counts as empty.
    expected[1] = ~logits[1].isnan()
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


@pytest.mark.parametrize("frames", [1, 3, 9])
@pytest.mark.parametrize("size, ratio", [((8, 16), 2), ((4, 8), 4), ((2, 4), 8)])
def test_even_ratios_are_the_mean_of_four_cells(size, ratio, frames):
    torch.manual_seed(0)
    features = torch.randn(2, frames, 4, 16, 32)
    assert _even_ratio((16, 32), size) == ratio
    slow = F.interpolate(features.flatten(0, 1), size=size, mode="bilinear")
    resized = resize_clip(features, size)
    torch.testing.assert_close(resized.flatten(0, 1), slow)
    assert resized.transpose(1, 2).is_contiguous()  # or every layer copies it


def test_even_ratios_have_the_gradient_of_the_interpolation():
    torch.manual_seed(0)
    features = torch.randn(1, 5, 3, 8, 8, requires_grad=True)
    weights = torch.randn(1, 5, 3, 4, 4)
    (fast,) = torch.autograd.grad(
        (resize_clip(features, (4, 4)) * weights).sum(), features
    )
    slow = F.interpolate(features.flatten(0, 1), size=(4, 4), mode="bilinear")
    (expected,) = torch.autograd.grad((slow * weights[0]).sum(), features)
    torch.testing.assert_close(fast, expected)


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (5, 10), (3, 32), (16, 8)])
def test_other_ratios_are_interpolated(size):
    assert _even_ratio((16, 32), size) == 0


@pytest.mark.parametrize("chunk", [1, 2, None])
def test_decoding_in_chunks_equals_all_at_once(chunk):
    torch.manual_seed(0)
    embeds, features = torch.randn(3, 8), torch.randn(5, 8, 8, 16)
    sizes = dict(padded_size=(32, 64), image_size=(27, 61), output_size=(37, 83))
    logits = mask_logits(embeds[None], features[None])[0]
    logits = F.interpolate(logits, size=(32, 64), mode="bilinear")[..., :27, :61]
    expected = F.interpolate(logits, size=(37, 83), mode="bilinear") > 0
    inside = logits > 0
    probs = torch.where(inside, logits.sigmoid(), 0)
    small = mask_logits(embeds[None], features[None])[0]
    for frame in range(5):
        masks, quality = output_masks(
            small[:, frame], **sizes, masks_per_chunk=chunk, quality=True
        )
        assert torch.equal(masks, expected[:, frame])
        sums = [x[:, frame].flatten(1).sum(1) for x in (probs, inside)]
        torch.testing.assert_close(quality, torch.stack(sums, -1))


def test_no_query_is_decoded_to_no_mask():
    sizes = dict(padded_size=(32, 64), image_size=(27, 61), output_size=(37, 83))
    masks, quality = output_masks(torch.zeros(0, 8, 16), **sizes)
    assert masks.shape == (0, 37, 83) and quality is None


def test_point_zero_is_the_corner_of_the_image_not_the_first_pixel_centre():
    """align_corners=False, x before y, zero padding outside."""
    image = torch.arange(8.0).view(1, 1, 2, 4) + 1
    centre = torch.tensor([[[2.5 / 4, 1.5 / 2]]])  # x = column 2, y = row 1
    assert sample_points(image, centre).item() == pytest.approx(image[0, 0, 1, 2])
    corner = torch.zeros(1, 1, 2)
    assert sample_points(image, corner).item() == pytest.approx(image[0, 0, 0, 0] / 4)


@pytest.mark.parametrize("maps, size, count", [(1, (1, 1), 1), (3, (7, 10), 50)])
def test_sampling_at_shared_points_equals_sampling_each_map(maps, size, count):
    torch.manual_seed(0)
    values = torch.randn(maps, 4, *size)
    corners = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1.0], [0.5, 0.5]])
    points = torch.cat([torch.rand(count, 2), corners])
    fast = sample_shared_points(values, points)
    slow = sample_points(values, points.expand(maps, -1, -1)).transpose(1, 2)
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)


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
