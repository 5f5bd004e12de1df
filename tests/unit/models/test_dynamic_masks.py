"""Dynamic masks against convolutions object by object."""

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.utils import aligned_bilinear

from tmt_vis.models.dynamic_masks import DynamicMaskHead, MaskFeatureHead


def object_by_object(parameters, centers, features, stride=8):
    """Run every layer as a convolution over relative coordinates and features."""
    channels, height, width = features.shape
    hidden, inputs = 8, channels + 2
    masks = []
    for values, center in zip(parameters, centers, strict=True):
        planes = torch.empty(2, height, width)
        for row in range(height):
            for column in range(width):
                planes[0, row, column] = center[0] - (stride * column + stride // 2)
                planes[1, row, column] = center[1] - (stride * row + stride // 2)
        x = torch.cat([planes, features])[None]
        w0 = values[: inputs * hidden].view(hidden, inputs, 1, 1)
        rest = values[inputs * hidden :]
        w1, w2 = rest[:64].view(hidden, hidden, 1, 1), rest[64:72].view(1, hidden, 1, 1)
        b0, b1, b2 = rest[72:80], rest[80:88], rest[88:]
        x = F.conv2d(x, w0, b0).relu()
        x = F.conv2d(F.conv2d(x, w1, b1).relu(), w2, b2)
        masks.append(aligned_bilinear(x, 2)[0, 0])
    return torch.stack(masks)


@pytest.mark.parametrize("channels, count", [(8, 169), (9, 177)])
def test_equals_convolutions_object_by_object(channels, count):
    head = DynamicMaskHead(feature_channels=channels)
    assert head.num_parameters == count
    draw = torch.Generator().manual_seed(0)
    parameters = torch.randn(4, count, generator=draw)
    centers = 40 * torch.rand(4, 2, generator=draw)
    features = torch.randn(channels, 5, 6, generator=draw)
    masks = head(parameters, centers, features)
    expected = object_by_object(parameters, centers, features)
    assert masks.shape == (4, 10, 12)
    assert torch.allclose(masks, expected, rtol=1e-4, atol=1e-3)


def test_no_objects():
    masks = DynamicMaskHead()(
        torch.zeros(0, 169), torch.zeros(0, 2), torch.zeros(8, 3, 4)
    )
    assert masks.shape == (0, 6, 8)


def test_features_are_merged_from_small_to_large():
    head = MaskFeatureHead(channels=8, out_channels=4)
    draw = torch.Generator().manual_seed(1)
    levels = [
        torch.randn(2, 8, *size, generator=draw) for size in ((6, 9), (3, 5), (2, 3))
    ]
    features = head(levels)
    x = head.merge_convs[0](levels[2]).relu()
    x = head.merge_convs[1](levels[1] + F.interpolate(x, size=(3, 5))).relu()
    x = head.merge_convs[2](levels[0] + F.interpolate(x, size=(6, 9))).relu()
    expected = head.out_convs[1](head.out_convs[0](x).relu()).relu()
    assert torch.allclose(features, expected)
    assert features.shape == (2, 4, 6, 9)
