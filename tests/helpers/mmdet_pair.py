"""The same Mask2Former twice: mmdet's, and ours with its weights."""

import copy
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest import mock

import numpy as np
import torch
from helpers import golden_kit
from helpers.config_family import load
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from torch import nn

from tmt_vis.checkpoints import SourceCheckpoint, convert

IMAGE, PADDED, ORIGINAL = (70, 101), (96, 128), (93, 135)
META = dict(img_shape=IMAGE, ori_shape=ORIGINAL, batch_input_shape=PADDED)
# Our config, mmdet's config, and where mmdet keeps the head.
VIDEO = (
    "mask2former_vis/mask2former-vis_r50_8xb2-6k_ytvis19",
    "mmdet::mask2former_vis/mask2former_r50_8xb2-8e_youtubevis2019.py",
    "track_head",
)
FRAMES = (
    "minvis/minvis_r50_8xb4-6k_ytvis19",
    "mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco.py",
    "panoptic_head",
)
_CATEGORIES = 40  # of YouTube-VIS 2019
_SWIN = dict(
    type="SwinTransformer",
    embed_dims=96,
    depths=[2, 2, 6, 2],
    num_heads=[3, 6, 12, 24],
    window_size=7,
    drop_path_rate=0.0,
)
_SWIN_CHANNELS = [96, 192, 384, 768]


def build_pair(kind, backbone, *, small):
    """Build both models with weights filled by rule, in evaluation mode.

    Args:
        kind: ``VIDEO`` or ``FRAMES``.
        backbone: ``resnet`` or ``swin``.
        small: with fewer and narrower layers than mmdet's config has.
    """
    ours, theirs, where = kind
    cfg = _mmdet_cfg(theirs, where, backbone, small=small)
    with DefaultScope.overwrite_default_scope("mmdet"), _uninitialised():
        theirs = MODELS.build(cfg)
        ours = MODELS.build(_our_cfg(ours, cfg, cfg[where]))
    weights = {
        key: torch.from_numpy(_filled(key, tuple(value.shape)))
        if value.is_floating_point()
        else value
        for key, value in theirs.state_dict().items()
    }
    theirs.load_state_dict(weights, strict=True)
    converted = convert(SourceCheckpoint(weights), source_labels="ytvis19")
    ours.load_state_dict(converted.state_dict, strict=True)
    return theirs.eval(), ours.eval()


def _filled(key, shape):
    """Fill a tensor as a golden kit does, from numbers that take 0.4 of the time."""
    random = np.random.default_rng(zlib.crc32(key.encode()))
    return golden_kit.scaled(key, random.standard_normal(shape, dtype=np.float32))


@contextmanager
def _uninitialised() -> Iterator[None]:
    """Leave parameters as they are: all are filled afterwards, and it took a second."""
    names = [name for name in dir(nn.init) if name.endswith("_") and name[0] != "_"]
    with mock.patch.multiple(nn.init, **dict.fromkeys(names, lambda x, *_, **__: x)):
        yield


@cache
def _their_model(name):
    # Half a second: mmengine reads all metafiles of mmdet for it.
    return get_config(name).model


def _mmdet_cfg(name, where, backbone, *, small):
    model = copy.deepcopy(_their_model(name))
    head = model[where]
    # Of images the points are in the detector's config, of videos in the head's.
    train_cfg = model.get("train_cfg") or head.train_cfg
    train_cfg.num_points = 64 if small else 256
    model.init_cfg = model.backbone.init_cfg = None
    if where == "panoptic_head":
        head.num_things_classes, head.num_stuff_classes = _CATEGORIES, 0
        head.loss_cls.class_weight = [1.0] * _CATEGORIES + [0.1]
    if backbone == "swin":
        model.backbone = ConfigDict(_SWIN)
        head.in_channels = list(_SWIN_CHANNELS)
    if small:
        _shrink(model.backbone, head)
    return model


def _shrink(backbone, head):
    head.update(num_queries=12, feat_channels=64, out_channels=64)
    if backbone.type == "ResNet":
        backbone.update(base_channels=8, stem_channels=8)
        head.in_channels = [32, 64, 128, 256]
    else:
        backbone.update(embed_dims=24, depths=[2, 2, 2, 2])
        head.in_channels = [24, 48, 96, 192]
    encoder, decoder = head.pixel_decoder.encoder, head.transformer_decoder
    encoder.num_layers, decoder.num_layers = 2, 3
    for width in (encoder.layer_cfg, decoder.layer_cfg):
        width.self_attn_cfg.embed_dims = width.ffn_cfg.embed_dims = 64
        width.ffn_cfg.feedforward_channels = 96
    decoder.layer_cfg.cross_attn_cfg.embed_dims = 64
    head.pixel_decoder.positional_encoding.num_feats = 32
    head.positional_encoding.num_feats = 32


def _our_cfg(name, theirs, head):
    """Describe the same model in our words: our config, its sizes changed."""
    model = copy.deepcopy(load(name).model)
    model.backbone = copy.deepcopy(theirs.backbone)
    model.head.num_queries = head.num_queries
    sizes = ("in_channels", "feat_channels", "out_channels")
    pixel_decoder = copy.deepcopy(head.pixel_decoder)
    pixel_decoder.type = model.head.pixel_decoder.type
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


def clips(count, num_frames):
    """Make a normalised, padded batch (B, T, 3, *PADDED)."""
    generator = torch.Generator().manual_seed(num_frames)
    batch = torch.zeros(count, num_frames, 3, *PADDED)
    shape = (count, num_frames, 3, *IMAGE)
    batch[..., : IMAGE[0], : IMAGE[1]] = torch.randn(shape, generator=generator)
    return batch


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
