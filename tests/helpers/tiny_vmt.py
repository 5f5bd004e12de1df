"""Video Mask Transfiner small enough for a CPU test: narrow and shallow."""

import torch
from helpers.tiny_model import CHANNELS, _merge
from mmdet.registry import MODELS

QUERIES, LAYERS = 8, 2


def model_cfg(*, label_spaces=("ytvis19", "ovis"), **head) -> dict:
    """Make the config of a detector with an 18-layer ResNet of base width 16."""
    layers = dict(num_layers=LAYERS, num_heads=4, num_points=2, ffn_channels=32)
    cfg = dict(
        type="VMTHead",
        taxonomy=dict(label_spaces=list(label_spaces)),
        neck=dict(
            type="ChannelMapper",
            in_channels=[32, 64, 128],
            out_channels=CHANNELS,
            kernel_size=1,
            bias=True,
            norm_cfg=dict(type="GN", num_groups=8),
            act_cfg=None,
            num_outs=4,
        ),
        query_decoder=dict(
            channels=CHANNELS,
            num_queries=QUERIES,
            encoder=dict(layers, dropout=0.0),
            decoder=dict(layers, dropout=0.0),
        ),
        cascade=dict(
            stage_channels=16,
            stem_channels=16,
            width=16,
            refiner=dict(num_layers=1, num_heads=2, ffn_channels=32, dropout=0.0),
        ),
        test_cfg=dict(max_per_video=10),
    )
    return dict(
        type="VideoSegmentor",
        data_preprocessor=dict(type="ClipDataPreprocessor", test_size_divisor=1),
        backbone=dict(
            type="StemResNet",
            depth=18,
            base_channels=16,
            stem_channels=16,
            num_stages=4,
            out_indices=(0, 1, 2, 3),
            norm_cfg=dict(type="BN", requires_grad=False),
            norm_eval=True,
        ),
        head=_merge(cfg, head),
    )


def build(**options):
    """Build a detector, always with the same weights."""
    torch.manual_seed(0)
    return MODELS.build(model_cfg(**options)).eval()
