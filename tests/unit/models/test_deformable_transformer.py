"""The transformer of Deformable DETR computes what mmdet's computes."""

import copy

import pytest
import torch
from mmdet.models.layers import (
    DeformableDetrTransformerDecoder,
    DeformableDetrTransformerEncoder,
    SinePositionalEncoding,
)
from torch import nn

from tmt_vis.models.deformable_transformer import (
    DeformableDecoder,
    DeformableEncoder,
    padding_masks,
    refine_boxes,
)

CHANNELS = 16
SMALL = dict(
    channels=CHANNELS,
    num_layers=2,
    num_heads=4,
    num_points=2,
    ffn_channels=24,
    dropout=0.0,
)
PADDED = (64, 96)
SIZES = ((8, 12), (4, 6), (2, 3), (1, 2))
IMAGES = {"padded": [(50, 90), (64, 70)], "whole": [PADDED, PADDED]}


def spread(module):
    """Draw all parameters anew: sampling offsets start on a grid."""
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.add_(0.3 * noise)
    return module.eval()


def levels(requires_grad=False):
    draw = torch.Generator().manual_seed(4)
    made = [torch.randn(2, CHANNELS, *size, generator=draw) for size in SIZES]
    return [level.requires_grad_(requires_grad) for level in made]


@pytest.fixture(scope="module")
def encoder():
    return spread(DeformableEncoder(**SMALL))


@pytest.fixture(scope="module")
def decoder():
    return spread(DeformableDecoder(**SMALL))


def mmdet_geometry(images):
    """Make what mmdet's transformer wants to know of the sizes."""
    masks = padding_masks(images, PADDED, SIZES, torch.device("cpu"))
    ratios = []
    for mask in masks:
        height, width = mask.shape[1:]
        valid = [(~mask[:, 0]).sum(1) / width, (~mask[:, :, 0]).sum(1) / height]
        ratios.append(torch.stack(valid, -1))
    shapes = torch.tensor(SIZES)
    starts = torch.tensor([0, *torch.tensor(SIZES).prod(1).cumsum(0)[:-1]])
    return masks, dict(
        key_padding_mask=torch.cat([mask.flatten(1) for mask in masks], 1),
        spatial_shapes=shapes,
        level_start_index=starts,
        valid_ratios=torch.stack(ratios, 1),
    )


def mmdet_twin(kind, ours):
    """Build mmdet's module around the same layers."""
    attn = dict(embed_dims=CHANNELS, num_heads=4, num_levels=4, num_points=2)
    cfg = dict(
        self_attn_cfg=dict(attn, batch_first=True),
        ffn_cfg=dict(embed_dims=CHANNELS, feedforward_channels=24),
    )
    extra = {}
    if kind is DeformableDetrTransformerDecoder:
        cfg |= dict(
            self_attn_cfg=dict(embed_dims=CHANNELS, num_heads=4, batch_first=True),
            cross_attn_cfg=dict(attn, batch_first=True),
        )
        extra = dict(post_norm_cfg=None, return_intermediate=True)
    twin = kind(num_layers=2, layer_cfg=cfg, **extra)
    twin.load_state_dict(ours.layers.state_dict(prefix="layers."))
    return twin.eval()


def grads(loss, inputs):
    return torch.autograd.grad(loss.square().mean(), inputs)


@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
def test_encoder_equals_mmdet(encoder, images):
    inputs = levels(requires_grad=True)
    memory = encoder(inputs, images, PADDED)
    twin = mmdet_twin(DeformableDetrTransformerEncoder, encoder)
    masks, geometry = mmdet_geometry(images)
    sine = SinePositionalEncoding(CHANNELS // 2, normalize=True, offset=-0.5)
    pos = [
        (sine(mask) + encoder.level_embed[i][:, None, None]).flatten(2).mT
        for i, mask in enumerate(masks)
    ]
    flat = torch.cat([level.flatten(2).mT for level in inputs], 1)
    expected = twin(query=flat, query_pos=torch.cat(pos, 1), **geometry)
    assert torch.allclose(memory.tokens, expected, atol=1e-5)
    for ours, theirs in zip(
        grads(memory.tokens, inputs), grads(expected, inputs), strict=True
    ):
        assert torch.allclose(ours, theirs, atol=1e-6)
    maps = memory.maps()
    assert [tuple(x.shape[-2:]) for x in maps] == list(SIZES)
    assert torch.equal(maps[0][1, :, 2, 5], memory.tokens[1, 2 * 12 + 5])


@pytest.mark.parametrize("width", [2, 4], ids=["points", "boxes"])
@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
def test_decoder_equals_mmdet(encoder, decoder, images, width):
    memory = encoder(levels(), images, PADDED)
    draw = torch.Generator().manual_seed(5)
    queries, pos = torch.randn(2, 2, 7, CHANNELS, generator=draw)
    references = torch.rand(2, 7, width, generator=draw)
    branches = spread(nn.ModuleList(nn.Linear(CHANNELS, 4) for _ in range(2)))
    states, refined = decoder(queries, pos, references, memory, branches)
    twin = mmdet_twin(DeformableDetrTransformerDecoder, decoder)
    expected, boxes = twin(
        query=queries,
        query_pos=pos,
        value=memory.tokens,
        reference_points=references,
        reg_branches=branches,
        **mmdet_geometry(images)[1],
    )
    assert torch.allclose(torch.stack(states), expected, atol=1e-5)
    assert torch.equal(refined[0], references)
    assert torch.allclose(torch.stack(refined[1:]), boxes, atol=1e-6)


def test_padding_changes_nothing(encoder, decoder):
    """More padding on the right and below, same frames."""
    image = (50, 90)
    draw = torch.Generator().manual_seed(6)
    small = [torch.randn(1, CHANNELS, *size, generator=draw) for size in SIZES]
    large = [nn.functional.pad(x, (0, x.shape[-1], 0, x.shape[-2])) for x in small]
    queries, pos = torch.randn(2, 1, 7, CHANNELS, generator=draw)
    references = torch.rand(1, 7, 2, generator=draw)
    branches = spread(nn.ModuleList(nn.Linear(CHANNELS, 4) for _ in range(2)))
    outs = []
    for padded, inputs in ((PADDED, small), ((128, 192), large)):
        # What the padding holds has no effect either.
        masks = padding_masks([image], padded, [x.shape[-2:] for x in inputs], "cpu")
        inputs = [
            torch.where(mask[:, None], 9.0, x)
            for x, mask in zip(inputs, masks, strict=True)
        ]
        memory = encoder(inputs, [image], padded)
        outs.append(decoder(queries, pos, references, memory, branches)[0][-1])
    assert torch.allclose(outs[0], outs[1], atol=1e-4)


def test_frames_of_a_memory_can_be_chosen(encoder):
    memory = encoder(levels(), IMAGES["padded"], PADDED)
    second = memory[1:]
    assert len(second) == 1 and torch.equal(second.valid[0], memory.valid[1])
    assert torch.equal(second.padding[0], memory.padding[1])
    assert encoder(levels(), IMAGES["whole"], PADDED)[1:].padding is None


def test_boxes_are_refined_around_points_and_boxes():
    deltas = torch.tensor([[0.5, -0.5, 1.0, -1.0]])
    point = refine_boxes(deltas, torch.tensor([[0.5, 0.5]]))
    assert torch.allclose(point, deltas.sigmoid())
    box = refine_boxes(deltas, torch.tensor([[0.5, 0.5, 0.5, 0.2]]))
    logit = torch.tensor([0.2]).logit() - 1
    assert torch.allclose(box[0, :3], deltas[0, :3].sigmoid())
    assert torch.allclose(box[0, 3], logit.sigmoid())


def test_parameters_start_as_in_mmdet():
    """Nobody initialises the parts again: a later call would replace loaded weights."""
    encoder = DeformableEncoder(**SMALL)
    before = copy.deepcopy(encoder.state_dict())
    encoder.init_weights()
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name])
    attn = encoder.layers[0].self_attn
    assert (attn.sampling_offsets.weight == 0).all()
    assert attn.sampling_offsets.bias.abs().max() == 2  # points 1 and 2 of each ray
    assert encoder.layers[0].ffn.layers[1].weight.abs().max() > 0
