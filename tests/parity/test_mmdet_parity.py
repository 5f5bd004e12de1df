"""With equal weights, the baseline and mmdet's Mask2FormerVideo are one model.

mmdet needs three shims: its head asserts more than one frame only where it reads the
ground truth (``preprocess_gt``), so targets are handed to ``loss_by_feat``; the number
of frames is part of its config; and both implementations are given the same points.
"""

import copy
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from helpers import golden_kit
from helpers.config_family import load
from helpers.fixed_points import FixedPoints
from mmdet.models.tracking_heads import mask2former_track_head
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from tmt_vis.checkpoints import SourceCheckpoint, convert
from tmt_vis.structures import ClipDataSample

IMAGE, PADDED, ORIGINAL = (70, 101), (96, 128), (93, 135)
SWIN = dict(
    _delete_=True,
    type="SwinTransformer",
    embed_dims=96,
    depths=[2, 2, 6, 2],
    num_heads=[3, 6, 12, 24],
    window_size=7,
    drop_path_rate=0.0,
)
SWIN_CHANNELS = [96, 192, 384, 768]


def mmdet_cfg(backbone, *, small):
    """Return mmdet's own config, with fewer and narrower layers if small."""
    cfg = get_config("mmdet::mask2former_vis/mask2former_r50_8xb2-8e_youtubevis2019.py")
    model = copy.deepcopy(cfg.model)
    head = model.track_head
    head.train_cfg.num_points = 64 if small else 256
    model.init_cfg = model.backbone.init_cfg = None
    if backbone == "swin":
        model.backbone = ConfigDict(SWIN)
        model.backbone.pop("_delete_")
        head.in_channels = SWIN_CHANNELS
    if small:
        shrink(model)
    return model


def shrink(model):
    head = model.track_head
    head.update(num_queries=12, feat_channels=64, out_channels=64)
    if model.backbone.type == "ResNet":
        model.backbone.update(base_channels=8, stem_channels=8)
        head.in_channels = [32, 64, 128, 256]
    else:
        model.backbone.update(embed_dims=24, depths=[2, 2, 2, 2])
        head.in_channels = [24, 48, 96, 192]
    encoder, decoder = head.pixel_decoder.encoder, head.transformer_decoder
    encoder.num_layers, decoder.num_layers = 2, 3
    for width in (encoder.layer_cfg, decoder.layer_cfg):
        width.self_attn_cfg.embed_dims = width.ffn_cfg.embed_dims = 64
        width.ffn_cfg.feedforward_channels = 96
    decoder.layer_cfg.cross_attn_cfg.embed_dims = 64
    head.pixel_decoder.positional_encoding.num_feats = 32
    head.positional_encoding.num_feats = 32


def our_cfg(theirs):
    """Describe the same model in our words: the baseline config, its sizes changed."""
    cfg = load("mask2former_vis/mask2former-vis_r50_8xb2-6k_ytvis19").model
    model, head = copy.deepcopy(cfg), theirs.track_head
    model.backbone = copy.deepcopy(theirs.backbone)
    model.head.num_queries = head.num_queries
    sizes = ("in_channels", "feat_channels", "out_channels")
    pixel_decoder = copy.deepcopy(head.pixel_decoder)
    pixel_decoder.update({name: head[name] for name in sizes}, strides=[4, 8, 16, 32])
    model.head.pixel_decoder = pixel_decoder
    layer = head.transformer_decoder.layer_cfg
    model.head.decoder = dict(
        num_layers=head.transformer_decoder.num_layers,
        channels=layer.self_attn_cfg.embed_dims,
        num_heads=layer.self_attn_cfg.num_heads,
        ffn_channels=layer.ffn_cfg.feedforward_channels,
    )
    return model


def build_pair(backbone, *, small):
    cfg = mmdet_cfg(backbone, small=small)
    with DefaultScope.overwrite_default_scope("mmdet"):
        theirs, ours = MODELS.build(cfg), MODELS.build(our_cfg(cfg))
    weights = {
        key: torch.from_numpy(golden_kit.filled(key, tuple(value.shape)))
        if value.is_floating_point()
        else value
        for key, value in theirs.state_dict().items()
    }
    theirs.load_state_dict(weights, strict=True)
    converted = convert(SourceCheckpoint(weights), source_labels="ytvis19")
    ours.load_state_dict(converted.state_dict, strict=True)
    return theirs.eval(), ours.eval()


@pytest.fixture(scope="module", params=["resnet", "swin"])
def pair(request):
    return build_pair(request.param, small=True)


@pytest.fixture(scope="module", params=["resnet", "swin"])
def full_pair(request):
    return build_pair(request.param, small=False)


def clips(count, num_frames):
    """Make a normalised, padded batch (B, T, 3, *PADDED)."""
    generator = torch.Generator().manual_seed(num_frames)
    batch = torch.zeros(count, num_frames, 3, *PADDED)
    shape = (count, num_frames, 3, *IMAGE)
    batch[..., : IMAGE[0], : IMAGE[1]] = torch.randn(shape, generator=generator)
    return batch


META = dict(img_shape=IMAGE, ori_shape=ORIGINAL, batch_input_shape=PADDED)


def theirs_predict(model, inputs):
    """Return scores, labels, masks and mask logits, best first."""
    frames = [DetDataSample(metainfo=META) for _ in range(inputs.shape[1])]
    video = TrackDataSample(video_data_samples=frames)
    with mock.patch.object(F, "interpolate", wraps=F.interpolate) as resize:
        (result,) = model.predict(inputs, [video])
    # The last thing it resizes are the logits of the ten tracks it returns.
    call = resize.call_args
    logits = F.interpolate(*call.args, **call.kwargs)
    per_frame = [frame.pred_track_instances for frame in result.video_data_samples]
    order = per_frame[0].scores.argsort(descending=True)
    masks = torch.stack([frame.masks for frame in per_frame], 1)
    first = per_frame[0]
    return first.scores[order], first.labels[order], masks[order], logits[order]


def ours_predict(model, inputs):
    sample = ClipDataSample(metainfo=dict(META, label_space="ytvis19"))
    tracks = model.predict(inputs, [sample])[0].pred_tracks
    masks = [torch.from_numpy(tube.decode()) for tube in tracks.tubes]
    return tracks.scores, tracks.labels, torch.stack(masks)


def check_predictions(pair, num_frames):
    theirs, ours = pair
    inputs = clips(1, num_frames)
    with torch.no_grad():
        scores, labels, masks, logits = theirs_predict(theirs, inputs)
        our_scores, our_labels, our_masks = ours_predict(ours, inputs)
    torch.testing.assert_close(our_scores, scores, rtol=0, atol=1e-5)
    assert torch.equal(our_labels, labels)
    assert masks.shape == our_masks.shape == (10, num_frames, *ORIGINAL)
    assert 0 < masks.float().mean() < 1
    # A logit that is 0 but for rounding may fall on either side.
    assert torch.equal(masks, logits > 0)
    assert (masks != our_masks).sum() <= 5
    assert (logits[masks != our_masks].abs() < 1e-4).all()


def targets(num_frames, *, instances):
    """Make labels (N,) and masks (N, T, H, W); the last object misses a frame."""
    masks = torch.zeros(instances, num_frames, *PADDED, dtype=torch.bool)
    for n in range(instances):
        for t in range(num_frames):
            top, left = 6 + 14 * n + 2 * t, 10 + 20 * n + 3 * t
            masks[n, t, top : top + 22, left : left + 31] = True
    if instances and num_frames > 1:
        masks[-1, 0] = False
    return torch.arange(instances) * 11 + 3, masks


def check_losses(pair, num_frames, monkeypatch, *, bce_factor):
    theirs, ours = pair
    truth = [targets(num_frames, instances=n) for n in (3, 1)]
    num_points = theirs.track_head.num_points
    points = golden_kit.fixed_points(num_points)
    patch_points(monkeypatch, theirs, ours, points)
    inputs = clips(len(truth), num_frames)
    with torch.no_grad():
        expected = theirs_losses(theirs, inputs, truth, monkeypatch)
        got = ours.loss(inputs, [our_sample(*each) for each in truth])
    assert set(got) == set(expected)
    for name, value in expected.items():
        factor = bce_factor if name.endswith("loss_mask") else 1
        assert got[name].item() * factor == pytest.approx(value.item(), rel=1e-4), name


def patch_points(monkeypatch, theirs, ours, points):
    rand = torch.rand

    def fixed_rand(*args, **kwargs):
        size = args[0] if args and isinstance(args[0], tuple) else None
        return points if size == tuple(points.shape) else rand(*args, **kwargs)

    monkeypatch.setattr(torch, "rand", fixed_rand)
    monkeypatch.setattr(
        mask2former_track_head,
        "get_uncertain_point_coords_with_randomness",
        lambda masks, *args: points.expand(len(masks), -1, -1),
    )
    sampler = FixedPoints(points)
    monkeypatch.setattr(ours.head, "points", sampler)
    monkeypatch.setattr(ours.head.criterion, "points", sampler)


def theirs_losses(model, inputs, truth, monkeypatch):
    head = model.track_head
    monkeypatch.setattr(head, "num_frames", inputs.shape[1])
    # In eval mode it takes the batch for one video.
    monkeypatch.setattr(head, "training", True)
    scores, masks = head(model.backbone(inputs.flatten(0, 1)), None)
    instances = [
        InstanceData(labels=labels, masks=each.long()) for labels, each in truth
    ]
    return head.loss_by_feat(scores, masks, instances, [META] * len(truth))


def our_sample(labels, masks):
    sample = ClipDataSample(metainfo=dict(META, label_space="ytvis19"))
    sample.gt_instances = InstanceData(labels=labels, masks=masks)
    return sample


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_predictions(pair, num_frames):
    check_predictions(pair, num_frames)


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_losses_up_to_the_bce_factor(pair, num_frames, monkeypatch):
    check_losses(pair, num_frames, monkeypatch, bce_factor=num_frames)


def test_the_bce_factor_can_be_had(pair, monkeypatch):
    monkeypatch.setattr(pair[1].head.criterion, "mmdet_bce_scale", True)
    check_losses(pair, 2, monkeypatch, bce_factor=1)


@pytest.mark.slow
@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_full_size(full_pair, num_frames, monkeypatch):
    check_predictions(full_pair, num_frames)
    check_losses(full_pair, num_frames, monkeypatch, bce_factor=num_frames)
